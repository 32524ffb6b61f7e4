// The answer as tables of text: budgets, and shares of wins. The terminal and the page show the same ones.

import type { Answer } from "../scaling/answer.ts";
import type { Comparison, Pair } from "../scaling/compare.ts";
import { cleanText } from "./text.ts";
import { formatMargin, formatMeasured, formatPrecision, formatShare, formatSize, formatValue } from "./units.ts";

/** A column; one that `opens` a group stands apart from those before it. */
export interface TextColumn {
  readonly title: string;
  readonly align: "left" | "right";
  readonly opens?: boolean;
}

/** A table of plain text. */
export interface TextTable {
  readonly columns: readonly TextColumn[];
  readonly rows: readonly (readonly string[])[];
}

const left = (title: string) => ({ title, align: "left" }) as const;
const right = (title: string) => ({ title, align: "right" }) as const;

/**
 * For each budget the best measured model and spec that fit, its margin over the next best, and beside it the precision
 * that wins at exactly this size by the curves.
 */
export function tabulateBudgets(answer: Answer): TextTable {
  const { metric } = answer.series;
  const columns = [
    right("Budget"),
    left("Best that fits"),
    left("Spec"),
    right("Size"),
    right(capitalize(metric.label)),
    right("Margin"),
    left("over"),
    { ...left("By the curves"), opens: true },
  ];
  const rows = answer.budgets.map(({ budget, curves, choice }) => [
    formatSize(budget),
    ...(choice === null
      ? ["nothing fits", "", "", ""]
      : [
          cleanText(choice.best.row.model.name, 28),
          cleanText(choice.best.row.key.spec, 24),
          formatSize(choice.best.bits),
          formatMeasured(choice.best.value, choice.best.standardError),
        ]),
    choice?.margin ? formatMargin(choice.margin) : "",
    choice?.second ? describeOther(choice.best.row, choice.second.row) : "",
    describeWinner(curves),
  ]);
  return { columns, rows };
}

/** For each precision: over how much of the budgets it wins, and its mean advantage over the unquantized models. */
export function tabulateShares(answer: Answer): TextTable {
  const { range, curves } = answer;
  const baseline = curves.find((curve) => curve.bitsPerWeight >= 16)?.bitsPerWeight;
  const columns = [
    right("Precision"),
    right("Models"),
    right("Wins, all measured"),
    right("Wins, any two measured"),
    right("Wins, its own range"),
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
      percent(range.contested === null ? null : share?.ofContested),
      percent(share?.ofOwn),
      ...(baseline === undefined ? [] : [gain === undefined ? "–" : formatSigned(gain)]),
    ];
  });
  return { columns, rows };
}

/** What the marks and columns of the tables mean, as plain text. */
export function explainTables(answer: Answer): string[] {
  const notes = [
    "Best that fits: the best model and spec that was measured and is no larger than the budget; its margin is over the best of another model or precision that fits.",
    "By the curves: the precision that is best at exactly this size, and by how much over the next; each curve is straight over log bits between measured models and says nothing beyond them.",
  ];
  const hasErrors = answer.points.some((point) => point.standardError !== null);
  if (hasErrors) {
    notes.push(
      "± is one standard error. ~ marks a margin below two standard errors of the difference, taken as if both sides had been measured on different documents; they share them, so the real error is smaller.",
    );
  }
  return notes;
}

function describeWinner({ standings, margin }: Comparison): string {
  if (standings.length === 0) return "not measured";
  const winner = formatPrecision(standings[0].bitsPerWeight);
  return margin === null ? `${winner}, alone` : `${winner}, by ${formatMargin(margin)}`;
}

function describeOther(best: Answer["points"][number]["row"], other: Answer["points"][number]["row"]): string {
  const bits = formatPrecision(other.bitsPerWeight);
  return other.model.name === best.model.name ? bits : `${cleanText(other.model.name, 24)}, ${bits}`;
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
