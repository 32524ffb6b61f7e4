// The report as Markdown: the page's sentences and tables, in which no text of a row means anything.

import { expect, test } from "vitest";
import { writeHeadline } from "../../src/report/headline.ts";
import { escapeMarkdown, renderMarkdown } from "../../src/report/markdown.ts";
import { tabulateBudgets } from "../../src/report/table.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { makeRow, simulateStudy } from "../scaling/simulate.ts";

test("begins with the answer and has every table of the page with the same cells", () => {
  const rows = simulateStudy({ tasks: ["perplexity", "piqa"] });
  const { text, figures } = renderMarkdown({ rows, title: "A study", facts: [["Store", "results.db"]] });
  expect([figures.size, text.includes("![")]).toEqual([0, false]);
  const [main, other] = answerRows(rows);
  expect(text.startsWith(`# A study\n\n**${writeHeadline(main)[0]}**\n`)).toBe(true);
  expect(text).toContain(`- books, piqa (accuracy): ${writeHeadline(other)[0]}`);
  expect(text).toContain("- Store: results.db");
  const lines = text.split("\n");
  const start = lines.indexOf("## What to choose for a budget") + 2;
  const table = tabulateBudgets(main, true);
  expect(lines[start + 1]).toMatch(/^\|( -{3}:? \|)+$/);
  table.rows.forEach((row, i) => {
    const cells = lines[start + 2 + i].slice(2, -2).split(" | ");
    expect(cells).toEqual(table.columns.map((_, j) => escapeMarkdown(row[j] ?? "")));
  });
});

test("nothing that a row says becomes markup, a link, a mention or another line", () => {
  const hostile = "<img src=x>|`a`\n# b [c](https://example.com) *d* _e_ ~f~ @g &lt; \u202e";
  const escaped = escapeMarkdown(hostile);
  expect(escaped).not.toMatch(/(?<!\\)[<>|`*_~[\]]|\n|\u202e|https:|@/);
  expect(escaped).not.toContain("&lt;");
  const rows = [8e6, 16e6].map((total) =>
    makeRow({ model: `${hostile}${total}`, family: hostile, spec: hostile, total, metrics: { nll: 8e6 / total } }),
  );
  const failures = [{ model: hostile, spec: hostile, task: hostile, reason: hostile, date: rows[0].date }];
  const { text } = renderMarkdown({ rows, failures });
  expect(text).not.toMatch(/(?<!\\)<|(?<!\\)\]\(|\u202e|https:/);
  const columns = (line: string) => line.split(/(?<!\\)\|/).length;
  for (const part of text.split("\n\n").filter((one) => one.startsWith("|"))) {
    expect(new Set(part.split("\n").map(columns)).size).toBe(1);
  }
});

test("its figures are SVG files of their own, which every viewer can draw, and the text shows each once", () => {
  const rows = simulateStudy({ blocks: [64, 256], types: ["int", "float"] });
  const { text, figures } = renderMarkdown({ rows }, "my report");
  expect([...figures.keys()]).toEqual(["curves.svg", "frontier.svg", "block.svg", "type.svg", "bits.svg"]);
  const shown = [...text.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, place]) => place);
  expect(shown).toEqual([...figures.keys()].map((name) => `my%20report/${name}`));
  for (const svg of figures.values()) {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /);
    expect(svg).not.toMatch(/var\(--|class=|data-|<script|NaN/);
    expect(svg).toContain('<rect width="760" height="500" fill="#fff"></rect>');
  }
  expect(figures.get("curves.svg")).toContain("#cb3742"); // 4 bits
});

test("an empty store is a sentence", () => {
  expect(renderMarkdown({ rows: [] }).text).toBe(
    "# k-bit scaling laws\n\nThere are no results yet. The report fills as experiments finish.\n",
  );
});
