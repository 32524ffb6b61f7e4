// The normalized mean squared error E[(x - x')^2] / E[x^2] of each type on synthetic weights, against values that were
// computed independently with NumPy (2^21 normals, 2^20 Student-t; float32 absmax).

import { expect, test } from "vitest";
import { measureError } from "../../src/quantize/error.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createRandom } from "../../src/tensor/random.ts";

const draw = (count: number, next: () => number) => Float32Array.from({ length: count }, next);
const errorOf = (weights: Float32Array, type: string, block: number) =>
  measureError(
    weights,
    quantize(weights, [1024, weights.length / 1024], parseSpec(`${type}:b${block}:a32`) as QuantizedSpec),
  ).normalizedMse;

const normals = draw(2 ** 21, createRandom(0).normal);
const blocks = [64, 128, 256, 1024, 4096];
const samples = [2 ** 19, 2 ** 19, 2 ** 19, 2 ** 20, 2 ** 21]; // the more, the fewer blocks there are

test.each([
  ["int3", [6.312e-2, 7.49e-2, 8.667e-2, 1.102e-1, 1.351e-1]],
  ["float3:e2", [5.121e-2, 5.695e-2, 6.221e-2, 7.221e-2, 8.295e-2]],
  ["dynamic3", [6.3e-2, 6.992e-2, 7.64e-2, 8.779e-2, 9.795e-2]],
  ["quantile3", [5.001e-2, 5.656e-2, 6.273e-2, 7.461e-2, 8.696e-2]],
  ["int4", [1.159e-2, 1.376e-2, 1.594e-2, 2.029e-2, 2.487e-2]],
  ["float4:e3", [3.543e-2, 3.705e-2, 3.791e-2, 3.828e-2, 3.8e-2]],
  ["float4:e2:ieee", [1.118e-2, 1.187e-2, 1.239e-2, 1.326e-2, 1.414e-2]],
  ["float4:e2:bnb", [1.353e-2, 1.485e-2, 1.604e-2, 1.838e-2, 2.096e-2]],
  ["bnbfp4", [1.488e-2, 1.656e-2, 1.814e-2, 2.135e-2, 2.495e-2]],
  ["float4:e2:appendix", [1.488e-2, 1.656e-2, 1.814e-2, 2.135e-2, 2.495e-2]],
  ["dynamic4", [1.942e-2, 2.195e-2, 2.438e-2, 2.887e-2, 3.299e-2]],
  ["quantile4", [9.524e-3, 1.032e-2, 1.1e-2, 1.23e-2, 1.377e-2]],
  ["nf4", [8.46e-3, 9.139e-3, 9.737e-3, 1.086e-2, 1.211e-2]],
  ["int5", [2.524e-3, 2.997e-3, 3.465e-3, 4.417e-3, 5.412e-3]],
  ["float5:e3", [9.975e-3, 1.035e-2, 1.052e-2, 1.063e-2, 1.063e-2]],
  ["float5:e2", [2.694e-3, 2.872e-3, 3.001e-3, 3.187e-3, 3.336e-3]],
  ["int6", [5.905e-4, 7.008e-4, 8.112e-4, 1.033e-3, 1.266e-3]],
  ["int8", [3.521e-5, 4.182e-5, 4.837e-5, 6.163e-5, 7.547e-5]],
] as [string, number[]][])("%s on normal weights is within 1 percent, in blocks of 64 to 4096", (type, expected) => {
  blocks.forEach((block, i) => {
    expect(Math.abs(errorOf(normals.subarray(0, samples[i]), type, block) / expected[i] - 1)).toBeLessThan(0.01);
  });
});

// The tails make these averages noisy: with 3 degrees of freedom x^2 has no variance, and samples differ by several percent.
const tailTypes = ["int4", "float4:e2", "float4:e3", "nf4"];

test.each([
  [3, 64, 0.06, [0.0321, 0.0155, 0.0239, 0.0149]],
  [3, 1024, 0.06, [0.156, 0.07, 0.0332, 0.0724]],
  [5, 64, 0.04, [0.0214, 0.0126, 0.0311, 0.011]],
  [5, 1024, 0.04, [0.0717, 0.0286, 0.0369, 0.029]],
  [5, 4096, 0.04, [0.123, 0.0469, 0.0378, 0.0492]],
] as [number, number, number, number[]][])(
  "on Student-t weights with %d degrees of freedom, in blocks of %d, wide exponents win as they should",
  (degrees, block, tolerance, expected) => {
    const random = createRandom(2);
    const weights = draw(2 ** 20, () => random.studentT(degrees));
    tailTypes.forEach((type, i) => {
      expect(Math.abs(errorOf(weights, type, block) / expected[i] - 1)).toBeLessThan(tolerance);
    });
  },
);
