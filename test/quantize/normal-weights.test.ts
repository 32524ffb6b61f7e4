// Against bitsandbytes on normal weights at every block size; fixtures/make/normal_weights.py made the golden values.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { expandAbsmax } from "../../src/quantize/blocks.ts";
import { unpackCodes } from "../../src/quantize/pack.ts";
import { dequantize, quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";

interface Row {
  readonly spec: string;
  readonly count: number;
  readonly codes: string;
  readonly absmax?: string;
  readonly absmaxCodes?: string;
  readonly absmaxScales?: string;
  readonly offset?: number;
  readonly dequantized?: string;
}

const read = (file: string) => readFileSync(new URL(`../fixtures/formats/${file}`, import.meta.url));
const rows: Row[] = JSON.parse(read("normal.json").toString()).rows;
const weights = new Float32Array(new Uint8Array(read("normal.bin")).buffer);
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
const floats = (text: string) => new Float32Array(bytes(text).buffer);

test.each(rows.map((row) => [row.spec, row.count, row] as const))(
  "%s on %d normal weights is what bitsandbytes makes of them",
  (text, count, row) => {
    const part = weights.subarray(0, count);
    const q = quantize(part, [1, count], parseSpec(text) as QuantizedSpec);
    const absmax = expandAbsmax(q);
    if (row.absmax) expect(absmax).toEqual(floats(row.absmax));

    const theirs = bytes(row.codes);
    const codes = unpackCodes(q.codes, q.spec.bits, count);
    const distance = (code: number, i: number) =>
      Math.abs(q.codebook[code] - part[i] / absmax[Math.floor(i / q.blockSize)]);
    let different = 0;
    theirs.forEach((code, i) => {
      if (code === codes[i]) return;
      different++;
      // bitsandbytes multiplies by 1 / absmax in float32; where two values are equally near, either may be taken. Its
      // codes are chosen by the exact absmax, ours of a double-quantized tensor by the stored one.
      if (row.absmax) expect(Math.abs(distance(code, i) - distance(codes[i], i))).toBeLessThan(2 ** -22);
    });
    expect(different).toBeLessThanOrEqual(row.absmax ? 2 : count / 50);

    if (row.offset !== undefined) {
      if (q.absmax.kind !== "double") throw new Error(q.absmax.kind);
      expect(Math.abs(q.absmax.offset - row.offset)).toBeLessThan(1e-8);
      expect(Math.abs(q.absmax.scales[0] - floats(row.absmaxScales!)[0])).toBeLessThan(1e-8);
      const steps = bytes(row.absmaxCodes!);
      q.absmax.codes.forEach((code, i) => {
        expect(Math.abs(code - steps[i])).toBeLessThanOrEqual(1); // its CPU kernel may take the second nearest
      });
    }
    if (row.dequantized) {
      const expected = floats(row.dequantized);
      const tolerance = row.absmax ? 1e-8 : 2e-4; // a neighbouring code of absmax
      dequantize(q).forEach((value, i) => {
        if (theirs[i] === codes[i]) expect(Math.abs(value - expected[i])).toBeLessThanOrEqual(tolerance);
      });
    }
  },
);
