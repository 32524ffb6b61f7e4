// The sram estimator against an emulation of the kernel that the paper ran; fixtures/make/sram_quantiles.py made the values.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildCodebook } from "../../src/quantize/data-types.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";

interface Row {
  readonly count: number;
  readonly bits: number;
  readonly quantiles: number[];
}

const golden = JSON.parse(readFileSync(new URL("../fixtures/formats/sram-quantiles.json", import.meta.url), "utf8"));

function makeWeights(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const unit = ((i * 2654435761 + 12345) % 2 ** 32) / 2 ** 32 - 0.5;
    return unit * unit * unit;
  });
}

test.each((golden.rows as Row[]).map((row) => [row.bits, row.count, row] as const))(
  "quantile%d:sram on %d weights takes the values that SRAM-Quantiles takes",
  (bits, count, { quantiles }) => {
    const largest = Math.max(...quantiles.map(Math.abs));
    const expected = [...quantiles.map((value) => value / largest), 0].sort((a, b) => a - b);
    const codebook = buildCodebook(parseSpec(`quantile${bits}:sram`) as QuantizedSpec, makeWeights(count));
    // Stored in float16, so equal up to half a unit in its last place (and the order of a float32 sum).
    for (const value of expected) {
      const nearest = Math.min(...[...codebook].map((entry) => Math.abs(entry - value)));
      expect(nearest).toBeLessThanOrEqual(Math.abs(value) * 2 ** -11 + 2 ** -25);
    }
    expect(codebook.length).toBeLessThanOrEqual(expected.length);
  },
);
