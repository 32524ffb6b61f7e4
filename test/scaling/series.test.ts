// Which rows stand together: families and tokenizers of one size each, texts, and metrics of two names.

import { describe, expect, test } from "vitest";
import { explainAnswer, writeHeadline } from "../../src/report/headline.ts";
import { tabulateShares } from "../../src/report/table.ts";
import type { ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { simulateStudy } from "./simulate.ts";

/** One size of a family, with bits a byte. */
function oneSize(family: string, size: number, key: Partial<ResultRow["key"]> = {}): ResultRow[] {
  return simulateStudy({ family, sizes: [size], precisions: [4, 8, 16] }).map((row) => ({
    ...row,
    key: { ...row.key, ...key },
    metrics: { ...row.metrics, bitsPerByte: { ...row.metrics["nll"], value: row.metrics["nll"].value / 2 } },
  }));
}
const two = [...oneSize("cats", 1e6), ...oneSize("dogs", 2e6)];

describe("families of one size each", () => {
  test("stand together by bits a byte, and that is said", () => {
    const answers = answerRows(two);
    expect(answers).toHaveLength(1);
    expect(answers[0].series).toMatchObject({
      family: "all models",
      metric: { name: "bitsPerByte" },
      across: { models: 2, families: 2, tokenizers: 2 },
    });
    expect(writeHeadline(answers[0])[0]).toContain("bits give the lowest loss a byte on the text at equal size");
    expect(explainAnswer(answers[0])[0]).toContain("a loss a token cannot be compared across their 2 tokenizers");
    expect(answerRows(two, { metric: "bitsPerByte" })).toHaveLength(1);
  });

  test("stay apart by a metric of tokens, which says why and what to do", () => {
    const answers = answerRows(two, { metric: "nll" });
    expect(answers.map((one) => one.series.family).sort()).toEqual(["cats", "dogs"]);
    const [first, why] = writeHeadline(answers[0]);
    expect(first).toMatch(/^The best measured loss on the text is .*: only one model size of (cats|dogs) was measured/);
    expect(why).toContain("2 families and 2 tokenizers");
    expect(why).toContain("--metric bitsPerByte");
    expect(tabulateShares(answers[0]).rows).toEqual([]);
  });

  test("stand together by loss where they share a tokenizer", () => {
    const tokenizerHash = "7".repeat(64);
    const rows = [...oneSize("cats", 1e6, { tokenizerHash }), ...oneSize("dogs", 2e6, { tokenizerHash })];
    expect(answerRows(rows)[0].series).toMatchObject({ family: "all models", metric: { name: "nll" } });
  });

  test("read the whole text in windows of their own, but its first windows only alike", () => {
    const profile = "windows-512-stride-512";
    const [whole] = answerRows([...oneSize("cats", 1e6), ...oneSize("dogs", 2e6, { profile })]);
    expect(whole.series.across?.profiles).toHaveLength(2);
    expect(explainAnswer(whole).join(" ")).toContain("different windows");
    const limit = 5;
    const answers = answerRows([...oneSize("cats", 1e6, { limit }), ...oneSize("dogs", 2e6, { limit })]);
    expect(answers.map((one) => one.series.family).sort()).toEqual(["cats", "dogs"]);
    expect(explainAnswer(answers[0]).join(" ")).toContain("a loss a token cannot be compared");
  });

  test("do not stand together where a family has two sizes", () => {
    const books = simulateStudy({ sizes: [1e6, 3e6], precisions: [4, 16] });
    expect(answerRows([...two, ...books]).map((one) => one.series.family)).toEqual(["books", "cats", "dogs"]);
  });
});

test("bits a byte of the harness are bits a byte", () => {
  const rows = simulateStudy({ sizes: [1e6, 3e6], tasks: ["wikitext"] }).map((row) => ({
    ...row,
    metrics: { bits_per_byte: { value: 1 - 1e-9 * row.bits.total, n: 9 } },
  }));
  expect(answerRows(rows)[0].series.metric.name).toBe("bitsPerByte");
  expect(() => answerRows(rows, { metric: "bits_per_byte" })).toThrow("did you mean bitsPerByte");
});
