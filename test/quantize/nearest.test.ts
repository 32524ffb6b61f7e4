import fc from "fast-check";
import { expect, test } from "vitest";
import { createNearestTable, encodeNearest } from "../../src/quantize/nearest.ts";

/** The definition: the first of the nearest values, as they ascend. */
function naiveCode(codebook: Float32Array, weight: number, absmax: number): number {
  let best = 0;
  for (let code = 1; code < codebook.length; code++) {
    if (Math.abs(codebook[code] * absmax - weight) < Math.abs(codebook[best] * absmax - weight)) best = code;
  }
  return best;
}

const naiveCodes = (codebook: Float32Array, weights: Float32Array, absmax: number) =>
  Uint8Array.from(weights, (weight) => naiveCode(codebook, weight, absmax));

function encode(codebook: Float32Array, weights: Float32Array, absmax: number): Uint8Array {
  const codes = new Uint8Array(weights.length);
  encodeNearest(weights, 0, weights.length, absmax, createNearestTable(codebook), codes, 0);
  return codes;
}

const distinct = (values: Iterable<number>) => Float32Array.from(new Set(Float32Array.from(values))).sort();
// float16 values, whose sums and products with absmax are exact in float64, so that the naive distances are too.
const half = fc.integer({ min: 0, max: 65535 }).map((word) => new Float16Array(Uint16Array.of(word).buffer)[0]);
const inUnit = half.filter((value) => Math.abs(value) <= 1).map((value) => value + 0);

test("codes are those of the naive search, for any codebook, however narrow its gaps", () => {
  const magnitude = fc.float({ min: Math.fround(1e-6), max: 60000, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(inUnit, { minLength: 1, maxLength: 256 }),
      fc.array(fc.oneof(inUnit, fc.float({ min: -1, max: 1, noNaN: true })), { minLength: 1, maxLength: 50 }),
      magnitude,
      (values, weights, absmax) => {
        const codebook = distinct(values);
        const scaled = Float32Array.from(weights, (x) => x * absmax);
        expect(encode(codebook, scaled, absmax)).toEqual(naiveCodes(codebook, scaled, absmax));
      },
    ),
    { numRuns: 300 },
  );
});

test("a tie goes to the lower value", () => {
  const codebook = Float32Array.of(-1, -0.5, 0, 0.5, 1);
  expect(encode(codebook, Float32Array.of(-1.5, -0.5, 0.5, 1.5), 2)).toEqual(Uint8Array.of(0, 1, 2, 3));
});

test("weights around every midpoint fall on the right side of it", () => {
  const codebook = distinct([-1, -0.3, -1e-7, 0, 1e-7, 0.001, 0.3, 0.30001, 1]);
  const table = createNearestTable(codebook);
  for (const midpoint of table.midpoints.slice(0, -1)) {
    const around = Float32Array.of(midpoint * (1 - 1e-6), midpoint * (1 + 1e-6));
    expect(encode(codebook, around, 1)).toEqual(naiveCodes(codebook, around, 1));
  }
});

test("weights beyond the codebook take its ends", () => {
  expect(encode(Float32Array.of(-0.5, 0, 0.25), Float32Array.of(-9, 9), 1)).toEqual(Uint8Array.of(0, 2));
});

test("with absmax 0 every weight has the code of the value nearest to 0", () => {
  expect(encode(Float32Array.of(-1, 0, 1), Float32Array.of(-1e-9, 0, 1e-9), 0)).toEqual(Uint8Array.of(1, 1, 1));
  expect(encode(Float32Array.of(-1, -0.25, 0.5), Float32Array.of(0, 5), 0)).toEqual(Uint8Array.of(1, 1));
  expect(encode(Float32Array.of(-1, 1), Float32Array.of(0), 0)).toEqual(Uint8Array.of(0));
});
