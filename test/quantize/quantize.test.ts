import fc from "fast-check";
import { expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { expandAbsmax, expandScales, measureAbsmax } from "../../src/quantize/blocks.ts";
import { unpackCodes } from "../../src/quantize/pack.ts";
import { dequantize, type QuantizeOptions, quantize, quantizeBlocks } from "../../src/quantize/quantize.ts";
import type { QuantizedTensor } from "../../src/quantize/quantized.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createRandom } from "../../src/tensor/random.ts";

const spec = (text: string) => parseSpec(text, () => "[-0.9, -0.2, 0.1, 0.4, 0.8]") as QuantizedSpec;
const run = (weights: number[] | Float32Array, shape: [number, number], text: string, options?: QuantizeOptions) =>
  quantize(Float32Array.from(weights), shape, spec(text), options);
const codesOf = (q: QuantizedTensor) => unpackCodes(q.codes, q.spec.bits, q.shape[0] * q.shape[1]);
const normals = (count: number, seed = 0, scale = 1) => {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, () => random.normal() * scale);
};

test("a worked example: int3, one absmax a row", () => {
  const q = run([0.5, -2, 1, 0.1, 3, 0, -1.6, -1], [2, 4], "int3:brow");
  expect(q.absmax).toEqual({ kind: "float16", values: Float16Array.of(2, 3) });
  // -1, -2/3, -1/3, 0, 1/3, 2/3, 1 are the codes 0 .. 6.
  expect(codesOf(q)).toEqual(Uint8Array.of(4, 0, 4, 3, 6, 3, 1, 2));
  const third = Math.fround(1 / 3);
  expect(dequantize(q)).toEqual(Float32Array.of(2 * third, -2, 2 * third, 0, 3, 0, -2 * third * 3, -third * 3));
});

test("blocks run over the row-major matrix, straddle rows, and the last is as short as it comes out", () => {
  const weights = normals(3 * 50);
  const q = run(weights, [3, 50], "int4:b16");
  expect(q.blockSize).toBe(16);
  expect(Array.from(expandAbsmax(q))).toEqual(
    Array.from({ length: 10 }, (_, block) =>
      Math.f16round(Math.max(...weights.slice(16 * block, 16 * block + 16).map(Math.abs))),
    ),
  );
});

test("without a block size the whole tensor has one absmax", () => {
  const q = run([1, -8, 2, 4], [2, 2], "int4");
  expect(q.absmax).toEqual({ kind: "float16", values: Float16Array.of(8) });
  expect(q.blockSize).toBe(4);
});

test("codes are chosen against the rounded absmax, not the true one", () => {
  // 2049 is stored as 2048 in float16: 439 is beyond 3/14 of 2048 (438.9) but not of 2049 (439.07).
  const weights = [2049, 439];
  expect(codesOf(run(weights, [1, 2], "int4"))).toEqual(Uint8Array.of(14, 9));
  expect(codesOf(run(weights, [1, 2], "int4:a32"))).toEqual(Uint8Array.of(14, 8));
});

test("blocks of zeros are zeros again, of every type that has 0", () => {
  for (const text of [
    "int4:b16",
    "float4:b16",
    "dynamic4:b16",
    "quantile4:b16",
    "nf4:b16:dq",
    "af4:b16:a32",
    "bnbfp4:b16",
  ]) {
    const weights = new Float32Array(40);
    weights[20] = 1;
    expect(dequantize(run(weights, [4, 10], text)).subarray(0, 16)).toEqual(new Float32Array(16));
    expect(dequantize(run(new Float32Array(40), [4, 10], text))).toEqual(new Float32Array(40));
  }
});

test("an absmax below float16 makes its block zeros, one beyond float16 is refused", () => {
  expect(dequantize(run([2e-8, -1e-8], [1, 2], "int4"))).toEqual(Float32Array.of(0, 0));
  expect(dequantize(run([2e-8, -2e-8], [1, 2], "int4:a32"))).toEqual(Float32Array.of(2e-8, -2e-8));
  // The smallest float16 is 2^-24; a weight beyond it is clipped to it.
  expect(dequantize(run([8e-8, -6e-8], [1, 2], "int4"))).toEqual(Float32Array.of(2 ** -24, -(2 ** -24)));
  expect(() => run([1, 1e5], [1, 2], "int4", { name: "h.1.w" })).toThrow(
    'tensor "h.1.w": the absmax of block 0 (a32 keeps it in float32) is 100000, beyond float16',
  );
  expect(dequantize(run([1, 1e5], [1, 2], "int4:a32"))[1]).toBe(1e5);
});

