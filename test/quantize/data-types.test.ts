import fc from "fast-check";
import { expect, test } from "vitest";
import { buildCodebook, dataTypes } from "../../src/quantize/data-types.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createRandom } from "../../src/tensor/random.ts";

const codebook = (text: string, weights?: Float32Array) => buildCodebook(parseSpec(text) as QuantizedSpec, weights);
const mirror = (positive: number[]) => [...positive.map((x) => -x).reverse(), 0, ...positive];
const float32 = (values: number[]) => Float32Array.from(values);
const normals = (count: number, seed = 0) => {
  const random = createRandom(seed);
  return Float32Array.from({ length: count }, random.normal);
};

// Tables of the paper's data types, worked out by hand from their definitions.
test.each([
  ["int2", [1]],
  ["int3", [1 / 3, 2 / 3, 1]],
  ["int4", [1 / 7, 2 / 7, 3 / 7, 4 / 7, 5 / 7, 6 / 7, 1]],
  ["int5", Array.from({ length: 15 }, (_, i) => (i + 1) / 15)],
  ["int6", Array.from({ length: 31 }, (_, i) => (i + 1) / 31)],
  ["int7", Array.from({ length: 63 }, (_, i) => (i + 1) / 63)],
  ["int8", Array.from({ length: 127 }, (_, i) => (i + 1) / 127)],
  ["float2", [1]],
  ["float3:e2", [0.25, 0.5, 1]],
  ["float3:e1", [1 / 3, 2 / 3, 1]],
  ["float3:e1:bnb", [1 / 12, 2 / 3, 1]],
  ["float3:e1:appendix", [1 / 48, 2 / 3, 1]],
  ["float4:e3", [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]],
  ["float4:e2", [1 / 12, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1]],
  ["float4:e2:bnb", [1 / 48, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1]],
  ["float4:e2:appendix", [1 / 192, 1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 1]],
  ["float4:e1", [1, 2, 3, 4, 5, 6, 7].map((n) => n / 7)],
  ["float4:e1:bnb", [1 / 4, 2 / 4, 3 / 4, 4, 5, 6, 7].map((n) => n / 7)],
  ["float4:e1:appendix", [1 / 16, 2 / 16, 3 / 16, 4, 5, 6, 7].map((n) => n / 7)],
  ["float5:e2", [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28].map((n) => n / 28)],
  ["float5:e2:bnb", [0.25, 0.5, 0.75, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28].map((n) => n / 28)],
  ["float5:e3", [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192].map((n) => n / 192)],
  ["float5:e3:appendix", [1 / 16, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192].map((n) => n / 192)],
  ["bnbfp4", [0.0625, 2, 3, 4, 6, 8, 12].map((n) => n / 12)],
] as [string, number[]][])("%s has its table's values", (text, positive) => {
  expect(codebook(text)).toEqual(float32(mirror(positive)));
});

test("dynamic exponents are not symmetric: +1 exists and -1 does not", () => {
  expect(codebook("dynamic2")).toEqual(float32([-0.55, 0, 0.55, 1]));
  expect(codebook("dynamic3")).toEqual(float32([...mirror([0.055, 0.325, 0.775]), 1]));
  expect(codebook("dynamic4")).toEqual(
    float32([...mirror([0.0055, 0.0325, 0.0775, 0.2125, 0.4375, 0.6625, 0.8875]), 1]),
  );
  const top = Array.from({ length: 8 }, (_, i) => 0.15625 + 0.1125 * i);
  const five = float32([...mirror([0.00055, 0.00325, 0.00775, 0.02125, 0.04375, 0.06625, 0.08875, ...top]), 1]);
  codebook("dynamic5").forEach((value, i) => {
    expect(value).toBeCloseTo(five[i], 6);
  });
  const eight = codebook("dynamic8");
  expect(eight.length).toBe(256);
  expect(eight[0]).toBe(Math.fround(-0.99296875));
  expect([...eight.slice(-3)]).toEqual([0.97890625, 0.99296875, 1].map(Math.fround));
});

test("NF4 is the published table to the last digit", () => {
  expect([...codebook("nf4")]).toEqual([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
  ]);
});

