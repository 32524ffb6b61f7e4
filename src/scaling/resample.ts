// Paired bootstrap over documents: every draw takes the same documents with replacement for all rows, so differences
// between precisions keep how alike their errors are. Sizes are never resampled; where several seeds of a size tell what chance
// in training does, each draw is another training run of every model.
// Rows without documents are drawn from a normal with their standard error, each by itself: wider, never narrower.

import type { Curve, Point } from "./curves.ts";
import { interpolate } from "./interpolate.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { readDeviations } from "./paired.ts";
import { createUniform } from "./random.ts";
import { normalProbability, quantileOf, tQuantile } from "./statistics.ts";

/** Curves, each point with its values in every draw. */
export interface DrawnCurves {
  readonly curves: readonly Curve[];
  readonly metric: MetricFacts;
  /** The curves of each draw. */
  readonly draws: readonly (readonly Curve[])[];
  /** False where a row had no documents, so that differences are drawn too wide. */
  readonly paired: boolean;
  /** Degrees of freedom: documents (of a text: blocks of windows) less one, or seeds less one a size if these are fewer. */
  readonly degrees: number;
}

/** How draws are made. */
export interface DrawOptions {
  readonly count?: number;
  readonly seed?: number;
}

/** Draws of curves; null where a row has neither documents nor a standard error. */
export function drawCurves(
  curves: readonly Curve[],
  metric: MetricFacts,
  options: DrawOptions = {},
): DrawnCurves | null {
  const { count = 1000, seed = 1 } = options;
  const points = curves.flatMap((curve) => curve.points);
  const deviations = points.map((point) => averageDeviations(point, metric));
  const length = deviations[0]?.length ?? 0;
  const paired = length > 1 && deviations.every((one) => one?.length === length);
  if (!paired && points.some((point) => point.standardError === null)) return null;
  const random = createUniform(seed);
  const draws = Array.from({ length: count }, () => {
    const shifts = paired ? drawDocuments(deviations as Float64Array[], random) : drawNormals(points, random);
    const luck = drawTraining(points, random);
    const shiftOf = new Map(points.map((point, i) => [point, shifts[i] + luck[i]]));
    return curves.map((curve) => ({
      ...curve,
      points: curve.points.map((point) => ({ ...point, value: point.value + shiftOf.get(point)! })),
    }));
  });
  const seedDegrees = Math.min(...points.map((point) => point.training?.degrees ?? 1e9));
  return { curves, metric, draws, paired, degrees: Math.min(paired ? length - 1 : 1e9, seedDegrees) };
}

// Of a mean over seeds, which were measured on the same documents, the mean.
function averageDeviations({ row, members = [row] }: Point, metric: MetricFacts): Float64Array | null {
  const lists = members.map((member) => readDeviations(member, metric));
  const [first] = lists;
  if (!first || lists.some((list) => list?.length !== first.length)) return null;
  return first.map((_, i) => lists.reduce((sum, list) => sum + list![i], 0) / lists.length);
}

// Another training run moves all points of a model alike.
function drawTraining(points: readonly Point[], random: () => number): number[] {
  const shifts = new Map<string, number>();
  return points.map(({ training }) => {
    if (training === undefined) return 0;
    let shift = shifts.get(training.key);
    if (shift === undefined) shifts.set(training.key, (shift = Math.sqrt(training.variance) * drawNormal(random)));
    return shift;
  });
}

function drawNormal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

// Deviations are scaled so that their squares sum to the variance; a resample moves a row by sum((count - 1) u).
function drawDocuments(deviations: readonly Float64Array[], random: () => number): number[] {
  const n = deviations[0].length;
  const counts = new Float64Array(n).fill(-1);
  for (let i = 0; i < n; i++) counts[Math.floor(random() * n)]++;
  return deviations.map((one) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += counts[i] * one[i];
    return sum;
  });
}

function drawNormals(points: readonly Point[], random: () => number): number[] {
  return points.map(({ standardError }) => standardError! * drawNormal(random));
}

/** The precisions at a budget as far as the documents tell them apart. */
export interface BudgetEvidence {
  /** Precisions that may be the best: the true best is among them with probability `level`. Best first. */
  readonly optimal: readonly number[];
  /** Best first: the value of each curve with its interval, and how often it was best among the draws. */
  readonly chances: readonly {
    readonly bitsPerWeight: number;
    readonly value: number;
    readonly interval: readonly [number, number];
    readonly chance: number;
  }[];
  /** Of the best over the second; null with fewer than two. */
  readonly margin: { readonly value: number; readonly interval: readonly [number, number] } | null;
}

/**
 * The optimal precision at a budget with its confidence set, by the largest studentized difference over the draws.
 * Null where no curve was measured around the budget.
 */
