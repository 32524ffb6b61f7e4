// Rows for the tests of exported files: with every field, and numbers that files like to lose.

import type { ResultRow } from "../../../src/result.ts";
import { makeRow } from "../rows.ts";

export const fullRow = makeRow(3, {
  model: { ...makeRow(3).model, name: 'a "model", with\nmarks', trainingTokens: 24_200_000, seed: 0 },
  metrics: {
    acc: { value: 0.1 + 0.2, standardError: 1 / 3, n: 25, chance: 0.25 },
    perplexity: { value: Infinity, standardError: NaN, n: 5 },
    "exact_match,flexible-extract": { value: -0, n: 1 },
  },
  documents: {
    acc: { values: Float32Array.of(1, 0, -0, 0.1, NaN, Infinity, 1e-45, 3.4e38) },
    nll: { values: Float32Array.of(2.5, 3.25), weights: Float32Array.of(255, 17) },
  },
  paths: { model: "models/x", data: "text.txt", task: "my-task.json" },
  imported: "lm-eval 0.4.13, results.json",
});
export const rows = [
  makeRow(1),
  makeRow(2),
  fullRow,
  makeRow(4, { documents: { perplexity: { values: new Float32Array(3) } } }),
];
/** The bits of every number of a row, so that -0 and 0 are two and NaN is itself. */
export function bitsOf(row: ResultRow): unknown {
  const bits = (value: unknown): unknown => {
    if (typeof value === "number") return Buffer.from(Float64Array.of(value).buffer).toString("hex");
    if (value instanceof Float32Array)
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, bits(inner)]),
    );
  };
  return bits(row);
}