test("AF4 is Yoshida's table", () => {
  expect(codebook("af4")).toEqual(
    float32([
      -1, -0.69441008, -0.51243739, -0.3736951, -0.25607552, -0.14982478, -0.04934812, 0, 0.04273164, 0.12934483,
      0.21961274, 0.31675666, 0.42563882, 0.55496234, 0.72424863, 1,
    ]),
  );
});

test("without weights the quantile types are those of N(0, 1)", () => {
  const expected = mirror([0.09155, 0.185775, 0.285946, 0.396918, 0.527517, 0.698807, 1]);
  codebook("quantile4").forEach((value, i) => {
    expect(Math.abs(value - expected[i])).toBeLessThan(1e-6);
  });
  expect([...codebook("quantile3")].map((value) => value.toFixed(6))).toEqual(
    mirror([0.249862, 0.540281, 1]).map((value) => value.toFixed(6)),
  );
  expect(() => codebook("quantile4:eq6")).toThrow("quantile4:eq6 needs weights");
});

test("quantiles of weights are NumPy's, divided by the largest and rounded to float16", () => {
  // np.quantile([-3, -1, 0.5, 2, 4, 7], [1/6, 1/2, 5/6]) = [-1.33333, 1.25, 4.5]
  const weights = Float32Array.of(2, -3, 7, 0.5, 4, -1);
  const expected = Float16Array.of(-4 / 3 / 4.5, 0, 1.25 / 4.5, 1);
  [...codebook("quantile2", weights)].forEach((value, i) => {
    expect(value).toBe(expected[i]);
  });
});

test("SRAM-Quantiles are the means of the quantiles of whole chunks of 4096 weights", () => {
  const weights = normals(10_000);
  const n = 7;
  const expected = Array.from({ length: n }, (_, i) => {
    const t = Math.floor((255 / (n - 1)) * i);
    const p = 1 / (2 * n) + (t * (1 - 1 / n)) / 255;
    const ofChunk = (from: number) => weights.slice(from, from + 4096).sort()[Math.round(p * 4095)];
    return (ofChunk(0) + ofChunk(4096)) / 2; // the last 1808 weights are skipped
  });
  const largest = Math.max(...expected.map(Math.abs));
  const values = Float16Array.from([...expected.map((x) => x / largest), 0]).sort();
  expect([...codebook("quantile3:sram", weights)]).toEqual([...values]);
});

test("equation 6 averages neighbouring quantiles, and 0 replaces the one nearest to it", () => {
  // Q(i / 5) of 0 .. 10 less 4 is 2i - 4: the means are -3, -1, 1, 3, and -1 is the first of the nearest to 0.
  const weights = Float32Array.from({ length: 11 }, (_, i) => i - 4);
  expect([...codebook("quantile2:eq6", weights)]).toEqual([...Float16Array.of(-1, 0, 1 / 3, 1)]);
});

test("weights that are all alike still have a codebook", () => {
  expect([...codebook("quantile4", new Float32Array(100))]).toEqual([0]);
  expect([...codebook("quantile4", new Float32Array(100).fill(-2))]).toEqual([-1, 0]);
});

test("every legal codebook ascends, lies in [-1, 1], has 0 and at most 2^k values", () => {
  const random = normals(5000, 1);
  for (const [type, { bits, options }] of Object.entries(dataTypes)) {
    if (type === "file") continue;
    for (const k of bits) {
      for (const option of ["", ...Object.keys(options).map((word) => `:${word}`)]) {
        if (/^:e\d/.test(option) && Number(option.slice(2)) >= k) continue;
        const values = codebook(`${type}${k}${option}`, random);
        expect(values.length).toBeGreaterThan(1);
        expect(values.length).toBeLessThanOrEqual(2 ** k);
        expect(values).toContain(0);
        expect(Math.max(...values.map(Math.abs))).toBe(1);
        expect(values.every((value, i) => i === 0 || value > values[i - 1])).toBe(true);
      }
    }
  }
});

test("a codebook known by its hash alone cannot be used", () => {
  expect(() => codebook("file4:0123456789abcdef")).toThrow("known by its hash only");
});

test("quantiles do not depend on the order of the weights", () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (values) => {
      const weights = Float32Array.from(values);
      expect(codebook("quantile5", weights.toReversed())).toEqual(codebook("quantile5", weights));
    }),
  );
});
