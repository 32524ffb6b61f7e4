// The answer in words: one or two sentences that are true of the numbers beside them.

import type { ResultRow } from "../result.ts";
import type { Answer } from "../scaling/answer.ts";
import { chooseBudgets } from "../scaling/budgets.ts";
import { compareAt, compareValues, type Share } from "../scaling/compare.ts";
import type { Point } from "../scaling/curves.ts";
import type { Choice } from "../scaling/frontier.ts";
import { findHiddenBetter } from "../scaling/hidden.ts";
import { hasLostDocuments } from "../scaling/mean-row.ts";
import type { MetricFacts } from "../scaling/metrics.ts";
import { meanAccuracyTask, modelKey } from "../scaling/series.ts";
import { cleanText, longestSpec } from "./text.ts";
import {
  formatCount,
  formatMargin,
  formatPlural,
  formatPrecision,
  formatShare,
  formatSize,
  formatValue,
} from "./units.ts";

/** The answer of one series in sentences of plain text, the answer itself first. */
export function writeHeadline(answer: Answer): string[] {
  const { points, range, unstable } = answer;
  if (points.length === 0) return [`Every run was unstable (${unstable.length}): there is nothing to compare.`];
  if (range.contested === null) {
    const sentences = [...writeThinAnswer(answer), ...explainAnswer(answer), explainDocuments(answer)];
    return sentences.filter((sentence) => sentence !== "");
  }
  const sentences = [
    writeWinner(answer),
    writeHidden(answer),
    ...explainAnswer(answer),
    writeExample(answer),
    writeCertainty(answer),
    explainDocuments(answer),
  ];
  return sentences.filter((sentence) => sentence !== "");
}

function writeWinner(answer: Answer): string {
  const { series, curves, range } = answer;
  const rank = series.metric.better === "lower" ? "lowest" : "highest";
  const criterion = nameCriterion(answer);
  const { winner, share, isCommon } = findWinner(range.shares);
  const [low, high] = range.contested!;
  const measured = curves.filter((curve) => curve.points.length > 1).length;
  const ofTwo = range.shares.find((one) => one.bitsPerWeight === winner)!.ofContested;
  const where =
    !isCommon || measured < 3 || isAlways(ofTwo)
      ? `${formatWins(ofTwo)} where at least two precisions can be compared (${formatRange(low, high)})`
      : `${formatWins(share)} where all ${measured} precisions were measured (${formatRange(...range.common!)}), ` +
        `and ${formatWins(ofTwo)} where any two can be compared (${formatRange(low, high)})`;
  const name = formatPrecision(winner);
  const certainty = judgeCertainty(answer);
  if (certainty.known === 0)
    return `By numbers without an error estimate, ${name} give the ${rank} ${criterion} at equal size: ${where}.`;
  if (certainty.clear > 0) return `${name} give the ${rank} ${criterion} at equal size: ${where}.`;
  const other = certainty.isAnyClear ? "the next best" : "another";
  return `No precision can be told from ${other} by ${criterion}: ${name} have the ${rank} at equal size ${where}, but within noise of ${certainty.isAnyClear ? "the second" : "all others"} at every budget${certainty.isShown ? " shown" : ""}.`;
}

/** Specs on no curve that beat the winner's at their own size: then the winner is one of the curves, not of all specs. */
function writeHidden({ points, curves, range, series: { metric } }: Answer): string {
  const { winner } = findWinner(range.shares);
  const curve = curves.find((one) => one.bitsPerWeight === winner)!;
  const hidden = findHiddenBetter(points, curves, curve, metric);
  if (hidden.length === 0) return "";
  const [first] = hidden;
  const isEmbedded = (spec: string) => /:(embed|head)(:|$)/.test(spec);
  const kinds = new Set(points.filter(({ row }) => row.bitsPerWeight < 16).map(({ row }) => isEmbedded(row.key.spec)));
  const mixed = kinds.size > 1 ? " Specs with and without embed and head are mixed here." : "";
  const curveName = `the curve of ${formatPrecision(winner)} at equal size`;
  const example = `${nameOf(first)}, ${formatSize(first.bits)}`;
  const others =
    hidden.length === 1
      ? `A choice that is none of these is better than ${curveName}: ${example}.`
      : `${formatPlural(hidden.length, "choice")} that are none of these are better than ${curveName}, the best of them ${example}.`;
  return `A curve has each model at one spec of that precision, the best for its bits. ${others}${mixed}`;
}

