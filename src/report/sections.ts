// The page's sections as HTML: answers with their figures and tables, failures, experiments, provenance.
// Every text of a row passes through escapeHtml.

import type { FailureRow, ResultRow } from "../result.ts";
import type { Answer } from "../scaling/answer.ts";
import { modelKey } from "../scaling/series.ts";
import type { UnstableRow } from "../scaling/stability.ts";
import { colorOf } from "./colors.ts";
import { describeErrors, drawCurves } from "./figure.ts";
import { renderFigure, wide } from "./figure-block.ts";
import { createFrame } from "./frame.ts";
import { drawFrontier } from "./frontier-figure.ts";
import { describeCount, describeSeries, writeHeadline } from "./headline.ts";
import {
  budgetTitles,
  cutBudgets,
  explainBudgets,
  explainShares,
  type TextTable,
  tabulateBudgets,
  tabulateFrontier,
  tabulateShares,
} from "./table.ts";
import { cleanText, escapeHtml } from "./text.ts";
import { formatCount, formatPlural, formatPrecision, formatTime } from "./units.ts";
import { isInView } from "./view.ts";

/**
 * Figures and tables of one answer.
 *
 * @param isBrief - without the frontier
 */
export function renderAnswer(answer: Answer, isBrief = false): string {
  if (answer.points.length === 0) return "";
  const { label } = answer.series.metric;
  const frame = createFrame(answer, wide);
  const drawn = answer.curves.flatMap((curve) => curve.points);
  const inView = drawn.filter((point) => isInView(frame, point.value));
  const errors = describeErrors(inView, answer.series.metric);
  const bands = errors === undefined ? "" : ` Bands are ${errors}.`;
  return `
${renderFigure({
  name: "curves",
  series: answer.series,
  draw: (size) => drawCurves(answer, size),
  caption: `<b>${escapeHtml(capitalize(label))} against ${describeCount(answer.count)}</b> of the ${escapeHtml(answer.series.family)} models on ${escapeHtml(answer.series.task)}. One line a precision, one point a model at its best spec of that precision for its bits; straight between models over log bits, and nothing beyond them.${bands}`,
  lines: answer.curves.map(({ bitsPerWeight, points }) => ({ label: formatPrecision(bitsPerWeight), points })),
})}
${renderBudgets(answer)}
${renderShares(answer)}
${isBrief ? "" : renderFrontier(answer)}`;
}

function renderBudgets(answer: Answer): string {
  const told = new Set<string>();
  const tables = cutBudgets(tabulateBudgets(answer, true)).map((table, i) => {
    if (table === null) return "";
    const notes = explainBudgets(answer, table).filter((note) => !told.has(note));
    for (const note of notes) told.add(note);
    const lines = notes.map((note) => `<p class="note">${escapeHtml(note)}</p>`);
    return `<h3>${budgetTitles[i]}</h3>\n${renderTable(table, `${budgetTitles[i]}, a line a budget`)}\n${lines.join("\n")}`;
  });
  return tables.join("\n");
}

function renderFrontier(answer: Answer): string {
  const { label } = answer.series.metric;
  return `<h3>The frontier of measured choices</h3>
${renderFigure({
  name: "frontier",
  series: answer.series,
  draw: (size) => drawFrontier(answer, size),
  caption: `<b>Every measured model and spec</b>; the steps join those that no smaller one equals: the best ${escapeHtml(label)} that can be had within a size. A name stands where the best model changes.`,
  keys: renderKeys(answer),
  lines: [{ label: "frontier", points: answer.frontier }],
})}
${renderFrontierTable(answer)}`;
}

function renderShares(answer: Answer): string {
  const shares = tabulateShares(answer, true);
  if (shares.rows.length === 0) return "";
  return `<h3>How often each precision wins</h3>
${renderTable(shares, "Share of budgets at which each precision is best")}
<p class="note">${escapeHtml(explainShares(answer))} The precision’s own range is the part of the latter that it was measured around.</p>`;
}

/** Of more answers than this the frontiers are left out, which would make most of the page. */
const mostWhole = 8;

/** Answers after the first, folded. */
export function renderOtherAnswers(answers: readonly Answer[], limit: number): string {
  if (answers.length === 0) return "";
  const shown = answers.slice(0, limit);
  const isBrief = answers.length > mostWhole;
  const left = answers.length - shown.length;
  const items = shown.map(
    (
      answer,
    ) => `<details><summary>${escapeHtml(describeSeries(answer))} <span>${escapeHtml(writeHeadline(answer)[0])}</span></summary>
${renderAnswer(answer, isBrief)}</details>`,
  );
  const brief = isBrief
    ? '<p class="note">Their frontiers are left out here; kbit ui, or kbit report with --family and --task, shows them.</p>'
    : "";
  const rest = left > 0 ? `<p class="note">${formatCount(left)} more are in the rows below but not drawn.</p>` : "";
  return `<section><h2>Other families, tasks and conditions</h2>${items.join("\n")}${rest}${brief}</section>`;
}

/** Longer lists are folded. */
const mostOpen = 30;

