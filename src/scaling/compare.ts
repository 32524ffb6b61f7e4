// Which precision wins: at one budget, over the whole range, and head to head.
// Everything is exact for piecewise linear curves: their knots and crossings cut the range into segments on which
// one curve is best. Budgets are weighed evenly in log10 bits, as the figure shows them. More budget never hurts: a curve
// that ended keeps what it reached, and where that is as good as all that reach a budget, no precision wins there.

import { type Curve, type Point, pickBest } from "./curves.ts";
import { interpolate, type Reading, rangeOf } from "./interpolate.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { computePairedError, computeTrainingVariance, type Part } from "./paired.ts";
import { tQuantile } from "./statistics.ts";

/** A precision as it stands at one budget. */
export interface Standing extends Reading {
  readonly bitsPerWeight: number;
}

/** A difference between two values and whether it can be told from noise. */
export interface Margin {
  /** By how much the first is better, in the metric's unit; negative where it is worse. */
  readonly value: number;
  /** Of the difference; null where one side has none. */
  readonly standardError: number | null;
  /** True: the error is that of the differences on the same documents; null where there is no standard error. */
  readonly paired: boolean | null;
  /** True up to two standard errors; null where there is no standard error. */
  readonly withinNoise: boolean | null;
}

/** A value that can be compared, and the rows that it is made of. */
export interface Estimate {
  readonly value: number;
  readonly standardError: number | null;
  readonly parts?: readonly Part[];
}

/** A precision of which no model so large was measured, and the best that it reached before. */
export interface Ended {
  readonly bitsPerWeight: number;
  readonly point: Point;
}

/** The precisions measured around a budget, best first. */
export interface Comparison {
  readonly standings: readonly Standing[];
  /** Where one that ended is as good as the first of the standings: then none of them is best at this budget. */
  readonly outdoneBy: Ended | null;
  /** Of the best over the second; null with fewer than two, or where they are outdone. */
  readonly margin: Margin | null;
}

/** Over how much of the range a precision is best. */
export interface Share {
  readonly bitsPerWeight: number;
  /** Of the contested budgets: those that at least two precisions were measured around and none that ended outdoes. */
  readonly ofContested: number;
  /** Of the common budgets: those that every curve was measured around; null where there are none. */
  readonly ofCommon: number | null;
  /** Of this precision's own contested budgets; null where it has none. */
  readonly ofOwn: number | null;
}

/** Where the winner changes as budgets grow. */
export interface Crossing {
  readonly bits: number;
  readonly from: number;
  readonly to: number;
  /** False where the winner changes only because a curve begins or ends there. */
  readonly isCrossing: boolean;
}

/** Two precisions over the budgets that both were measured around. */
export interface Pair {
  readonly first: number;
  readonly second: number;
  /** Share of those budgets at which `first` is better. */
  readonly winsShare: number;
  /** Mean over those budgets of how much better `first` is, in the metric's unit. */
  readonly meanAdvantage: number;
  readonly range: readonly [number, number];
}

/** Who wins where. */
export interface RangeComparison {
  /** Smallest and largest budget in bits that at least two precisions were measured around; null where no two curves overlap. */
  readonly measured: readonly [number, number] | null;
  /** Smallest and largest contested budget in bits; null where there is none. */
  readonly contested: readonly [number, number] | null;
  readonly common: readonly [number, number] | null;
  /** One a curve, ascending by precision. */
  readonly shares: readonly Share[];
  readonly crossings: readonly Crossing[];
  readonly pairs: readonly Pair[];
}

/**
 * The margin between two values. Where all rows have the same documents its standard error is that of the paired
 * differences; else `sqrt(sa^2 + sb^2)`, as if they were measured on different ones, which errs on the large side. Where
 * seeds tell what chance in training does, that is added.
 */
export function compareValues(metric: MetricFacts, a: Estimate, b: Estimate): Margin {
  const value = advantage(metric, a.value, b.value);
  const subtracted = (b.parts ?? []).map((part) => ({ ...part, factor: -part.factor }));
  const parts = a.parts && b.parts ? [...a.parts, ...subtracted] : [];
  const paired = parts.length > 0 ? computePairedError(parts, metric) : null;
  const unpaired =
    a.standardError === null || b.standardError === null ? null : Math.hypot(a.standardError, b.standardError);
  const documents = paired ?? unpaired;
  if (documents === null) return { value, standardError: null, paired: null, withinNoise: null };
  const training = parts.length > 0 ? computeTrainingVariance(parts) : null;
  const standardError = Math.hypot(documents, Math.sqrt(training?.variance ?? 0));
  const withinNoise = Math.abs(value) <= criticalOf(documents, training) * standardError;
  return { value, standardError, paired: paired !== null, withinNoise };
}

