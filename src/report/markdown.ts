// The report as Markdown: the sentences and tables of the page, for a README, a notebook or an issue. Figures stay in the page.

import type { Answer } from "../scaling/answer.ts";
import { type AnswerOptions, answerRows, listUnstable } from "../scaling/answer.ts";
import { describeCount, describeSeries, writeHeadline } from "./headline.ts";
import { explainEmpty, nameFamilies, type ReportInput } from "./html.ts";
import {
  explainBudgets,
  explainShares,
  type TextTable,
  tabulateBudgets,
  tabulateFrontier,
  tabulateShares,
} from "./table.ts";
import { cleanText } from "./text.ts";
import { formatPlural, formatTime } from "./units.ts";

/** Failures and unstable runs that are listed. */
const troubleLimit = 100;

/**
 * The report as the text of a Markdown file (CommonMark with tables).
 *
 * @throws InputError for an unknown metric in the options
 */
export function renderMarkdown(input: ReportInput): string {
  const { rows, failures = [], facts = [], options = {} as AnswerOptions } = input;
  const answers = answerRows(rows, options);
  const unstable = listUnstable(rows);
  const [main, ...others] = answers;
  const parts = [`# ${escapeMarkdown(input.title ?? nameFamilies(rows))}`];
  if (main === undefined) parts.push(escapeMarkdown(explainEmpty(rows.length, options).join(" ")));
  else parts.push(...writeAnswer(main));
  if (others.length > 0) parts.push("## Other families, tasks and conditions", writeOthers(others));
  const troubles: (readonly string[])[] = [
    ...failures.map((one) => ["failed", one.model, one.spec, one.task, one.reason]),
    ...unstable.map(({ row, reason }) => ["unstable", row.model.name, row.key.spec, row.key.task, reason]),
  ];
  if (troubles.length > 0) {
    const titles = ["", "Model", "Spec", "Task", "Reason"];
    const columns = titles.map((title) => ({ title, align: "left" as const }));
    parts.push("## Left out", writeTable({ columns, rows: troubles.slice(0, troubleLimit) }));
    if (troubles.length > troubleLimit) parts.push(`The first ${troubleLimit} of ${troubles.length}.`);
  }
  const dates = rows.map((row) => row.date).sort();
  const measured =
    rows.length === 0 ? [] : [["Measured", `${formatTime(dates[0])} to ${formatTime(dates[dates.length - 1])} UTC`]];
  const machines = [...new Set(rows.map((row) => `${row.machine}, kbit ${row.kbit}`))].slice(0, 12);
  const list = [...facts, ...measured, ...machines.map((machine) => ["Machine", machine])];
  if (list.length > 0) {
    parts.push("## Provenance", list.map(([name, value]) => `- ${escapeMarkdown(`${name}: ${value}`)}`).join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

function writeAnswer(answer: Answer): string[] {
  const [first, ...more] = writeHeadline(answer).map(escapeMarkdown);
  const parts = [`**${first}**`];
  if (more.length > 0) parts.push(more.join(" "));
  parts.push(
    escapeMarkdown(
      `${describeSeries(answer)}, by ${describeCount(answer.count)}; ${formatPlural(answer.points.length, "point")}.`,
    ),
  );
  if (answer.points.length === 0) return parts;
  const budgets = tabulateBudgets(answer, true);
  parts.push("## What to choose for a budget", writeTable(budgets));
  parts.push(escapeMarkdown(explainBudgets(answer, budgets).join(" ")));
  const shares = tabulateShares(answer, true);
  if (shares.rows.length > 0) {
    parts.push("## How often each precision wins", writeTable(shares), escapeMarkdown(explainShares(answer)));
  }
  parts.push("## The frontier of measured choices", writeTable(tabulateFrontier(answer)));
  return parts;
}

function writeOthers(answers: readonly Answer[]): string {
  const lines = answers.map(
    (answer) => `- ${escapeMarkdown(describeSeries(answer))}: ${escapeMarkdown(writeHeadline(answer)[0])}`,
  );
  return lines.join("\n");
}

function writeTable({ columns, rows }: TextTable): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(columns.map((column) => escapeMarkdown(column.title))),
    line(columns.map((column) => (column.align === "right" ? "---:" : "---"))),
    ...rows.map((row) => line(columns.map((_, j) => escapeMarkdown(row[j] ?? "")))),
  ].join("\n");
}

/** A text as it is: no mark of Markdown or HTML in it means anything, and it stays on its line. */
export function escapeMarkdown(text: string): string {
  return cleanText(text, 500)
    .replace(/[\\`*_[\]<>|#~$]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replace(/(https?|ftp)(:)/gi, "$1&#58;")
    .replace(/www\./gi, "www&#46;")
    .replace(/@/g, "&#64;");
}
