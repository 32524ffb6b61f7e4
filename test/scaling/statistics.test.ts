import { expect, test } from "vitest";
import {
  incompleteBeta,
  invertSymmetric,
  normalProbability,
  pearson,
  quantileOf,
  spearman,
  tProbability,
  tQuantile,
} from "../../src/scaling/statistics.ts";

test("distributions have the values of SciPy 1.16", () => {
  expect(tQuantile(0.975, 3)).toBeCloseTo(3.1824463052837078, 10);
  expect(tQuantile(0.975, 1)).toBeCloseTo(12.706204736174694, 9);
  expect(tQuantile(0.05, 7.5)).toBeCloseTo(-1.8757474792112878, 10);
  expect(tProbability(-2, 1e8)).toBeCloseTo(0.022750131, 8);
  expect(normalProbability(1.96)).toBeCloseTo(0.9750021048517795, 12);
  expect(normalProbability(-3.1)).toBeCloseTo(0.0009676032132183563, 12);
  expect(normalProbability(0.2)).toBeCloseTo(0.579259709439103, 12);
  expect(incompleteBeta(0.3, 2, 0.5)).toBeCloseTo(0.03784096948581308, 12);
});

test("quantiles and probabilities of t are inverse", () => {
  for (const degrees of [1, 2, 3.3, 12, 400])
    for (const p of [0.001, 0.05, 0.5, 0.9, 0.995])
      expect(tProbability(tQuantile(p, degrees), degrees)).toBeCloseTo(p, 10);
});

test("ranks of ties are shared, and a correlation of what does not vary is none", () => {
  expect(spearman([1, 2, 2, 4], [3, 1, 5, 9])).toBeCloseTo(0.6324555320336759, 12);
  expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
  expect(pearson([1, 1, 1], [2, 4, 6])).toBeNaN();
  expect(quantileOf([1, 2, 4], 0.75)).toBe(3);
});

test("a matrix is inverted, and one that is not positive definite is refused", () => {
  const inverse = invertSymmetric(Float64Array.of(4, 1, 1, 3), 2)!;
  expect([...inverse].map((value) => value * 11)).toEqual([3, -1, -1, 4].map((value) => expect.closeTo(value, 12)));
  expect(invertSymmetric(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined();
});