test("a weight that is not finite is refused with its place, or counts as 0", () => {
  const weights = [1, 2, 3, NaN, Infinity, 6];
  expect(() => run(weights, [2, 3], "int4", { name: "h.0.w" })).toThrow(InputError);
  expect(() => run(weights, [2, 3], "int4", { name: "h.0.w" })).toThrow('tensor "h.0.w": the weight at [1, 0] is NaN');
  const allowed = run(weights, [2, 3], "int4:center", { allowNonfinite: true });
  const zeros = run([1, 2, 3, 0, 0, 6], [2, 3], "int4:center");
  expect(dequantize(allowed)).toEqual(dequantize(zeros));
  const outlier = run(weights, [2, 3], "int4", { allowNonfinite: true, outlierColumns: Uint32Array.of(0, 1) });
  expect(outlier.outliers?.values).toEqual(Float16Array.of(1, 2, 0, 0));
});

test("weights that do not fill the matrix are refused", () => {
  expect(() => run([1, 2], [1, 3], "int4", { name: "w" })).toThrow('tensor "w": 2 weights');
  expect(() => run([], [0, 3], "int4")).toThrow("0 weights");
});

test("outlier columns come back exactly, and leave the absmax of their blocks", () => {
  const weights = normals(8 * 32, 1);
  for (let row = 0; row < 8; row++) weights[row * 32 + 5] = Math.f16round(100 + row);
  const q = run(weights, [8, 32], "int4:b32", { outlierColumns: Uint32Array.of(5, 31) });
  const restored = dequantize(q);
  for (let row = 0; row < 8; row++) {
    expect(restored[row * 32 + 5]).toBe(100 + row);
    expect(restored[row * 32 + 31]).toBe(Math.f16round(weights[row * 32 + 31]));
    const rest = weights.slice(row * 32, row * 32 + 31).map((w, column) => (column === 5 ? 0 : Math.abs(w)));
    expect(expandAbsmax(q)[row]).toBe(Math.f16round(Math.max(...rest)));
  }
});

test("outlier columns take no part in the quantiles and the centers of the rest", () => {
  const weights = normals(64 * 64, 2);
  const without = (text: string) =>
    run(
      weights.filter((_, i) => i % 64 !== 7),
      [64, 63],
      text,
    );
  const spoiled = weights.map((w, i) => (i % 64 === 7 ? 1000 : w));
  for (const text of ["quantile4:a32", "int4:center", "int4:center-median"]) {
    const q = run(spoiled, [64, 64], text, { outlierColumns: Uint32Array.of(7) });
    expect(q.codebook).toEqual(without(text).codebook);
    expect(q.centers).toEqual(without(text).centers);
  }
});

test("a matrix whose columns are all outliers keeps them all", () => {
  const q = run([1, 2, 3, 4], [2, 2], "quantile4:b16:center-block", { outlierColumns: Uint32Array.of(0, 1) });
  expect(dequantize(q)).toEqual(Float32Array.of(1, 2, 3, 4));
});

test.each([
  ["center", [3]],
  ["center-median", [2]],
  ["brow:center-block", [Math.f16round(4 / 3), Math.f16round(14 / 3)]],
] as [string, number[]][])("int8:%s subtracts its centers, rounded to float16", (options, centers) => {
  const weights = [-1, 1, 4, 0, 2 + 1, 11];
  const q = run(weights, [2, 3], `int8:${options}`);
  const expected = options === "center-median" ? [2] : centers; // of -1, 0, 1, 3, 4, 11
  expect(Array.from(q.centers ?? [])).toEqual(expected);
  dequantize(q).forEach((value, i) => {
    expect(Math.abs(value - weights[i])).toBeLessThan(11 / 254);
  });
});

const anySpec = fc
  .tuple(
    fc.constantFrom("int", "float", "dynamic", "quantile", "nf"),
    fc.integer({ min: 2, max: 8 }),
    fc.constantFrom("", ":b16", ":b37", ":b64", ":b512", ":brow"),
    fc.constantFrom("", ":a32", ":dq"),
    fc.constantFrom("", ":center", ":center-median", ":center-block"),
  )
  .map(([type, bits, ...options]) => `${type}${bits}${options.join("")}`);
const anyShape = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70 }));

