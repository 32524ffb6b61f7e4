// How far the best of several is flattered: as much as simulations say, and not at all where the choice is plain.

import { expect, test } from "vitest";
import { compareAt } from "../../src/scaling/compare.ts";
import { buildCurves, placePoints } from "../../src/scaling/curves.ts";
import { findMetric } from "../../src/scaling/metrics.ts";
import { estimateMarginOptimism, estimateOptimism } from "../../src/scaling/optimism.ts";
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

test("of a margin at a budget as much as choosing one of six equal specs at 4 bits, and one of one at 8, gives", () => {
  const budget = 3e6;
  let [estimated, truly] = [0, 0];
  const repetitions = 40;
  for (let seed = 1; seed <= repetitions; seed++) {
    const random = createRandom(seed + 5000);
    const common = Array.from({ length: documents }, () => random.normal());
    const make = (model: string, spec: string, bitsPerWeight: number, total: number, truth: number) => {
      const values = Float32Array.from(common, (hard) => truth + hard + 0.1 * random.normal());
      const value = values.reduce((sum, one) => sum + one, 0) / documents;
      const row = makeRow({ model, spec, bitsPerWeight, total, task: "piqa", metrics: { nll: value } });
      return { ...row, documents: { nll: { values } } };
    };
    const rows = [1e6, 2e6, 4e6, 8e6].flatMap((total, i) => [
      ...["int4:b32", "int4:b64", "int4:b128", "int4:b256", "nf4:b64", "nf4:b128"].map((spec) =>
        make(`m${i}`, spec, 4, total, 3 - 0.1 * i),
      ),
      make(`m${i}`, "int8:b64", 8, 2 * total, 3 - 0.1 * i),
    ]);
    const points = placePoints(rows, nll);
    const { value } = compareAt(buildCurves(points, nll), nll, budget).margin!;
    // 4 bits at 3 MB lie between the second and third model, 8 bits between the first and second.
    truly += (value - 0.1) / repetitions;
    estimated += estimateMarginOptimism(points, nll, budget, [4, 8])! / repetitions;
  }
  expect(truly).toBeGreaterThan(0.005);
  expect(estimated / truly).toBeGreaterThan(0.6);
  expect(estimated / truly).toBeLessThan(1.5);
});