export function weighBudget(drawn: DrawnCurves, bits: number, level = 0.95): BudgetEvidence | null {
  const { curves, metric, draws, degrees } = drawn;
  const here = curves.flatMap((curve, index) => {
    const reading = interpolate(curve, bits);
    return reading === null ? [] : [{ index, bitsPerWeight: curve.bitsPerWeight, value: reading.value }];
  });
  if (here.length === 0) return null;
  here.sort((a, b) => -advantage(metric, a.value, b.value) || a.bitsPerWeight - b.bitsPerWeight);
  const values = draws.map((draw) => here.map(({ index }) => interpolate(draw[index], bits)!.value));
  const wins = here.map(() => 0);
  for (const one of values) wins[bestOf(one, metric)]++;
  const stretch = tQuantile((1 + level) / 2, degrees) / tQuantile((1 + level) / 2, 1e9);
  const optimal = here.filter((own, k) => {
    const rivals = here.flatMap((rival, j) => {
      if (j === k) return [];
      const gain = advantage(metric, rival.value, own.value);
      const drawnGains = values.map((one) => advantage(metric, one[j], one[k]) - gain);
      return [{ gain, drawnGains, error: Math.sqrt(meanSquare(drawnGains)) }];
    });
    if (rivals.length === 0) return true;
    const largest = draws.map((_, d) => Math.max(...rivals.map((one) => ratio(one.drawnGains[d], one.error))));
    const critical = quantileOf(Float64Array.from(largest).sort(), level) * stretch;
    return Math.max(...rivals.map((one) => ratio(one.gain, one.error))) <= critical;
  });
  const margin = here.length < 2 ? null : advantage(metric, here[0].value, here[1].value);
  return {
    optimal: optimal.map((one) => one.bitsPerWeight),
    chances: here.map(({ bitsPerWeight, value }, k) => {
      const interval = intervalOfDraws(
        values.map((one) => one[k]),
        degrees,
        level,
      );
      return { bitsPerWeight, value, interval, chance: wins[k] / draws.length };
    }),
    margin:
      margin === null
        ? null
        : {
            value: margin,
            interval: intervalOfDraws(
              values.map((one) => advantage(metric, one[0], one[1])),
              degrees,
              level,
            ),
          },
  };
}

/** Where two curves cross, with the budgets that cannot be told from a crossing; an end is null where none was found. */
export interface CrossingEvidence {
  readonly bits: number;
  readonly interval: readonly [number | null, number | null];
}

/**
 * The interval of a crossing of two curves, by Fieller's way: all budgets around it at which the difference, in its
 * own standard errors, does not differ from zero. `null` ends mean that the curves end first.
 */
export function boundCrossing(
  drawn: DrawnCurves,
  first: number,
  second: number,
  crossing: number,
  level = 0.95,
): CrossingEvidence {
  const { curves, metric, draws, degrees } = drawn;
  const [i, j] = [first, second].map((k) => curves.findIndex((curve) => curve.bitsPerWeight === k));
  const critical = tQuantile((1 + level) / 2, degrees);
  const isOpen = (bits: number): boolean | null => {
    const at = (set: readonly Curve[]) => {
      const [a, b] = [interpolate(set[i], bits), interpolate(set[j], bits)];
      return a && b ? advantage(metric, a.value, b.value) : null;
    };
    const gain = at(curves);
    if (gain === null) return null;
    const error = Math.sqrt(meanSquare(draws.map((draw) => at(draw)! - gain)));
    return Math.abs(gain) <= critical * error;
  };
  const walk = (step: number): number | null => {
    let bits = crossing;
    for (let n = 0; n < 2000; n++) {
      const next = bits * step;
      const open = isOpen(next);
      if (open === null) return null;
      if (!open) return next;
      bits = next;
    }
    return null;
  };
  return { bits: crossing, interval: [walk(1 / 1.01), walk(1.01)] };
}

/**
 * Percentile interval of draws, its tails taken further out as a t needs it that knows few documents.
 *
 * @see Hesterberg 2015, What teachers should know about the bootstrap, section 5: expanded percentile
 */
function intervalOfDraws(values: readonly number[], degrees: number, level = 0.95): [number, number] {
  const sorted = Float64Array.from(values).sort();
  const tail = normalProbability(tQuantile((1 - level) / 2, degrees));
  if (tail * values.length < 2) {
    // So far out there are no draws: a few seeds ask for that. Then by the spread of the draws.
    const center = values.reduce((sum, value) => sum + value, 0) / values.length;
    const half = tQuantile((1 + level) / 2, degrees) * Math.sqrt(meanSquare(values.map((value) => value - center)));
    return [center - half, center + half];
  }
  return [quantileOf(sorted, tail), quantileOf(sorted, 1 - tail)];
}

function bestOf(values: readonly number[], metric: MetricFacts): number {
  return values.reduce((best, value, k) => (advantage(metric, value, values[best]) > 0 ? k : best), 0);
}

function meanSquare(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value * value, 0) / values.length;
}

function ratio(value: number, error: number): number {
  return error > 0 ? value / error : value === 0 ? 0 : Math.sign(value) * Number.POSITIVE_INFINITY;
}