// Two standard errors of the documents; where a few seeds add to the error, Student's t for the mixture (Satterthwaite).
function criticalOf(documents: number, training: { variance: number; degrees: number } | null): number {
  if (training === null || training.variance === 0) return 2;
  const share = training.variance / (documents ** 2 + training.variance);
  return Math.max(2, tQuantile(0.975, training.degrees / share ** 2));
}

/**
 * The precisions at a budget of `bits`, best first, of equals the one of fewer bits; only curves measured around it, and
 * what outdoes them all.
 */
export function compareAt(curves: readonly Curve[], metric: MetricFacts, bits: number): Comparison {
  const standings = rankAt(curves, metric, bits);
  const ended = findEnded(curves, metric, bits);
  const [first, second] = standings;
  const outdoneBy = first !== undefined && ended !== null && isOutdone(metric, first.value, ended) ? ended : null;
  const margin = second === undefined || outdoneBy !== null ? null : compareValues(metric, first, second);
  return { standings, outdoneBy, margin };
}

// The best point of the curves that end below `bits`, of equals that of fewest bits a weight.
function findEnded(curves: readonly Curve[], metric: MetricFacts, bits: number): Ended | null {
  let best: Ended | null = null;
  for (const curve of curves) {
    if (rangeOf(curve)[1] >= bits) continue;
    const point = pickBest(curve.points, metric);
    if (best === null || advantage(metric, point.value, best.point.value) > 0) {
      best = { bitsPerWeight: curve.bitsPerWeight, point };
    }
  }
  return best;
}

function isOutdone(metric: MetricFacts, value: number, { point }: Ended): boolean {
  return advantage(metric, value, point.value) <= 0;
}

function rankAt(curves: readonly Curve[], metric: MetricFacts, bits: number): Standing[] {
  return curves
    .flatMap((curve): Standing[] => {
      const reading = interpolate(curve, bits);
      return reading === null ? [] : [{ bitsPerWeight: curve.bitsPerWeight, ...reading }];
    })
    .sort((a, b) => -advantage(metric, a.value, b.value) || a.bitsPerWeight - b.bitsPerWeight);
}

/** Shares of wins, changes of winner and pairs, over all budgets between the smallest and the largest point. */
export function compareRange(curves: readonly Curve[], metric: MetricFacts): RangeComparison {
  const lines = curves.filter((curve) => curve.points.length > 1);
  const segments = cutSegments(lines, curves, metric);
  const common = overlapOf(lines);
  const isCommon = (one: Segment) => common !== null && one.low >= common[0] && one.high <= common[1];
  const measured = segments.filter((one) => one.contenders.length > 1);
  const contested = measured.filter((one) => !one.isOutdone);
  const total = lengthOf(contested);
  const totalCommon = lengthOf(contested.filter(isCommon));
  const shares = lines.map(({ bitsPerWeight }): Share => {
    const own = contested.filter((one) => one.contenders.includes(bitsPerWeight));
    const won = own.filter((one) => one.winner === bitsPerWeight);
    return {
      bitsPerWeight,
      ofContested: total > 0 ? lengthOf(won) / total : 0,
      ofCommon: totalCommon > 0 ? lengthOf(won.filter(isCommon)) / totalCommon : null,
      ofOwn: own.length > 0 ? lengthOf(won) / lengthOf(own) : null,
    };
  });
  return {
    measured: spanOf(measured),
    contested: spanOf(contested),
    common: totalCommon > 0 ? common : null,
    shares,
    crossings: findCrossings(contested),
    pairs: comparePairs(lines, metric),
  };
}

/** A stretch of budgets, between bits `low` and `high`, on which one curve is best throughout. */
interface Segment {
  readonly low: number;
  readonly high: number;
  readonly winner: number;
  readonly contenders: readonly number[];
  /** Whether a curve that ended before is as good throughout. */
  readonly isOutdone: boolean;
}

