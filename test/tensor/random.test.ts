import { expect, test } from "vitest";
import { createRandom } from "../../src/tensor/random.ts";

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);
const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

test("the same seed gives the same numbers, another seed others", () => {
  const [a, b, c] = [createRandom(7), createRandom(7), createRandom(8)];
  const first = draw(5, a.uniform);
  expect(draw(5, b.uniform)).toEqual(first);
  expect(draw(5, c.uniform)).not.toEqual(first);
});

test("uniform numbers fill [0, 1) evenly", () => {
  const random = createRandom(1);
  const bins = new Array(10).fill(0);
  for (const x of draw(100_000, random.uniform)) bins[Math.floor(10 * x)]++;
  // Chi-squared with 9 degrees of freedom: 27.9 is passed once in a thousand.
  expect(bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(27.9);
});

test("whole numbers stay below their limit and reach every value", () => {
  const random = createRandom(2);
  expect(new Set(draw(1000, () => random.integer(6)))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
});

test("normals have the moments of N(0, 1)", () => {
  const values = draw(400_000, createRandom(3).normal);
  expect(mean(values)).toBeCloseTo(0, 2);
  expect(mean(values.map((x) => x ** 2))).toBeCloseTo(1, 2);
  expect(mean(values.map((x) => x ** 4))).toBeCloseTo(3, 1);
  expect(mean(values.map((x) => (x > 1.959964 ? 1 : 0)))).toBeCloseTo(0.025, 2.5);
});

test.each([
  [3, 3.182446],
  [5, 2.570582],
])("Student's t with %d degrees of freedom exceeds %d once in 40 draws", (degrees, quantile) => {
  const random = createRandom(4);
  const beyond = draw(400_000, () => random.studentT(degrees)).filter((t) => t > quantile);
  expect(beyond.length / 400_000).toBeGreaterThan(0.0242);
  expect(beyond.length / 400_000).toBeLessThan(0.0258);
});
