// How far the best of several is flattered: as much as simulations say, and not at all where the choice is plain.

import { expect, test } from "vitest";
import { findMetric } from "../../src/scaling/metrics.ts";
import { estimateOptimism } from "../../src/scaling/optimism.ts";
import { createRandom } from "../../src/tensor/random.ts";
import { makeRow } from "./simulate.ts";

const nll = findMetric("nll");
const documents = 100;

/** Contenders of these true losses, and how flattered the best of them is in truth. */
function draw(truths: readonly number[], seed: number) {
  const random = createRandom(seed);
  const common = Array.from({ length: documents }, () => random.normal());
  const contenders = truths.map((truth, k) => {
    const values = Float32Array.from(common, (hard) => truth + hard + 0.1 * random.normal());
    const value = values.reduce((sum, one) => sum + one, 0) / documents;
    const row = makeRow({ spec: `int${k}`, total: 1e6, task: "piqa", metrics: { nll: value } });
    return { truth, value, row: { ...row, documents: { nll: { values } } } };
  });
  const best = contenders.reduce((a, b) => (b.value < a.value ? b : a));
  const shift = common.reduce((sum, one) => sum + one, 0) / documents; // of all contenders alike: no matter of choice
  return { contenders, truly: best.truth + shift - best.value };
}

test("of eight equals as much as the largest of eight luck", () => {
  let [estimated, truly] = [0, 0];
  const repetitions = 60;
  for (let seed = 1; seed <= repetitions; seed++) {
    const drawn = draw(new Array(8).fill(3), seed);
    estimated += estimateOptimism(drawn.contenders, nll)! / repetitions;
    truly += drawn.truly / repetitions;
  }
  expect(truly).toBeGreaterThan(0.01); // 1.42 of 0.1 / sqrt(100)
  expect(estimated / truly).toBeGreaterThan(0.7);
  expect(estimated / truly).toBeLessThan(1.4);
});

test("of one, or of one that is far ahead, nothing", () => {
  const { contenders } = draw([3, 4, 5, 6], 1);
  expect(estimateOptimism(contenders, nll)).toBeLessThan(1e-9);
  expect(estimateOptimism(contenders.slice(0, 1), nll)).toBeLessThan(1e-9);
  expect(estimateOptimism([], nll)).toBeNull();
  expect(estimateOptimism([{ ...contenders[0], row: { ...contenders[0].row, documents: undefined } }], nll)).toBeNull();
});