// The segments of `curves`, and where one of `all` that ended outdoes them.
function cutSegments(curves: readonly Curve[], all: readonly Curve[], metric: MetricFacts): Segment[] {
  const segments: Segment[] = [];
  const knots = ascending(curves.flatMap((curve) => curve.points.map((point) => point.bits)));
  for (let i = 1; i < knots.length; i++) {
    const here = curves.filter((curve) => covers(curve, knots[i - 1], knots[i]));
    if (here.length === 0) continue;
    const [low, high] = [knots[i - 1], knots[i]];
    const valuesOf = (curve: Curve) => [interpolate(curve, low)!.value, interpolate(curve, high)!.value] as const;
    const heights = here.map(valuesOf);
    const ended = findEnded(all, metric, Math.sqrt(low * high));
    if (ended !== null) heights.push([ended.point.value, ended.point.value]);
    const cuts = ascending([low, high, ...pairsOf(heights).flatMap((pair) => cross(pair, low, high))]);
    for (let j = 1; j < cuts.length; j++) {
      const standings = rankAt(here, metric, Math.sqrt(cuts[j - 1] * cuts[j]));
      const contenders = standings.map((standing) => standing.bitsPerWeight);
      const outdone = ended !== null && isOutdone(metric, standings[0].value, ended);
      segments.push({ low: cuts[j - 1], high: cuts[j], winner: contenders[0], contenders, isOutdone: outdone });
    }
  }
  return segments;
}

// Where two lines, given by their values at `low` and `high`, cross strictly inside.
function cross([a, b]: readonly [Line, Line], low: number, high: number): number[] {
  const [atLow, atHigh] = [a[0] - b[0], a[1] - b[1]];
  if (atLow * atHigh >= 0) return [];
  const bits = low * (high / low) ** (atLow / (atLow - atHigh));
  return bits > low && bits < high ? [bits] : [];
}

type Line = readonly [number, number];

function findCrossings(segments: readonly Segment[]): Crossing[] {
  const crossings: Crossing[] = [];
  for (let i = 1; i < segments.length; i++) {
    const [before, after] = [segments[i - 1], segments[i]];
    if (before.winner === after.winner) continue;
    const bothOnBoth = after.contenders.includes(before.winner) && before.contenders.includes(after.winner);
    const isCrossing = bothOnBoth && before.high === after.low;
    crossings.push({ bits: after.low, from: before.winner, to: after.winner, isCrossing });
  }
  return crossings;
}

function comparePairs(curves: readonly Curve[], metric: MetricFacts): Pair[] {
  return pairsOf(curves).flatMap(([a, b]): Pair[] => {
    const range = overlapOf([a, b]);
    if (range === null) return [];
    const pieces = cutSegments([a, b], [a, b], metric).filter((one) => one.contenders.length > 1);
    const won = pieces.filter((one) => one.winner === a.bitsPerWeight);
    const gainAt = (bits: number) => advantage(metric, interpolate(a, bits)!.value, interpolate(b, bits)!.value);
    const area = pieces.reduce((sum, one) => sum + ((gainAt(one.low) + gainAt(one.high)) / 2) * lengthOf([one]), 0);
    return [
      {
        first: a.bitsPerWeight,
        second: b.bitsPerWeight,
        winsShare: lengthOf(won) / lengthOf(pieces),
        meanAdvantage: area / lengthOf(pieces),
        range,
      },
    ];
  });
}

function overlapOf(curves: readonly Curve[]): [number, number] | null {
  if (curves.length < 2) return null;
  const low = Math.max(...curves.map((curve) => rangeOf(curve)[0]));
  const high = Math.min(...curves.map((curve) => rangeOf(curve)[1]));
  return low < high ? [low, high] : null;
}

function covers(curve: Curve, low: number, high: number): boolean {
  const [first, last] = rangeOf(curve);
  return first <= low && last >= high;
}

function spanOf(segments: readonly Segment[]): [number, number] | null {
  return segments.length > 0 ? [segments[0].low, segments[segments.length - 1].high] : null;
}

function lengthOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, one) => sum + Math.log10(one.high / one.low), 0);
}

function ascending(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function pairsOf<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((first, i) => items.slice(i + 1).map((second): [T, T] => [first, second]));
}
