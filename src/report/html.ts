// The report: one HTML file that needs nothing else. The answer first, then the figure that shows it, then everything
// needed to trust and repeat it. It opens from disk, asks no network, and its policy lets no text of a row run.

import type { FailureRow, ResultRow } from "../result.ts";
import { type Answer, type AnswerOptions, answerRows } from "../scaling/answer.ts";
import { type ShownResults, selectShown } from "../scaling/shown.ts";
import { formatCommand, quoteShell } from "./command.ts";
import { renderContrasts } from "./contrasts.ts";
import { renderExperiments } from "./experiments.ts";
import { renderFindings } from "./findings.ts";
import { describeSeries, writeHeadline } from "./headline.ts";
import { createActions, listenToPoints, readyPoints } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import { createRecordIndex } from "./record-index.ts";
import { tabulateRecords } from "./records.ts";
import { saveFigures } from "./save-figure.ts";
import { renderAnswer, renderOtherAnswers, renderProvenance, renderTrace, renderTroubles } from "./sections.ts";
import { readPageRows } from "./source.ts";
import { startTable } from "./table-script.ts";
import { cleanText, escapeHtml, escapeJson } from "./text.ts";
import { renderTimes } from "./times.ts";
import { traceRows } from "./trace.ts";
import { countShown, formatValue } from "./units.ts";
import { listenToZoom } from "./zoom-script.ts";

/** What a report is made of. */
export interface ReportInput {
  /** All that are stored: `options` choose what is shown of them. */
  readonly rows: readonly ResultRow[];
  readonly failures?: readonly FailureRow[];
  /** Default: `k-bit scaling laws of` the families that are shown. */
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
  const { facts = [], options = {} } = input;
  const answers = answerRows(input.rows, options);
  const shown = selectShown(input.rows, input.failures, options);
  const { rows, failures, unstable } = shown;
  const title = input.title ?? nameFamilies(rows);
  const nonce = escapeHtml(input.nonce ?? crypto.randomUUID());
  const reasons = new Map(unstable.map(({ row, reason }) => [row, reason]));
  const [main, ...others] = answers;
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
${renderHeadline(main === undefined ? explainEmpty(input.rows.length, options) : writeHeadline(main))}
${renderFacts(main, shown)}
</header>
<main>
${main === undefined ? "" : `<section aria-label="The answer"><h2 class="unseen">The answer</h2>${renderAnswer(main)}</section>`}
${main === undefined ? "" : renderContrasts(main, answers)}
${renderTimes(rows)}
${renderOtherAnswers(others, otherLimit)}
${renderFindings(rows, rows.length === input.rows.length)}
${renderTroubles(failures, unstable)}
${renderExperiments(rows, reasons)}
${renderProvenance(rows, facts)}
</main>
<footer><p>Made by kbit from the rows above; every number can be recomputed from them. Method: Dettmers and Zettlemoyer, <i>The case for 4-bit precision: k-bit inference scaling laws</i>, 2023.</p></footer>
<div id="tip" role="tooltip" hidden></div>
<div id="said" role="status" aria-live="polite"></div>
<script type="application/json" id="records">${escapeJson(tabulateRecords(rows, reasons))}</script>
<script nonce="${nonce}">${writeScript().replaceAll("</", "<\\/")}</script>
</body>
</html>
`;
}

// The page's functions as text, and the calls that bring it to life.
function writeScript(): string {
  const functions = [
    quoteShell,
    formatCommand,
    formatValue,
    createRecordIndex,
    readPageRows,
    createActions,
    listenToPoints,
    readyPoints,
    startTable,
    listenToZoom,
    saveFigures,
  ];
  return `${functions.map(String).join("\n")}
document.documentElement.classList.add("has-script");
const source = readPageRows(createRecordIndex);
const actions = createActions(source, formatCommand);
listenToPoints(source, actions);
readyPoints(document);
listenToZoom();
saveFigures();
startTable(source, actions, formatValue)();`;
}

/** What is shown of how many results, and the rows that its curves are made of. */
export function renderFacts(answer: Answer | undefined, shown: ShownResults): string {
  const counts = Object.values(countShown(shown)).filter((text) => text !== "");
  const points = answer?.curves.flatMap((curve) => curve.points) ?? [];
  const trace = renderTrace(traceRows(points.map(({ row }) => row)), "the answer");
  const series = answer === undefined ? "" : `${describeSeries(answer)} · `;
  const from = trace === "" ? "" : ` <span class="script-only saves">· rows of this answer ${trace}</span>`;
  return `<p class="facts">${escapeHtml(series + counts.join(", "))}${from}</p>`;
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
