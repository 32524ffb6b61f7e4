import { expect, test } from "vitest";
import { measureError } from "../../src/quantize/error.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";

const measure = (values: number[], shape: [number, number], text: string, outlierColumns?: Uint32Array) => {
  const weights = Float32Array.from(values);
  const options = { outlierColumns, allowNonfinite: true };
  return measureError(weights, quantize(weights, shape, parseSpec(text) as QuantizedSpec, options));
};

test("a worked example: int2 has -1, 0 and 1", () => {
  // 4 -> 4, -4 -> -4, 1 -> 0, 3 -> 4: errors 0, 0, 1, 1.
  const error = measure([4, -4, 1, 3], [1, 4], "int2");
  expect(error.normalizedMse).toBeCloseTo(2 / (16 + 16 + 1 + 9), 12);
  expect(error.maxError).toBe(1);
  expect(error.codesUsed).toBe(3 / 4);
  expect(error.entropy).toBeCloseTo(1.5, 12);
});

test("zeros have no error, one code and no entropy", () => {
  expect(measure([0, 0, 0, 0], [2, 2], "int4")).toEqual({
    normalizedMse: 0,
    maxError: 0,
    codesUsed: 1 / 16,
    entropy: 0,
  });
});

test("the codes under outlier columns do not count", () => {
  const error = measure([4, 1, -4, 1], [2, 2], "int2", Uint32Array.of(1));
  expect(error).toMatchObject({ normalizedMse: 0, codesUsed: 2 / 4, entropy: 1 });
});

test("weights that are not finite count as the 0 they are taken for", () => {
  expect(measure([4, NaN, -4, Infinity], [2, 2], "int2").maxError).toBe(0);
});
