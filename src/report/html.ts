// The report: one HTML file that needs nothing else. The answer first, then the figure that shows it, then everything
// needed to trust and repeat it. It opens from disk, asks no network, and its policy lets no text of a row run.

import type { FailureRow, ResultRow } from "../result.ts";
import { type AnswerOptions, answerRows } from "../scaling/answer.ts";
import { findUnstable } from "../scaling/stability.ts";
import { formatCommand, quoteShell } from "./command.ts";
import { renderContrasts } from "./contrasts.ts";
import { renderExperiments } from "./experiments.ts";
import { renderFindings } from "./findings.ts";
import { describeSeries, writeHeadline } from "./headline.ts";
import { runPage } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { tabulateRecords } from "./records.ts";
import { saveFigures } from "./save-figure.ts";
import { renderAnswer, renderOtherAnswers, renderProvenance, renderTroubles } from "./sections.ts";
import { cleanText, escapeHtml, escapeJson } from "./text.ts";
import { formatPlural } from "./units.ts";

/** What a report is made of. */
export interface ReportInput {
  readonly rows: readonly ResultRow[];
  readonly failures?: readonly FailureRow[];
  /** Default: `k-bit scaling laws of` the families. */
  readonly title?: string;
  /** Further lines of provenance, such as the study's name and file: `[name, value]`. */
  readonly facts?: readonly (readonly [string, string])[];
  /** What to compare and how. */
  readonly options?: AnswerOptions;
  /** Secret of the page's script policy; default: random. */
  readonly nonce?: string;
}

/** Series that are drawn besides the first. */
const otherLimit = 40;

/**
 * The report as the text of an HTML file.
 *
 * @throws InputError for an unknown metric in the options
 */
export function renderReport(input: ReportInput): string {
  const { rows, failures = [], facts = [], options = {} } = input;
  const title = input.title ?? nameFamilies(rows);
  const nonce = escapeHtml(input.nonce ?? crypto.randomUUID());
  const answers = answerRows(rows, options);
  const unstable = findUnstable(rows);
  const rowIndex = new Map(rows.map((row, i) => [row, i]));
  const [main, ...others] = answers;
  const counts = [
    formatPlural(rows.length, "experiment"),
    failures.length > 0 ? `${formatPlural(failures.length, "failure")}` : "",
    unstable.length > 0 ? `${unstable.length} unstable` : "",
  ].filter((text) => text !== "");
  const script = `${quoteShell.toString()}\n${formatCommand.toString()}\n(${runPage.toString()})(${formatCommand.name});\n(${saveFigures.toString()})();`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="data:,">
<style>${pageStyle}</style>
</head>
<body>
<header>
<h1><bdi>${escapeHtml(title)}</bdi></h1>
${renderHeadline(main === undefined ? explainEmpty(rows.length, options) : writeHeadline(main))}
<p class="facts">${escapeHtml(main === undefined ? "" : `${describeSeries(main)} · `)}${escapeHtml(counts.join(", "))}</p>
</header>
<main>
${main === undefined ? "" : `<section aria-label="The answer">${renderAnswer(main, rowIndex)}</section>`}
${main === undefined ? "" : renderContrasts(main, answers, rowIndex)}
${renderOtherAnswers(others, rowIndex, otherLimit)}
${renderFindings(rows)}
${renderTroubles(failures, unstable)}
${renderExperiments(rows, new Set(unstable.map(({ row }) => rowIndex.get(row)!)))}
${renderProvenance(rows, facts)}
</main>
<footer><p>Made by kbit from the rows above; every number can be recomputed from them. Method: Dettmers and Zettlemoyer, <i>The case for 4-bit precision: k-bit inference scaling laws</i>, 2023.</p></footer>
<div id="tip" role="tooltip" hidden></div>
<div id="said" role="status" aria-live="polite"></div>
<script type="application/json" id="records">${escapeJson(tabulateRecords(rows))}</script>
<script nonce="${nonce}">${script.replaceAll("</", "<\\/")}</script>
</body>
</html>
`;
}

/** The title of rows that were given none: `k-bit scaling laws of` the families. */
export function nameFamilies(rows: readonly ResultRow[]): string {
  const families = [...new Set(rows.map((row) => row.model.family))];
  if (families.length === 0) return "k-bit scaling laws";
  const named = families.slice(0, 4).map((family) => cleanText(family, 40));
  return `k-bit scaling laws of ${named.join(", ")}${families.length > 4 ? `, and ${families.length - 4} more` : ""}`;
}

/** The first sentence is the answer, large; the rest stands under it. */
export function renderHeadline([answer, ...more]: readonly string[]): string {
  const rest = more.length === 0 ? "" : `\n<p class="answer more">${escapeHtml(more.join(" "))}</p>`;
  return `<p class="answer">${escapeHtml(answer)}</p>${rest}`;
}

/** Why there is no answer, in sentences. */
export function explainEmpty(count: number, options: AnswerOptions): string[] {
  if (count === 0) return ["There are no results yet.", "The report fills as experiments finish."];
  const wanted = options.metric === undefined ? "a metric that curves can be drawn of" : `the metric ${options.metric}`;
  return [`None of the ${count} results has ${wanted} and passes the filters.`];
}
