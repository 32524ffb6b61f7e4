// Against bitsandbytes and NumPy, on weights that both sides compute; fixtures/make/formats.py made the golden values.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { expandAbsmax, measureAbsmax } from "../../src/quantize/blocks.ts";
import { buildCodebook } from "../../src/quantize/data-types.ts";
import { unpackCodes } from "../../src/quantize/pack.ts";
import { dequantize, quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";

const golden = JSON.parse(readFileSync(new URL("../fixtures/formats/bitsandbytes.json", import.meta.url), "utf8"));
const spec = (text: string) => parseSpec(text) as QuantizedSpec;

function makeWeights(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const unit = ((i * 2654435761 + 12345) % 2 ** 32) / 2 ** 32 - 0.5;
    return unit * unit * unit;
  });
}

test.each(Object.entries(golden.maps) as [string, number[]][])(
  "the codebook of %s is that of bitsandbytes",
  (text, map) => {
    const codebook = buildCodebook(spec(text));
    expect(codebook.length).toBe(map.length);
    map.forEach((value, code) => {
      // Theirs are computed in float32: torch.linspace (int, nf) is good to an ulp of 1, the others to one of the value.
      const tolerance = 2 ** -23 * (/^(int|nf)/.test(text) ? 1 : Math.abs(value));
      expect(Math.abs(codebook[code] - value)).toBeLessThanOrEqual(tolerance);
    });
  },
);

interface Case {
  readonly spec: string;
  readonly count: number;
  readonly codes: string;
  readonly fastCodes?: string;
  readonly absmax: number[];
  readonly dequantized?: number[];
}

const cases = [...golden.fourBit, ...golden.blockwise] as Case[];
const fromHex = (text: string) => Uint8Array.from(Buffer.from(text, "hex"));

test.each(cases.map((one) => [one.spec, one.count, one] as const))(
  "codes and absmax of %s on %d weights are those of bitsandbytes",
  (text, count, { codes, absmax, dequantized = [] }) => {
    const q = quantize(makeWeights(count), [1, count], spec(text));
    expect(q.absmax).toEqual({ kind: "float32", values: Float32Array.from(absmax) });
    expect(differences(unpackCodes(q.codes, q.spec.bits, count), fromHex(codes))).toEqual([]);
    const tail = dequantize(q).slice(count - dequantized.length);
    expect(tail.map((value) => value + 0)).toEqual(Float32Array.from(dequantized, (value) => value + 0)); // no -0
  },
);

/** Places where two sequences differ, for short messages. */
function differences(actual: ArrayLike<number>, expected: ArrayLike<number>): number[] {
  return Array.from({ length: Math.max(actual.length, expected.length) }, (_, i) => i).filter(
    (i) => actual[i] !== expected[i],
  );
}

// The CPU kernel of bitsandbytes finds codes by a table of 65536 cells over [-1, 1] and is off by up to a cell.
const cell = 2 / 65536;

test.each((golden.blockwise as Case[]).map((one) => [one.spec, one.count, one] as const))(
  "codes of %s on %d weights are at least as near as those of bitsandbytes' fast kernel, and no nearer than its table is fine",
  (text, count, { fastCodes, absmax }) => {
    const weights = makeWeights(count);
    const q = quantize(weights, [1, count], spec(text));
    const fast = fromHex(fastCodes!);
    unpackCodes(q.codes, q.spec.bits, count).forEach((code, i) => {
      const x = weights[i] / absmax[Math.floor(i / q.blockSize)];
      const advantage = Math.abs(q.codebook[fast[i]] - x) - Math.abs(q.codebook[code] - x);
      expect(advantage).toBeGreaterThanOrEqual(0);
      expect(advantage).toBeLessThan(2 * cell);
    });
  },
);

interface Nested {
  readonly count: number;
  readonly block: number;
  readonly scales: number[];
  readonly offset: number;
  readonly absmax: number[];
}

test.each(golden.nested as Nested[])(
  "the double-quantized absmax of $count weights is that of bitsandbytes",
  ({ count, block, scales, offset, absmax }) => {
    const weights = makeWeights(count).map((weight, i) => weight * (1 + (Math.floor(i / block) % 13)));
    const q = quantize(weights, [1, count], spec(`nf4:b${block}:dq`));
    if (q.absmax.kind !== "double") throw new Error(q.absmax.kind);
    // Its mean is a float32 sum, ours a float64 one: they may differ in the last bits, and the scales with them.
    expect(Math.abs(q.absmax.offset - offset)).toBeLessThan(1e-6);
    expect(q.absmax.scales.length).toBe(scales.length);
    q.absmax.scales.forEach((scale, i) => {
      expect(Math.abs(scale - scales[i])).toBeLessThan(1e-6);
    });
    const exact = measureAbsmax(weights, block);
    expandAbsmax(q).forEach((value, i) => {
      const advantage = Math.abs(absmax[i] - exact[i]) - Math.abs(value - exact[i]);
      expect(advantage).toBeGreaterThan(-1e-6);
      expect(advantage).toBeLessThan(2 * cell * scales[Math.floor(i / 256)] + 1e-6);
    });
  },
);

test.each(Object.entries(golden.quantiles.byBits) as [string, number[]][])(
  "the quantiles of quantile%s are NumPy's",
  (bits, quantiles) => {
    const largest = Math.max(...quantiles.map(Math.abs));
    const expected = Float16Array.from([...quantiles.map((value) => value / largest), 0]);
    const codebook = buildCodebook(spec(`quantile${bits}`), makeWeights(golden.quantiles.count));
    expect([...codebook]).toEqual([...new Set(expected)].sort((a, b) => a - b));
  },
);
