// What a report counts: stored results that pass the filters, the same in the terminal, on the page and as Markdown.

import { expect, test } from "vitest";
import { renderReport } from "../../src/report/html.ts";
import { renderMarkdown } from "../../src/report/markdown.ts";
import { countShown } from "../../src/report/units.ts";
import { selectShown } from "../../src/scaling/shown.ts";
import { simulateStudy } from "./simulate.ts";

const tasks = ["perplexity", "piqa", "winogrande"];
const study = (family: string) => simulateStudy({ family, tasks, precisions: [2, 4, 16], fragility: 9 });
const rows = [...study("cats"), ...study("dogs")]; // 54 results each; 2 bits are unstable, on every task
const failure = (model: string, task: string) => ({ model, spec: "int4", task, reason: "broken", date: rows[0].date });

test("all results without filters; a mean is none of its own", () => {
  const shown = selectShown(rows);
  expect(countShown(shown)).toEqual({ results: "108 results", failures: "", unstable: "36 unstable and left out" });
});

test("those that pass the filters, of the mean of tasks those that it is made of, unstable by all results", () => {
  const count = (options: Parameters<typeof selectShown>[2]) => {
    const { rows: some, unstable } = selectShown(rows, [], options);
    return [some.length, unstable.length];
  };
  expect(count({ family: "cats" })).toEqual([54, 18]);
  expect(count({ family: "cats", task: "piqa" })).toEqual([18, 6]); // piqa alone does not say what is unstable
  expect(count({ task: "mean of tasks" })).toEqual([72, 24]);
  expect(count({ metric: "nll" })).toEqual([36, 12]);
  expect(count({ types: ["int"] })).toEqual([36, 0]); // 16 bits
});

test("failures of other families and tasks are not counted; those of models without results are", () => {
  const failures = [failure("cats-1.0m", "piqa"), failure("dogs-1.0m", "piqa"), failure("new", "perplexity")];
  const names = (options: Parameters<typeof selectShown>[2]) =>
    selectShown(rows, failures, options).failures.map((one) => one.model);
  expect(names({})).toHaveLength(3);
  expect(names({ family: "cats" })).toEqual(["cats-1.0m", "new"]);
  expect(names({ family: "dogs", task: "piqa" })).toEqual(["dogs-1.0m"]);
});

test("page and Markdown have the title and the counts of what they show", () => {
  const input = { rows, options: { family: "cats" } };
  const counts = "54 results of the 108 stored, 18 unstable and left out";
  const page = renderReport(input);
  expect(page).toContain("<title>k-bit scaling laws of cats</title>");
  expect(page).toContain(counts);
  expect(page).not.toContain("dogs");
  const { text } = renderMarkdown(input);
  expect(text.startsWith("# k-bit scaling laws of cats\n")).toBe(true);
  expect(text).toContain(`\n${counts}.\n`);
  expect(text).not.toContain("dogs");
});
