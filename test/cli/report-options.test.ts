// What kbit report refuses, with what the store has, and tables that fit a narrow terminal.

import { describe, expect, test } from "vitest";
import { splitBudgets } from "../../src/cli/report.ts";
import { checkOptions } from "../../src/cli/report-options.ts";
import { printStore } from "../../src/cli/study-tables.ts";
import { formatTable } from "../../src/cli/terminal.ts";
import { explainBudgets } from "../../src/report/table.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { simulateStudy } from "../scaling/simulate.ts";

const rows = simulateStudy();
const options = { db: "x.db", count: "all" };

describe("options that match nothing are refused with what the store has", () => {
  test.each([
    [{ metric: "bits_per_byte" }, "--metric bits_per_byte; it has nll, perplexity."],
    [{ metric: "acc" }, "--metric acc; it has nll, perplexity."],
    [{ type: ["flot"] }, "--type flot; did you mean float? It has float."],
    [{ block: ["99"] }, "--block 99; it has 64."],
    [{ data: "a.txt" }, "--data a.txt; it has data "],
  ])("%j", (wrong, message) => {
    expect(() => checkOptions({ ...options, ...wrong }, rows)).toThrow(message);
  });

  test("mixes have no block to name", () => {
    const mixes = rows.map((row) => ({ ...row, key: { ...row.key, spec: "mix:0123456789abcdef" } }));
    expect(() => checkOptions({ ...options, block: ["99"] }, [...mixes, ...rows])).toThrow(/--block 99; it has 64\.$/);
    expect(() => checkOptions({ ...options, block: ["99"] }, mixes)).toThrow(/--block 99; it has none in blocks\.$/);
  });

  test("what is there passes, and so does anything in an empty store", () => {
    checkOptions({ ...options, metric: "nll", type: ["float"], block: ["64"], task: "mean of tasks" }, rows);
    checkOptions({ ...options, type: ["flot"] }, []);
  });
});

test("a narrow terminal gets two tables, with whole specs and notes on columns that are there", () => {
  const long = ":center:embed:head";
  const named = rows.map((row) => ({
    ...row,
    key: { ...row.key, spec: row.bitsPerWeight < 16 ? row.key.spec + long : row.key.spec },
  }));
  const [answer] = answerRows(named);
  const tables = splitBudgets(answer, 80);
  expect(tables.map(([, { columns }]) => columns.map(({ title }) => title))).toEqual([
    ["Budget", "Best that fits", "Spec", "Loss", "Better by"],
    ["Budget", "At equal size"],
  ]);
  for (const [, { columns, rows }] of tables) {
    for (const line of formatTable(columns, rows).split("\n")) expect([...line].length).toBeLessThanOrEqual(80);
  }
  const [[, choices], [, precisions]] = tables;
  expect(choices.rows.map((row) => row[2])).toEqual(answer.budgets.map(({ choice }) => choice!.best.row.key.spec));
  expect(choices.rows.some((row) => row[2].endsWith(long))).toBe(true);
  expect(explainBudgets(answer, choices).join(" ")).toMatch(/Loss in nats a token\. Better by: .* next best/);
  expect(explainBudgets(answer, precisions)[0]).toMatch(/^At equal size: /);
  const [[, wide], ...none] = splitBudgets(answer, 240);
  expect(none).toEqual([]);
  expect(wide.columns).toHaveLength(8);
});

test("study show fits 80 columns and tells texts apart", () => {
  const lines: string[] = [];
  const { write } = process.stdout;
  const { columns } = process.stdout;
  process.stdout.columns = 80;
  process.stdout.write = ((text: string) => lines.push(...text.split("\n"))) as unknown as typeof write;
  try {
    const other = rows.map((row) => ({
      ...row,
      key: { ...row.key, dataHash: "b".repeat(64) },
      paths: { model: "m", data: "b.txt" },
    }));
    printStore([...rows, ...other], []);
  } finally {
    process.stdout.write = write;
    process.stdout.columns = columns;
  }
  expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(80);
  expect(lines[0]).toContain("data");
  expect(lines.filter((line) => line.includes("b.txt"))).toHaveLength(rows.length);
});
