// Unstable runs beside those by loss, which curves.test.ts holds: answers at chance, and the paper's cut.

import { expect, test } from "vitest";
import { findUnstable } from "../../src/scaling/stability.ts";
import { makeRow } from "./simulate.ts";

const accuracy = (spec: string, value: number, chance = 0.5) =>
  makeRow({
    spec,
    bitsPerWeight: spec === "fp16" ? 16 : 3,
    total: 1e6,
    task: "piqa",
    metrics: { acc: { value, standardError: 0.02, n: 400, ...(!Number.isNaN(chance) && { chance }) } },
  });

test("answers within their error of chance are unstable where those of 16 bits are above it", () => {
  const rows = [accuracy("fp16", 0.62), accuracy("int3", 0.515), accuracy("nf3", 0.56)];
  expect(findUnstable(rows).map(({ row, reason }) => [row.key.spec, reason])).toEqual([
    ["int3", "Accuracy is no better than chance on piqa."],
  ]);
  expect(findUnstable([accuracy("fp16", 0.51), accuracy("int3", 0.5)])).toEqual([]);
  expect(findUnstable([accuracy("int3", 0.5)])).toEqual([]);
});

test("chance is what the row says, and unknown where it says nothing", () => {
  expect(findUnstable([accuracy("fp16", 0.4, 0.25), accuracy("int3", 0.26, 0.25)])).toHaveLength(1);
  expect(findUnstable([accuracy("fp16", 0.4, 0), accuracy("int3", 0.26, 0)])).toEqual([]);
  expect(findUnstable([accuracy("fp16", 0.9, Number.NaN), accuracy("int3", 0.25, Number.NaN)])).toEqual([]);
});

test("the paper's cut leaves out perplexities above 100 that the excess over 16 bits does not", () => {
  const loss = (spec: string, nll: number) =>
    makeRow({ spec, bitsPerWeight: spec === "fp16" ? 16 : 3, total: 1e6, metrics: { nll } });
  const rows = [loss("fp16", 4.2), loss("int3", 4.7)];
  expect(findUnstable(rows)).toEqual([]);
  expect(findUnstable(rows, { cut: "paper" }).map(({ reason }) => reason)).toEqual([
    "Perplexity is above 100 on perplexity.",
  ]);
});
