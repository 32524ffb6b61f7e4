// The answer as tables of text: budgets, and shares of wins. The terminal and the page show the same ones.

import type { Answer } from "../scaling/answer.ts";
import type { Comparison, Margin, Pair } from "../scaling/compare.ts";
import type { Point } from "../scaling/curves.ts";
import type { Choice } from "../scaling/frontier.ts";
import { cleanText, longestSpec } from "./text.ts";
import { traceRows } from "./trace.ts";
import {
  formatMargin,
  formatMeasured,
  formatMetric,
  formatPrecision,
  formatShare,
  formatSize,
  formatValue,
} from "./units.ts";

/** A column; one that `opens` a group stands apart from those before it. */
export interface TextColumn {
  readonly title: string;
  readonly align: "left" | "right";
  readonly opens?: boolean;
  /** For want of room. */
  readonly short?: string;
}

/** A table of plain text. */
export interface TextTable {
  readonly columns: readonly TextColumn[];
  readonly rows: readonly (readonly string[])[];
  /** Short ids of the results behind each row. */
  readonly traces?: readonly (readonly string[])[];
}

const left = (title: string) => ({ title, align: "left" }) as const;
const right = (title: string) => ({ title, align: "right" }) as const;

/**
 * For each budget the best measured model and spec that fit, by how much they are better than the next best of another
 * model or precision, and beside
 * it the precision that wins at exactly this size by the curves.
 *
 * @param isFull - with the standard errors of the values and of the curves' margins too
 */
export function tabulateBudgets(answer: Answer, isFull = false): TextTable {
  const { metric } = answer.series;
  const nameModel = ({ row }: Point) => cleanText(row.model.name, 40);
  const nameSpec = ({ row }: Point) => cleanText(row.key.spec, longestSpec);
  const columns: TextColumn[] = [
    right("Budget"),
    left("Best that fits"),
    left("Spec"),
    right("Size"),
    { ...right(capitalize(formatMetric(metric))), short: capitalize(metric.label) },
    right("Better by"),
    left("than"),
    { ...left("At equal size"), opens: true },
  ];
  const precisions = answer.curves.filter((curve) => curve.points.length > 1).map((curve) => curve.bitsPerWeight);
  const rows = answer.budgets.map(({ budget, curves, choice }) => [
    formatSize(budget),
    ...(choice === null
      ? [`nothing fits: the smallest is ${formatSize(answer.points[0].bits)}`, "", "", ""]
      : [
          nameModel(choice.best),
          nameSpec(choice.best),
          formatSize(choice.best.bits),
          formatMeasured(choice.best.value, isFull ? choice.best.standardError : null),
        ]),
    choice?.margin ? formatMargin(choice.margin) : "",
    choice?.second ? `${nameModel(choice.second)} ${nameSpec(choice.second)}` : "",
    describeWinner(curves, precisions, isFull),
  ]);
  const traces = answer.budgets.map(({ curves, choice }) => traceBudget(curves, choice));
  return dropColumns(
    { columns, rows, traces },
    columns.flatMap(({ title }, j) =>
      rows.every((row) => row[j] === "") || (title === "At equal size" && answer.range.contested === null)
        ? [title]
        : [],
    ),
  );
}

/** Titles of the two tables that a table of budgets is cut into. */
export const budgetTitles = ["What to choose for a budget", "Which precision is best at exactly this size"] as const;

/** Choices and precisions at equal size apart, so that neither is too wide to be read; the second is null where there is none. */
export function cutBudgets(table: TextTable): [TextTable, TextTable | null] {
  const winner = "At equal size";
  const titles = table.columns.map((column) => column.title);
  const choices = titles.filter((title) => title !== "Budget" && title !== winner);
  return [dropColumns(table, [winner]), titles.includes(winner) ? dropColumns(table, choices) : null];
}

/** The short ids of what is said of a budget: the two best choices, and the ends of the curves at that size. */
export function traceBudget({ standings, outdoneBy }: Comparison, choice: Choice | null): string[] {
  return traceRows([
    ...[choice?.best, choice?.second].flatMap((point) => point?.row ?? []),
    ...standings.flatMap(({ parts }) => parts.map(({ row }) => row)),
    ...(outdoneBy === null ? [] : [outdoneBy.point.row]),
  ]);
}

/** The table without the columns of these titles. */
export function dropColumns({ columns, rows, traces }: TextTable, titles: readonly string[]): TextTable {
  const isKept = (_: unknown, j: number) => !titles.includes(columns[j].title);
  return { columns: columns.filter(isKept), rows: rows.map((row) => row.filter(isKept)), traces };
}

/**
 * For each precision: over how much of the budgets it wins, and its mean advantage over the unquantized models. No rows
 * where no two precisions were measured at the same size.
 *
 * @param isFull - with its wins in its own range too
 */
