// The law over bits for a figure, on rows made from a known law.

import { expect, test } from "vitest";
import { answerRows } from "../../src/scaling/answer.ts";
import { fitOverBits } from "../../src/scaling/bits-law.ts";
import { simulatedLoss, simulateStudy } from "./simulate.ts";

test("lies on the known law for each model at each precision, and its bands hold what was measured", () => {
  const [answer] = answerRows(simulateStudy({}));
  const law = fitOverBits(answer)!;
  expect(law.kind).toBe("float, block 64");
  expect(law.models).toHaveLength(6);
  let [inside, all] = [0, 0];
  for (const { points, law: said } of law.models) {
    const { parameters } = points[0].row.model;
    for (const { bitsPerWeight, value, interval } of said) {
      expect(Math.abs(value / simulatedLoss(parameters, bitsPerWeight, 64) - 1)).toBeLessThan(0.005);
      expect(interval![0]).toBeLessThan(value);
      expect(interval![1]).toBeGreaterThan(value);
      const measured = points.find((point) => point.row.bitsPerWeight === bitsPerWeight);
      if (!measured) continue; // unstable at 2 bits
      all++;
      if (measured.value >= interval![0] && measured.value <= interval![1]) inside++;
    }
  }
  expect(inside / all).toBeGreaterThan(0.85);
});

test("of several kinds of spec the one with most results is drawn, and only its points", () => {
  const rows = simulateStudy({ types: ["int", "float"], blocks: [64, 256] }).filter(
    ({ key: { spec } }) => !spec.startsWith("float") || spec.endsWith(":b256") || spec.startsWith("float4"),
  );
  const kept = rows.filter(({ key: { spec } }) => !/^int[67].*:b(64|256)$/.test(spec));
  const law = fitOverBits(answerRows(kept)[0])!;
  expect(law.kind).toBe("float, block 256");
  for (const { points } of law.models) {
    for (const { row } of points) expect(row.key.spec).toMatch(/^fp16$|^float.*:b256$/);
  }
});

test("accuracies come back as accuracies, better with size", () => {
  const law = fitOverBits(answerRows(simulateStudy({ tasks: ["piqa"] }))[0])!;
  const at4 = law.models.map(({ law: said }) => said.find((one) => one.bitsPerWeight === 4)!.value);
  for (const value of at4) expect(value).toBeGreaterThan(0.25);
  for (const value of at4) expect(value).toBeLessThan(0.75);
  expect(at4).toEqual(at4.toSorted((a, b) => a - b));
});

test("two models have no law", () => {
  expect(fitOverBits(answerRows(simulateStudy({ sizes: [1e6, 4e6] }))[0])).toBeNull();
});

test("of many models eight are taken, the smallest and the largest among them", () => {
  const sizes = Array.from({ length: 15 }, (_, i) => 1e6 * 1.5 ** i);
  const law = fitOverBits(answerRows(simulateStudy({ sizes, precisions: [3, 4, 8, 16] }))[0])!;
  const taken = law.models.map(({ points }) => points[0].row.model.parameters);
  expect(taken).toHaveLength(8);
  expect([taken[0], taken[7]]).toEqual([sizes[0], sizes[14]]);
});
