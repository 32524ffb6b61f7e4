// The answer in words: one or two sentences that are true of the numbers beside them.

import type { Answer } from "../scaling/answer.ts";
import type { Share } from "../scaling/compare.ts";
import type { Point } from "../scaling/curves.ts";
import type { Choice } from "../scaling/frontier.ts";
import type { MetricFacts } from "../scaling/metrics.ts";
import { cleanText } from "./text.ts";
import { formatMargin, formatPrecision, formatShare, formatSize, formatValue } from "./units.ts";

/** The answer of one series in sentences of plain text, the answer itself first. */
export function writeHeadline(answer: Answer): string[] {
  const { points, range, unstable } = answer;
  if (points.length === 0) return [`Every run was unstable (${unstable.length}): there is nothing to compare.`];
  if (range.contested === null) return writeThinAnswer(answer);
  return [writeWinner(answer), writeExample(answer), writeCertainty(answer)].filter((sentence) => sentence !== "");
}

function writeWinner({ series, curves, range }: Answer): string {
  const best = series.metric.better === "lower" ? "lowest" : "highest";
  const { winner, share, isCommon } = findWinner(range.shares);
  const [low, high] = range.contested!;
  const start = `${formatPrecision(winner)} give the ${best} ${series.metric.label} at equal size:`;
  const measured = curves.filter((curve) => curve.points.length > 1).length;
  const ofTwo = range.shares.find((one) => one.bitsPerWeight === winner)!.ofContested;
  if (!isCommon || measured < 3 || isAlways(ofTwo)) {
    return `${start} ${formatWins(ofTwo)} where at least two precisions were measured (${formatRange(low, high)}).`;
  }
  return (
    `${start} ${formatWins(share)} where all ${measured} precisions were measured (${formatRange(...range.common!)}), ` +
    `and ${formatWins(ofTwo)} where any two were (${formatRange(low, high)}).`
  );
}

function isAlways(share: number): boolean {
  return share > 0.9999;
}

function formatWins(share: number): string {
  return isAlways(share)
    ? "at every budget"
    : `at ${formatShare(share).replace(">", "more than ").replace("<", "less than ")} of the budgets`;
}

function formatRange(low: number, high: number): string {
  return `${formatSize(low)} to ${formatSize(high)}`;
}

/** The precision that wins most: of the budgets common to all curves, or else of all contested ones. */
export function findWinner(shares: readonly Share[]): { winner: number; share: number; isCommon: boolean } {
  const isCommon = shares.some((one) => one.ofCommon !== null);
  const shareOf = (one: Share) => (isCommon ? (one.ofCommon ?? 0) : one.ofContested);
  const best = shares.reduce((a, b) => (shareOf(b) > shareOf(a) ? b : a));
  return { winner: best.bitsPerWeight, share: shareOf(best), isCommon };
}

// A budget in the middle, said as a choice that can be made.
function writeExample({ budgets, series }: Answer): string {
  const chosen = budgets.filter((one) => one.choice !== null);
  const middle = chosen[chosen.length >> 1];
  return middle === undefined ? "" : writeChoice(middle.budget, middle.choice, series.metric);
}

/** What to choose within a budget of bits, and how sure that is, in a sentence. */
export function writeChoice(budget: number, choice: Choice | null, metric: MetricFacts): string {
  if (choice === null) return `Nothing that was measured fits into ${formatSize(budget)}.`;
  const { best, second, margin } = choice;
  const value = `${metric.label} ${formatValue(best.value)}`;
  const what = `Within ${formatSize(budget)} the best measured is ${nameOf(best)} (${formatSize(best.bits)}, ${value})`;
  if (second === null || margin === null) return `${what}.`;
  if (margin.withinNoise) return `${what}; ${nameOf(second)} is within noise of it.`;
  return `${what}, better by ${formatMargin(margin)} than ${nameOf(second)}.`;
}

/** At how many of the budgets the winning precision is clear of noise; empty where no row has a standard error. */
export function writeCertainty({ budgets }: Answer): string {
  const judged = budgets.flatMap(({ curves: { margin } }) => (margin === null || margin.paired === null ? [] : margin));
  if (judged.length === 0) return "";
  const clear = judged.filter((margin) => !margin.withinNoise).length;
  const where =
    clear === judged.length
      ? "at every budget"
      : clear === 0
        ? "at no budget"
        : `at ${clear} of the ${judged.length} budgets`;
  const how = judged.some((margin) => !margin.paired) ? " by unpaired errors, which overstate noise" : "";
  return `The winning precision is clear of noise ${where} shown${how}.`;
}

function nameOf({ row }: Point): string {
  return `${cleanText(row.model.name, 40)} at ${cleanText(row.key.spec, 40)}`;
}

// One size or one precision, or curves that do not overlap: what can be said without any of them.
function writeThinAnswer({ curves, frontier, series }: Answer): string[] {
  const models = new Set(curves.flatMap((curve) => curve.points.map((point) => point.row.model.name))).size;
  const why =
    models < 2
      ? "Only one model size was measured; curves need at least two."
      : curves.length < 2
        ? "Only one precision was measured; there is nothing to compare it with."
        : "No two precisions were measured around the same budget.";
  const best = frontier[frontier.length - 1];
  return [
    why,
    `The best measured ${series.metric.label} is ${formatValue(best.value)}, by ${nameOf(best)} in ${formatSize(best.bits)}.`,
  ];
}

/** How a count names itself in a caption. */
export function describeCount(count: Answer["count"]): string {
  if (count === "nonEmbedding") return "model bits without embeddings and head";
  return count === "quantized" ? "bits of the quantized matrices" : "total model bits";
}

/** `books, perplexity (loss)`: what a series compares, as plain text. */
export function describeSeries({ series }: Answer): string {
  const note = series.note === "" ? "" : ` [${series.note}]`;
  return `${cleanText(series.family, 40)}, ${cleanText(series.task, 40)} (${series.metric.label})${cleanText(note, 160)}`;
}
