import { expect, test } from "vitest";
import { bootstrapPerplexityError } from "../../src/evaluate/bootstrap.ts";
import { createPythonRandom } from "../../src/evaluate/mersenne.ts";
import { mean, meanError, sum } from "../../src/evaluate/sum.ts";
import pieces from "../fixtures/evaluate-pieces/pieces.json" with { type: "json" };

test("the random numbers are those of Python's random.Random(seed)", () => {
  for (const [seed, expected] of Object.entries(pieces.random)) {
    const random = createPythonRandom(Number(seed));
    const values = Array.from({ length: 4 }, () => [...random.nextBlock()]).flat();
    expect([0, 333, 666, 999].map((i) => values[i])).toEqual(expected);
  }
});

test("drawing an index is floor(random * n), as in Python's choices", () => {
  for (const [seed, expected] of Object.entries(pieces.choices)) {
    const block = createPythonRandom(Number(seed)).nextBlock();
    expect(expected.map((_, i) => Math.floor(block[i] * 5153))).toEqual(expected);
  }
});

test("the bootstrap repeats lm-eval's standard error of a perplexity to twelve digits", async () => {
  for (const [values, iterations, , error] of pieces.bootstrap as [number[], number, number, number][]) {
    // With the draws counted and kept, again with those that were kept, and one by one.
    for (const maxKept of [undefined, undefined, 0]) {
      const found = await bootstrapPerplexityError(values, iterations, undefined, maxKept);
      expect(Math.abs(found! / error - 1)).toBeLessThan(1e-12);
    }
  }
});

test("the bootstrap has no answer for one value or no resamples, and reports every chunk", async () => {
  expect(await bootstrapPerplexityError([-1])).toBeUndefined();
  expect(await bootstrapPerplexityError([-1, -2], 0)).toBeUndefined();
  const seen: number[] = [];
  await bootstrapPerplexityError([-1, -2], 2500, (done) => seen.push(done));
  expect(seen).toEqual([1000, 2000]);
});

test("means and their errors are lm-eval's", () => {
  for (const [values, average, error] of pieces.mean as [number[], number, number][]) {
    expect(mean(values)).toBeCloseTo(average, 14);
    expect(meanError(values)).toBeCloseTo(error, 14);
  }
  expect(meanError([1])).toBeUndefined();
});

test("sum loses nothing that the last addition can give back", () => {
  expect(sum(Array(10).fill(0.1))).toBe(1);
  expect(sum([1e16, 1, -1e16])).toBe(1);
  expect(sum([1, 1e100, 1, -1e100])).toBe(2);
  expect(sum([1, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
  expect(sum([])).toBe(0);
});