/** By what an answer judges: `loss on heldout.txt`, `mean accuracy of 2 tasks (piqa, winogrande)`. */
function nameCriterion({ series: { task, metric, subject } }: Answer): string {
  return `${task === meanAccuracyTask ? "mean " : ""}${metric.label} ${cleanText(subject, 160)}`;
}

/** What stands together or apart in a series and why, and which precisions are left out, a sentence each. */
export function explainAnswer(answer: Answer): string[] {
  const { across, apart, metric } = answer.series;
  const sentences: string[] = [];
  if (across !== undefined) {
    const kinds = across.families > 1 ? formatPlural(across.families, "family", "families") : "one family";
    const why =
      across.tokenizers > 1
        ? `a loss a token cannot be compared across their ${across.tokenizers} tokenizers, ${metric.name === "bitsPerByte" ? "a loss a byte of the same text can" : `${metric.label} can`}`
        : "they share one tokenizer";
    sentences.push(
      `No family has two sizes, so all ${across.models} models of ${kinds} stand together: ${why}; they differ in more than size.`,
    );
    if (across.profiles.length > 1) {
      const windows = across.profiles.map((profile) => cleanText(profile, 40)).join(", ");
      sentences.push(`They read the text in different windows (${windows}); --window 256, say, gives all the same.`);
    }
  }
  if (apart !== undefined) sentences.push(explainApart(answer));
  const leftOut = describeLeftOut(answer);
  if (leftOut !== "") sentences.push(leftOut);
  return sentences;
}

function explainApart({ series: { apart, metric } }: Answer): string {
  const { models, families, tokenizers, profiles } = apart!;
  const kinds = [
    families > 1 ? `${families} families` : "",
    tokenizers > 1 ? `${tokenizers} tokenizers` : "",
    profiles.length > 1 ? `${profiles.length} ways of measuring` : "",
  ].filter((kind) => kind !== "");
  const start = `The store has ${models} models${kinds.length > 0 ? ` of ${kinds.join(" and ")}` : ""} on the same task`;
  if (tokenizers > 1 && metric.perToken) {
    return `${start}, but a loss a token cannot be compared across tokenizers; --metric bitsPerByte compares them on a whole text.`;
  }
  if (tokenizers > 1 || profiles.length > 1) {
    return `${start}, but not measured alike: their windows or limits hold different text; measured on the whole text (without --limit) they can be compared by --metric bitsPerByte.`;
  }
  return `${start}, but they were not measured alike.`;
}