/** Failed and unstable experiments with their reasons. */
export function renderTroubles(failures: readonly FailureRow[], unstable: readonly UnstableRow[]): string {
  if (failures.length + unstable.length === 0) return "";
  const limit = 500;
  const table = (title: string, lines: readonly (readonly string[])[]) => {
    if (lines.length === 0) return "";
    const cells = lines
      .slice(0, limit)
      .map(
        ([model, spec, task, reason]) =>
          `<tr>${[model, spec, task].map((text) => `<td class="long" title="${escapeHtml(text)}"><bdi>${escapeHtml(text)}</bdi></td>`).join("")}<td class="wrap"><bdi>${escapeHtml(reason)}</bdi></td></tr>`,
      );
    const tag = lines.length > mostOpen ? "details" : "div";
    const summary =
      lines.length > mostOpen
        ? `<summary>${title} <span>${formatCount(lines.length)}</span></summary>`
        : `<h3>${title}</h3>`;
    const more = lines.length > limit ? `<p class="note">The first ${limit} of ${formatCount(lines.length)}.</p>` : "";
    return `<${tag}>${summary}<div class="scroll" tabindex="0" role="region" aria-label="${title}"><table><thead><tr><th scope="col">Model</th><th scope="col">Spec</th><th scope="col">Task</th><th scope="col">Reason</th></tr></thead><tbody>${cells.join("")}</tbody></table></div>${more}</${tag}>`;
  };
  return `<section><h2>Left out</h2>
${table(
  "Failed",
  failures.map((one) => [one.model, one.spec, one.task, one.reason]),
)}
${table(
  "Unstable",
  unstable.map(({ row, reason }) => [row.model.name, row.key.spec, row.key.task, reason]),
)}
</section>`;
}

/** Where the rows come from. */
export function renderProvenance(rows: readonly ResultRow[], facts: readonly (readonly [string, string])[]): string {
  const models = [...new Map(rows.map((row) => [modelKey(row), row])).values()];
  const distinct = (read: (row: ResultRow) => string, from: readonly ResultRow[] = rows) => {
    const values = [...new Set(from.map(read))];
    const shown = values.slice(0, 12).map((value) => `<bdi>${escapeHtml(cleanText(value, 160))}</bdi>`);
    return shown.join("; ") + (values.length > 12 ? `; and ${formatCount(values.length - 12)} more` : "");
  };
  const dates = rows.map((row) => row.date).sort();
  const list: [string, string][] = [
    ...facts.map(([name, value]): [string, string] => [name, `<bdi>${escapeHtml(value)}</bdi>`]),
    ["kbit", distinct((row) => row.kbit)],
    ["Machine", distinct((row) => row.machine)],
    ["Kernels, compute type", distinct((row) => `${row.kernels}, ${row.key.computeType}`)],
    [
      "Measured",
      rows.length === 0 ? "" : escapeHtml(`${formatTime(dates[0])} to ${formatTime(dates[dates.length - 1])} UTC`),
    ],
    [
      "Task, version, profile, limit",
      distinct(({ key }) => `${key.task} ${key.taskVersion}, ${key.profile}, ${key.limit ?? "all"}`),
    ],
    ["Data, SHA-256", distinct(({ key }) => `${key.task}: ${key.dataHash}`)],
    ["Weights, SHA-256", distinct((row) => `${cleanText(row.model.name, 60)}: ${row.key.weightsHash}`, models)],
    [
      "Code of quantizer, model, task",
      distinct(({ key: { versions } }) => `${versions.quantizer}, ${versions.model}, ${versions.task}`),
    ],
  ];
  const items = list
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${value}</dd>`);
  return `<section><h2>Provenance</h2><dl>${items.join("\n")}</dl></section>`;
}

/** A table of plain text as HTML; the caption is for screen readers, the heading above it says the same. */
export function renderTable({ columns, rows, traces }: TextTable, caption: string): string {
  const cell = (tag: "th" | "td", text: string, j: number) => {
    const { align, opens } = columns[j];
    const names = [align === "right" ? "right" : "", opens ? "opens" : ""].filter((name) => name !== "").join(" ");
    return `<${tag}${tag === "th" ? ' scope="col"' : ""}${names && ` class="${names}"`}><bdi>${escapeHtml(text)}</bdi></${tag}>`;
  };
  const head = columns.map((column, j) => cell("th", column.title, j)).join("");
  const traced = traces === undefined ? "" : '<th scope="col" class="right script-only">Rows</th>';
  const lines = rows.map((row, i) => {
    const trace =
      traces === undefined
        ? ""
        : `<td class="right script-only">${renderTrace(traces[i], `${columns[0].title} ${row[0]}`)}</td>`;
    return `<tr>${row.map((text, j) => cell("td", text, j)).join("")}${trace}</tr>`;
  });
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(caption)}"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head}${traced}</tr></thead><tbody>${lines.join("\n")}</tbody></table></div>`;
}

/** More ids than this do not fit into the address of a request. */
const mostTraced = 600;

/** A button that shows the rows behind a number in the table of experiments. */
export function renderTrace(ids: readonly string[], what: string): string {
  if (ids.length === 0) return "";
  const shown = ids.slice(0, mostTraced);
  const count =
    ids.length > mostTraced
      ? `first ${mostTraced} of ${formatCount(ids.length)} rows`
      : formatPlural(ids.length, "row");
  return `<button class="plain" type="button" data-trace="${escapeHtml(shown.join(" "))}" data-what="${escapeHtml(what)}" aria-label="${escapeHtml(`Show the ${count} behind ${what}`)}">${ids.length > mostTraced ? `${mostTraced}+` : ids.length}</button>`;
}

function renderFrontierTable(answer: Answer): string {
  const table = tabulateFrontier(answer);
  return `<details><summary>The frontier as a table <span>${formatCount(table.rows.length)} choices</span></summary>${renderTable(table, "The frontier, smallest first")}</details>`;
}

function renderKeys({ curves }: Answer): string {
  const items = curves.map(
    ({ bitsPerWeight }) =>
      `<li><svg viewBox="0 0 9 9" aria-hidden="true"><circle cx="4.5" cy="4.5" r="4" fill="${colorOf(bitsPerWeight)}"/></svg>${formatPrecision(bitsPerWeight)}</li>`,
  );
  return `<ul class="keys" aria-label="Colours of precisions">${items.join("")}</ul>`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
