// Errors of points beside each other: by hand on small numbers, and against the spread of differences over simulated documents.

import { expect, test } from "vitest";
import type { ResultRow } from "../../src/result.ts";
import { placePoints } from "../../src/scaling/curves.ts";
import { findMetric } from "../../src/scaling/metrics.ts";
import { compareErrors } from "../../src/scaling/side-by-side.ts";
import { createRandom, makeRow } from "./simulate.ts";

const acc = findMetric("acc");

function answers(values: readonly number[], task = "piqa"): ResultRow {
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  const metrics = { acc: { value, standardError: 0.1, n: values.length } };
  return { ...makeRow({ task, total: 8e6, metrics }), documents: { acc: { values: Float32Array.from(values) } } };
}

const placed = (...rows: ResultRow[]) => rows.flatMap((row) => placePoints([row], acc));

test("what documents do to all points alike is no error of how they compare", () => {
  const points = placed(answers([0.9, 0.1, 0.5, 0.5]), answers([0.7, -0.1, 0.3, 0.3]), answers([0.8, 0, 0.4, 0.4]));
  for (const error of compareErrors(points, acc)!) expect(error).toBeCloseTo(0, 6);
});

test("of two points each has a half of the variance of their difference", () => {
  const points = placed(answers([1, 1, 0, 1]), answers([1, 0, 0, 0]));
  // The differences are 0, 1, 0, 1: of variance 1/3, their mean of 1/12.
  for (const error of compareErrors(points, acc)!) expect(error).toBeCloseTo(Math.sqrt(1 / 24), 6);
});

test("the errors of two of many points add up to the spread of their difference over sets of documents", () => {
  const random = createRandom(7);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const noise = [0.05, 0.1, 0.2, 0.1, 0.15];
  const documents = 400;
  const draw = () => {
    const lists: number[][] = noise.map(() => []);
    for (let i = 0; i < documents; i++) {
      const hard = normal(); // far more than what points differ in
      for (const [j, scale] of noise.entries()) lists[j].push(hard + scale * normal());
    }
    return placed(...lists.map((values) => answers(values)));
  };
  const sets = Array.from({ length: 300 }, draw);
  const between = sets.map((points) => points[1].value - points[2].value);
  const center = between.reduce((sum, one) => sum + one, 0) / between.length;
  const spread = Math.sqrt(between.reduce((sum, one) => sum + (one - center) ** 2, 0) / (between.length - 1));
  const errors = compareErrors(sets[0], acc)!;
  expect(Math.hypot(errors[1], errors[2]) / spread).toBeGreaterThan(0.8);
  expect(Math.hypot(errors[1], errors[2]) / spread).toBeLessThan(1.2);
});

test("points of other documents, or one point alone, cannot be compared", () => {
  expect(compareErrors(placed(answers([1, 0, 1])), acc)).toBeNull();
  expect(compareErrors(placed(answers([1, 0, 1]), answers([1, 0, 1], "winogrande")), acc)).toBeNull();
  expect(compareErrors(placed(answers([1, 0, 1]), { ...answers([1, 0, 1]), documents: undefined }), acc)).toBeNull();
});
