// What rows differ in when they differ in one choice only.

import { expect, test } from "vitest";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { findVariants } from "../../src/scaling/variants.ts";
import { makeRow, simulateStudy } from "./simulate.ts";

const find = (rows: readonly ResultRow[]) => findVariants(answerRows(rows)[0]);

/** Rows of three models for each spec; the loss grows with the place of the spec in the list. */
function makeRows(specs: readonly string[], models = 3): ResultRow[] {
  return specs.flatMap((spec, place) => {
    const bitsPerWeight = Number(/\d/.exec(spec)![0]);
    return Array.from({ length: models }, (_, i) => {
      const total = 8e6 * 2 ** i + place;
      return makeRow({ model: `m${i}`, spec, bitsPerWeight, total, metrics: { nll: 3 - i / 2 + place / 100 } });
    });
  });
}

test("block sizes, data types and outlier columns are found where only they differ", () => {
  const specs = [
    "int4:b64",
    "int4:b256",
    "int4:brow",
    "nf4:b64",
    "float4:e2:ieee:b64",
    "nf4:b64:proxy2",
    "nf4:b64:proxy2-self",
  ];
  const found = find(makeRows(specs));
  expect(found.map(({ choice, common, lines }) => [choice, common, lines.map(({ label }) => label)])).toEqual([
    ["block", "int", ["64", "256", "a row"]],
    ["type", "b64", ["int", "nf", "float e2"]],
    ["proxy", "nf:b64", ["none in 16 bits", "2 % in 16 bits", "2 % in 16 bits (own columns)"]],
  ]);
  for (const { lines } of found) {
    for (const { points } of lines) {
      expect(points).toHaveLength(3);
      expect(points.map(({ bits }) => bits)).toEqual(points.map(({ bits }) => bits).toSorted((a, b) => a - b));
    }
  }
});

test("of two precisions with as many points the one nearest to 4 bits is taken, else the one with more", () => {
  const both = makeRows(["int4:b64", "int4:b256", "int7:b64", "int7:b256"]);
  expect(find(both).map((one) => one.bitsPerWeight)).toEqual([4]);
  expect(find([...both, ...makeRows(["int7:b1024"])]).map((one) => one.bitsPerWeight)).toEqual([7]);
});

test("outlier columns are shown at 3 bits where both were measured, beside 4 bits without any", () => {
  const specs = ["float3:e2:b64", "float3:e2:b64:proxy2", "float4:e3:b64", "float4:e3:b64:proxy2", "float4:e3:b128"];
  const [proxy] = find(makeRows(specs)).filter(({ choice }) => choice === "proxy");
  expect([proxy.bitsPerWeight, proxy.lines.length]).toEqual([3, 2]);
  expect(proxy.oneBitMore!.map(({ row }) => row.key.spec)).toEqual(Array(3).fill("float4:e3:b64"));
  const [alone] = find(makeRows(specs.slice(0, 2)));
  expect("oneBitMore" in alone).toBe(false);
});

test("nothing is compared that differs in two choices, or on a single model, or is not quantized", () => {
  expect(find(makeRows(["int4:b64", "nf4:b256"]))).toEqual([]);
  expect(find(makeRows(["int4:b64", "int3:b256"]))).toEqual([]);
  expect(find(makeRows(["int4:b64", "int4:b256"], 1))).toEqual([]);
  expect(find(makeRows(["fp16", "bf16"]))).toEqual([]);
  expect(find(makeRows(["int4:b64", "int4:b256:dq"]))).toEqual([]);
});

test("every point of a line is a row of that very choice", () => {
  const rows = simulateStudy({ types: ["int", "float", "quantile"], blocks: [32, 64, 1024] });
  const [blocks, types] = find(rows);
  for (const { label, points } of blocks.lines)
    for (const { row } of points) expect(row.key.spec).toMatch(new RegExp(`:b${label}$`));
  expect(types.lines.map(({ label }) => label.split(" ")[0])).toEqual(["quantile", "float", "int"]); // as simulated, best first
  for (const { label, points } of types.lines) {
    for (const { row } of points) expect(row.key.spec.startsWith(label.split(" ")[0])).toBe(true);
  }
});