export function tabulateShares(answer: Answer, isFull = false): TextTable {
  const { range, curves } = answer;
  if (range.contested === null) return { columns: [], rows: [] };
  const baseline = curves.find((curve) => curve.bitsPerWeight >= 16)?.bitsPerWeight;
  const columns = [
    right("Precision"),
    right("Models"),
    right("Wins, all measured"),
    right("Wins, any two compared"),
    ...(isFull ? [right("Wins, its own range")] : []),
    ...(baseline === undefined ? [] : [right(`Gain over ${formatPrecision(baseline)}`)]),
  ];
  const rows = curves.map(({ bitsPerWeight, points }) => {
    const share = range.shares.find((one) => one.bitsPerWeight === bitsPerWeight);
    const percent = (value: number | null | undefined) =>
      value === null || value === undefined ? "–" : formatShare(value);
    const gain = gainOver(range.pairs, bitsPerWeight, baseline);
    return [
      formatPrecision(bitsPerWeight),
      String(points.length),
      percent(share?.ofCommon),
      percent(share?.ofContested),
      ...(isFull ? [percent(share?.ofOwn)] : []),
      ...(baseline === undefined ? [] : [gain === undefined ? "–" : formatSigned(gain)]),
    ];
  });
  const compared = curves.find((curve) => curve.bitsPerWeight === baseline)?.points ?? [];
  const traces = curves.map(({ points }) => traceRows([...points, ...compared].map(({ row }) => row)));
  return { columns, rows, traces };
}

/** The measured choices that no smaller one equals, smallest first. */
export function tabulateFrontier({ frontier, series }: Answer): TextTable {
  const columns = [right("Size"), left("Model"), left("Spec"), right(capitalize(formatMetric(series.metric)))];
  const rows = frontier.map(({ row, bits, value, standardError }) => [
    formatSize(bits),
    row.model.name,
    row.key.spec,
    formatMeasured(value, standardError),
  ]);
  return { columns, rows, traces: frontier.map(({ row }) => traceRows([row])) };
}

/** What the columns and marks of a budgets' table mean, a short sentence each, as plain text. */
export function explainBudgets(answer: Answer, { columns, rows } = tabulateBudgets(answer)): string[] {
  const { metric } = answer.series;
  const has = (title: string) => columns.some((column) => column.title === title);
  const shows = (mark: RegExp) => rows.some((row) => row.some((cell) => mark.test(cell)));
  const unit =
    metric.unit === "" || !has(capitalize(metric.label)) || has(capitalize(formatMetric(metric)))
      ? ""
      : ` ${capitalize(metric.label)} in ${metric.unit}.`;
  const notes = has("Best that fits") ? [`Best that fits: what was measured within the budget.${unit}`] : [];
  if (has("Better by")) notes.push("Better by: over the next best that fits of another model or another precision.");
  if (has("At equal size")) {
    notes.push("At equal size: the best precision by the curves, straight over log bits between measured models.");
    if (shows(/, of \d.* bits$/)) notes.push("A closing “of 3 to 8 bits”: only these reach that size.");
    const ended = rows.flatMap((row) => row.filter((cell) => /^no larger model at /.test(cell)))[0];
    if (ended !== undefined) {
      notes.push(`“${ended}”: at a smaller size these are as good as all that reach this one, so none is named.`);
    }
  }
  if (shows(/± \?/)) notes.push("± ? marks a difference whose error is not known: it may be all noise.");
  const margins = listMargins(answer).filter((margin) => margin.paired !== null);
  if (shows(/± \d/)) notes.push(`± is one standard error; of a difference, ${describeErrors(margins)}.`);
  if (shows(/~/)) notes.push("~ marks a difference within two standard errors: within noise.");
  return notes;
}

/** What the columns of the shares' table mean. */
export function explainShares({ series }: Answer): string {
  const { label } = series.metric;
  return `Wins: share of budgets, even in log bits; any two compared: where two or more were measured, and none that has no larger model is as good at a smaller size. Gain: mean difference in ${label} at equal size; + is better.`;
}

function describeErrors(margins: readonly Margin[]): string {
  if (margins.every((margin) => margin.paired)) return "paired over the documents that both sides share";
  if (margins.some((margin) => margin.paired)) return "paired over shared documents where rows have them";
  return "as if the sides had been measured on different documents (an upper bound)";
}

function listMargins({ budgets }: Answer): Margin[] {
  return budgets.flatMap(({ curves, choice }) => [curves.margin, choice?.margin ?? null].filter((one) => one !== null));
}

function describeWinner(
  { standings, outdoneBy, margin }: Comparison,
  precisions: readonly number[],
  isFull: boolean,
): string {
  if (standings.length === 0) return "not measured";
  if (outdoneBy !== null) return `no larger model at ${formatPrecision(outdoneBy.bitsPerWeight)}`;
  const winner = formatPrecision(standings[0].bitsPerWeight);
  if (margin === null) return `${winner}, alone`;
  const there = standings.map(({ bitsPerWeight }) => bitsPerWeight).sort((a, b) => a - b);
  const isAll = precisions.every((bits) => there.includes(bits));
  const among = isAll ? "" : `, of ${listPrecisions(there, precisions)} bits`;
  return `${winner}, by ${formatMargin(margin, isFull)} over ${standings[1].bitsPerWeight}${among}`;
}

// `6 to 8` where nothing is missing between them, else `3, 5, 16`.
function listPrecisions(there: readonly number[], all: readonly number[]): string {
  const between = all.filter((bits) => bits >= there[0] && bits <= there[there.length - 1]);
  if (there.length > 2 && between.length === there.length) return `${there[0]} to ${there[there.length - 1]}`;
  return there.length === 2 ? there.join(" and ") : there.join(", ");
}

function gainOver(pairs: readonly Pair[], bitsPerWeight: number, baseline: number | undefined): number | undefined {
  const pair = pairs.find((one) => one.first === bitsPerWeight && one.second === baseline);
  if (pair) return pair.meanAdvantage;
  const reversed = pairs.find((one) => one.second === bitsPerWeight && one.first === baseline);
  return reversed && -reversed.meanAdvantage;
}

function formatSigned(value: number): string {
  return `${value < 0 ? "−" : "+"}${formatValue(Math.abs(value))}`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