/** How many specs of each precision broke, and on how many models all of them; empty where none did. */
function describeLeftOut({ unstable, points }: Answer): string {
  const keysOf = (rows: readonly ResultRow[]) => new Set(rows.map(modelKey));
  const broken = unstable.map(({ row }) => row);
  const stable = points.map(({ row }) => row);
  const isAlone = keysOf([...broken, ...stable]).size === 1;
  const precisions = [...new Set(broken.map((row) => row.bitsPerWeight))].sort((a, b) => a - b);
  const parts = precisions.map((bits) => {
    const [lost, kept] = [broken, stable].map((rows) => rows.filter((row) => row.bitsPerWeight === bits));
    const all = lost.length + kept.length;
    const noun = isAlone ? ["spec", "specs"] : ["run", "runs"];
    const count =
      kept.length > 0
        ? `${formatCount(lost.length)} of ${formatPlural(all, noun[0], noun[1])}`
        : all === 1
          ? `its only ${noun[0]}`
          : `all ${formatPlural(all, noun[0], noun[1])}`;
    const models = keysOf(kept);
    const none = [...keysOf(lost)].filter((model) => !models.has(model)).length;
    const where = none === 0 || kept.length === 0 ? "" : `, every one on ${formatPlural(none, "model")}`;
    return `${formatPrecision(bits)} (${count}${where})`;
  });
  return parts.length === 0 ? "" : `Unstable and left out: ${parts.join(", ")}.`;
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
function findWinner(shares: readonly Share[]): { winner: number; share: number; isCommon: boolean } {
  const isCommon = shares.some((one) => one.ofCommon !== null);
  const shareOf = (one: Share) => (isCommon ? (one.ofCommon ?? 0) : one.ofContested);
  const best = shares.reduce((a, b) => (shareOf(b) > shareOf(a) ? b : a));
  return { winner: best.bitsPerWeight, share: shareOf(best), isCommon };
}

// A budget in the middle, said as a choice that can be made.
function writeExample({ budgets, series, points }: Answer): string {
  const chosen = budgets.filter((one) => one.choice !== null);
  const middle = chosen[chosen.length >> 1];
  if (middle !== undefined) return writeChoice(middle.budget, middle.choice, series.metric);
  const last = budgets.at(-1);
  if (last === undefined) return "";
  return `${writeChoice(last.budget, null, series.metric).slice(0, -1)}; the smallest is ${nameOf(points[0])} (${formatSize(points[0].bits)}).`;
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

/** How the winner stands to noise: budgets with an error that is known, those that it wins clearly, and whether it beats any other clearly. */
function judgeCertainty({ budgets, curves, range, series: { metric } }: Answer) {
  let comparisons = budgets.map((one) => one.curves).filter(({ margin }) => margin !== null);
  // Chosen budgets may all lie where nothing is contested.
  const isShown = comparisons.length > 0;
  if (!isShown && range.contested) {
    const [low, high] = range.contested;
    comparisons = [...chooseBudgets(low, high), Math.sqrt(low * high)]
      .map((bits) => compareAt(curves, metric, bits))
      .filter(({ margin }) => margin !== null);
  }
  const judged = comparisons.filter(({ margin }) => margin!.withinNoise !== null);
  const clear = judged.filter(({ margin }) => !margin!.withinNoise).length;
  const isAnyClear =
    clear > 0 ||
    judged.some(({ standings: [first, ...others] }) =>
      others.some((other) => compareValues(metric, first, other).withinNoise === false),
    );
  const isUnpaired = judged.some(({ margin }) => !margin!.paired);
  const isSome = isShown && judged.length < budgets.length;
  return { known: judged.length, clear, isAnyClear, isUnpaired, isShown, isSome };
}

/** At how many of the budgets the winning precision is clear of noise, where the headline does not say it. */
export function writeCertainty(answer: Answer): string {
  if (answer.range.contested === null) return "";
  const { known, clear, isUnpaired, isShown, isSome } = judgeCertainty(answer);
  if (known === 0)
    return "The results have no standard errors (a text needs two windows or more): whether differences are noise is not known.";
  const isTold = explainDocuments(answer) !== "";
  const how = isTold ? "" : " by unpaired errors, which overstate noise";
  if (clear === 0) return isUnpaired && !isTold ? "Noise is judged by unpaired errors, which overstate it." : "";
  const where = clear === known ? "at every budget" : `at ${clear} of the ${known} budgets`;
  const shown = isSome ? (clear === known ? " shown that has one" : " shown that have one") : isShown ? " shown" : "";
  return `The winning precision is clear of noise ${where}${shown}${isUnpaired ? how : ""}.`;
}

/** That differences are unpaired for want of documents; empty where rows have them, or no errors at all. */
export function explainDocuments({ series, points }: Answer): string {
  if (!series.rows.every(hasLostDocuments) || points.every((point) => point.standardError === null)) return "";
  return "These results carry no scores of single documents, so differences are unpaired, which overstates noise; a store keeps them, and so does an export to .parquet or .jsonl.";
}

function nameOf({ row }: Point): string {
  return `${cleanText(row.model.name, 40)} at ${cleanText(row.key.spec, longestSpec)}`;
}

// One size or one precision, or curves that do not overlap: what can be said without any of them.
function writeThinAnswer(answer: Answer): string[] {
  const { curves, frontier, series } = answer;
  const models = new Set(curves.flatMap((curve) => curve.points.map((point) => point.row.model.name))).size;
  const why =
    models < 2
      ? `only one model size${series.apart === undefined ? "" : ` of ${cleanText(series.family, 40)}`} was measured, and curves need at least two`
      : curves.length < 2
        ? "only one precision was measured, and there is nothing to compare it with"
        : "no two precisions can be compared around the same budget";
  const best = frontier[frontier.length - 1];
  return [
    `The best measured ${nameCriterion(answer)} is ${formatValue(best.value)}, by ${nameOf(best)} in ${formatSize(best.bits)}; which precision is best at equal size cannot be said: ${why}.`,
  ];
}

/** How a count names itself in a caption. */
export function describeCount(count: Answer["count"]): string {
  if (count === "nonEmbedding") return "model bits without embeddings and head";
  return count === "quantized" ? "bits of the quantized matrices" : "total model bits";
}

/** `books, perplexity (loss)`: what a series compares, as plain text. */
export function describeSeries({ series }: Pick<Answer, "series">): string {
  const note = series.note === "" ? "" : ` [${series.note}]`;
  return `${cleanText(series.family, 40)}, ${cleanText(series.task, 40)} (${series.metric.label})${cleanText(note, 160)}`;
}