test("no weight is further off than half the largest gap of its block, and what rounding the scale clips", () => {
  fc.assert(
    fc.property(anySpec, anyShape, fc.integer(), (text, shape, seed) => {
      const weights = normals(shape[0] * shape[1], seed);
      const q = run(weights, shape, text);
      const gaps = q.codebook.map((value, code) => (code === 0 ? value + 1 : value - q.codebook[code - 1]));
      const reach = 1 - q.codebook[q.codebook.length - 1]; // 0 but for quantiles that reach further down than up
      const halfGap = Math.max(...gaps, 2 * gaps[0], 2 * reach) / 2;
      const absmax = expandAbsmax(q);
      dequantize(q).forEach((value, i) => {
        const block = Math.floor(i / q.blockSize);
        const center = q.centers === null ? 0 : q.centers[q.centers.length === 1 ? 0 : block];
        const clipped = Math.max(0, Math.abs(weights[i] - center) - absmax[block]);
        expect(Math.abs(value - weights[i])).toBeLessThanOrEqual(absmax[block] * halfGap + clipped + 1e-5);
      });
    }),
    { numRuns: 200 },
  );
});

test("quantizing a dequantized tensor gives the same codes and scales, for types that have -1 and 1", () => {
  const texts = [
    "int2",
    "int4:b64",
    "float4:e3:b64",
    "float5:b37",
    "nf4:b64",
    "af4:b16",
    "bnbfp4:b64:a32",
    "int8:brow",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...texts), anyShape, fc.integer(), (text, shape, seed) => {
      const once = run(normals(shape[0] * shape[1], seed), shape, text);
      const twice = run(dequantize(once), shape, text);
      expect(twice.codes).toEqual(once.codes);
      expect(twice.absmax).toEqual(once.absmax);
    }),
  );
});

test("ranges quantized apart are the bytes of the whole, whatever the split", () => {
  const weights = normals(512 * 20 + 77, 3);
  for (const text of ["int3:b64", "nf4:b100:a32", "quantile5:b4096:dq", "int8"]) {
    const q = run(weights, [1, weights.length], text);
    const coding = { bits: q.spec.bits, codebook: q.codebook, blockSize: q.blockSize, absmax: expandAbsmax(q) };
    for (const cuts of [[512], [1024, 5120], [512, 1024, 8192, 10240]]) {
      const edges = [0, ...cuts, weights.length];
      const parts = edges.slice(1).map((to, i) => quantizeBlocks(weights, edges[i], to, coding));
      expect(Uint8Array.from(parts.flatMap((part) => [...part]))).toEqual(q.codes);
    }
    expect(() => quantizeBlocks(weights, 100, 612, coding)).toThrow("does not fall on groups of 512");
  }
});

test("absmax measured in ranges is the absmax of the whole", () => {
  const weights = normals(1000, 4);
  const parts = [measureAbsmax(weights, 48, 0, 480), measureAbsmax(weights, 48, 480)];
  expect(parts.flatMap((part) => [...part])).toEqual([...measureAbsmax(weights, 48)]);
});

test("a user's codebook quantizes to its own values", () => {
  const q = run([1, -1, 0.05, 0.3], [1, 4], "file:v.json");
  expect(Array.from(dequantize(q))).toEqual([0.8, -0.9, 0.1, 0.4].map(Math.f16round));
  expect(q.spec.bits).toBe(3);
});

test("double quantization stores a byte a block, a scale every 256 and their mean", () => {
  const weights = normals(64 * 300 + 5, 5, 0.02);
  const q = run(weights, [1, weights.length], "nf4:b64:dq");
  if (q.absmax.kind !== "double") throw new Error(q.absmax.kind);
  const exact = measureAbsmax(weights, 64);
  expect(q.absmax).toMatchObject({ length: 301, codes: { length: 301 }, scales: { length: 2 } });
  expect(q.absmax.offset).toBe(Math.fround(exact.reduce((sum, value) => sum + value, 0) / 301));
  // The 8-bit dynamic type is within 1/128 * 0.9 / 2 of its scale.
  expandScales(q.absmax).forEach((value, block) => {
    const scale = (q.absmax as { scales: Float32Array }).scales[Math.floor(block / 256)];
    expect(Math.abs(value - exact[block])).toBeLessThan(scale * 0.0071);
  });
});

test("a double-quantized absmax is never negative", () => {
  const weights = normals(64 * 256, 6);
  weights.fill(1e-6, 0, 64);
  weights.fill(50, 64, 128);
  const q = run(weights, [256, 64], "int4:b64:dq");
  expect(Math.min(...expandAbsmax(q))).toBeGreaterThanOrEqual(0);
});
