// The report as Markdown: the sentences and tables of the page, for a README, a notebook or an issue, and its figures as
// SVG files beside it.

import type { ResultRow } from "../result.ts";
import type { Answer } from "../scaling/answer.ts";
import { type AnswerOptions, answerRows } from "../scaling/answer.ts";
import { fitOverBits } from "../scaling/bits-law.ts";
import { selectShown } from "../scaling/shown.ts";
import { findVariants } from "../scaling/variants.ts";
import { drawCurves, drawModels, drawTimes, drawVariants } from "./figure.ts";
import { wide } from "./figure-block.ts";
import { drawFrontier } from "./frontier-figure.ts";
import { describeCount, describeSeries, writeHeadline } from "./headline.ts";
import { explainEmpty, nameFamilies, type ReportInput } from "./html.ts";
import { makePlainSvg } from "./plain-svg.ts";
import {
  explainBudgets,
  explainShares,
  type TextTable,
  tabulateBudgets,
  tabulateFrontier,
  tabulateShares,
} from "./table.ts";
import { cleanText } from "./text.ts";
import { findTimes } from "./times.ts";
import { countShown, formatPlural, formatTime } from "./units.ts";

/** Failures and unstable runs that are listed. */
const troubleLimit = 100;

/** A Markdown file and what it shows. */
export interface MarkdownReport {
  readonly text: string;
  /** Figures as SVG by the name of their file. */
  readonly figures: ReadonlyMap<string, string>;
}

/**
 * The report as a Markdown file (CommonMark with tables).
 *
 * @param folder - where its figures will stand, as the text names them; absent: it has none
 * @throws InputError for an unknown metric in the options
 */
export function renderMarkdown(input: ReportInput, folder?: string): MarkdownReport {
  const { facts = [], options = {} as AnswerOptions } = input;
  const answers = answerRows(input.rows, options);
  const shown = selectShown(input.rows, input.failures, options);
  const { rows, failures, unstable } = shown;
  const [main, ...others] = answers;
  const drawn = folder === undefined ? new Map<string, string>() : drawFigures(main, rows);
  const parts = [`# ${escapeMarkdown(input.title ?? nameFamilies(rows))}`];
  if (main === undefined) parts.push(escapeMarkdown(explainEmpty(input.rows.length, options).join(" ")));
  else parts.push(...writeAnswer(main, (name) => (drawn.has(`${name}.svg`) ? showFigure(name, folder!) : [])));
  if (rows.length > 0) {
    const counts = Object.values(countShown(shown)).filter((text) => text !== "");
    parts.push(escapeMarkdown(`${counts.join(", ")}.`));
  }
  if (drawn.has("time.svg")) parts.push("## Time a token", ...showFigure("time", folder!));
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
  return { text: `${parts.join("\n\n")}\n`, figures: drawn };
}

const figureTitles: Readonly<Record<string, string>> = {
  curves: "The metric against total model bits, one line a precision",
  frontier: "Every measured model and spec, and the steps of the best that fits; colours of precisions as above",
  block: "Block sizes",
  type: "Data types",
  proxy: "Outlier columns in 16 bits",
  bits: "The metric against bits a weight, one line a model",
  time: "Time a token against total model bits",
};

function showFigure(name: string, folder: string): string[] {
  const place = `${folder}/${name}.svg`.split("/").map(encodeURIComponent).join("/");
  return [`![${figureTitles[name]}](${place})`, `*${figureTitles[name]}.*`];
}

/** The figures of the first answer, and of times, by the names of their files. */
function drawFigures(answer: Answer | undefined, rows: readonly ResultRow[]): Map<string, string> {
  const figures = new Map<string, string>();
  const add = (name: string, drawing: string) => figures.set(`${name}.svg`, makePlainSvg(drawing));
  if (answer !== undefined && answer.points.length > 0) {
    add("curves", drawCurves(answer, wide));
    add("frontier", drawFrontier(answer, wide));
    for (const variants of findVariants(answer)) add(variants.choice, drawVariants(variants, answer, wide));
    if (answer.curves.length > 2) add("bits", drawModels(answer, fitOverBits(answer), wide));
  }
  const [times] = findTimes(rows);
  if (times !== undefined) add("time", drawTimes(times.curves, times.shown, wide));
  return figures;
}

function writeAnswer(answer: Answer, show: (name: string) => string[]): string[] {
  const [first, ...more] = writeHeadline(answer).map(escapeMarkdown);
  const parts = [`**${first}**`];
  if (more.length > 0) parts.push(more.join(" "));
  parts.push(
    escapeMarkdown(
      `${describeSeries(answer)}, by ${describeCount(answer.count)}; ${formatPlural(answer.points.length, "point")}.`,
    ),
  );
  if (answer.points.length === 0) return parts;
  parts.push(...show("curves"));
  const budgets = tabulateBudgets(answer, true);
  parts.push("## What to choose for a budget", writeTable(budgets));
  parts.push(escapeMarkdown(explainBudgets(answer, budgets).join(" ")));
  const shares = tabulateShares(answer, true);
  if (shares.rows.length > 0) {
    parts.push("## How often each precision wins", writeTable(shares), escapeMarkdown(explainShares(answer)));
  }
  parts.push("## The frontier of measured choices", ...show("frontier"), writeTable(tabulateFrontier(answer)));
  const contrasts = ["block", "type", "proxy", "bits"].flatMap(show);
  if (contrasts.length > 0) parts.push("## One choice at a time", ...contrasts);
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
