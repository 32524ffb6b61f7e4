import { expect, test } from "vitest";
import { quantize } from "../../src/quantize/quantize.ts";
import { measureSize, nominalBits } from "../../src/quantize/size.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createRandom } from "../../src/tensor/random.ts";

const random = createRandom(0);
const weights = Float32Array.from({ length: 100 * 96 }, random.normal);
const sizeOf = (text: string, outlierColumns?: Uint32Array) =>
  measureSize(quantize(weights, [100, 96], parseSpec(text) as QuantizedSpec, { outlierColumns }));

test("each part is counted in the bits that it is stored in", () => {
  // 9600 weights in 150 blocks of 64.
  const plain = { codebook: 0, outliers: 0, centers: 0 };
  expect(sizeOf("int4:b64")).toEqual({ ...plain, codes: 38400, absmax: 2400, total: 40800 });
  expect(sizeOf("int4:b64:a32")).toEqual({ ...plain, codes: 38400, absmax: 4800, total: 43200 });
  expect(sizeOf("int4:b64:dq")).toEqual({ ...plain, codes: 38400, absmax: 150 * 8 + 32 + 32, total: 39664 });
  expect(sizeOf("int4:brow")).toEqual({ ...plain, codes: 38400, absmax: 1600, total: 40000 });
  expect(sizeOf("int4:b64:center")).toMatchObject({ centers: 16 });
  expect(sizeOf("int4:b64:center-block")).toMatchObject({ centers: 2400 });
});

test("codes take exactly k bits each, padded at the end of the tensor to a byte", () => {
  for (const bits of [2, 3, 4, 5, 6, 7, 8]) expect(sizeOf(`int${bits}`).codes).toBe(Math.ceil((bits * 9600) / 8) * 8);
});

test("a codebook that depends on the data is counted, 16 bits a distinct value", () => {
  const { codebook } = sizeOf("quantile4:b64");
  expect(codebook).toBe(16 * 16);
  expect(sizeOf("nf4:b64").codebook).toBe(0);
});

test("an outlier column costs its number and 16 bits a row", () => {
  expect(sizeOf("int4", Uint32Array.of(1, 5)).outliers).toBe(2 * 32 + 200 * 16);
});

test.each([
  ["int4:b64", 4.25],
  ["int4:b1024", 4.015625],
  ["int4:b64:a32", 4.5],
  ["nf4:b64:dq", 4 + 8 / 64 + 32 / (64 * 256)],
  ["int4:b64:proxy2", 4.49],
  ["int3:b64:proxy2", 3.51],
  ["int4:b64:center-block", 4.5],
  ["int4", 4],
  ["int4:brow", 4],
  ["fp16", 16],
  ["bf16", 16],
  ["fp32", 32],
] as [string, number][])("%s has nominally %d bits a parameter", (text, bits) => {
  expect(nominalBits(parseSpec(text))).toBeCloseTo(bits, 12);
});

test("a row's absmax is shared by its columns", () => {
  expect(nominalBits(parseSpec("int4:brow"), 128)).toBe(4.125);
});
