// By how much being chosen flatters: the best of several noisy values, and the margin between precisions whose curves show
// the best of several specs. Documents are split in half many times; what is chosen on one half is measured on the other.

import type { ResultRow } from "../result.ts";
import { buildCurves, type Point } from "./curves.ts";
import { interpolate } from "./interpolate.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { readDeviations } from "./paired.ts";
import { createUniform } from "./random.ts";

/** A measured choice. */
export interface Contender {
  readonly row: ResultRow;
  readonly value: number;
}

/** Random halves over which the estimate is the mean. */
const splits = 200;

/**
 * The best value less what the choice gives on documents that it was not made on, in the metric's unit; 0 for a single
 * contender. With `u` of `readDeviations` and `s = 2 sqrt((n - 1) / n) sum of u` over one half, a value on that half is `v + s`
 * and on the other `v - s`. Null where the best has no documents. Contenders on other documents take no part.
 */
export function estimateOptimism(contenders: readonly Contender[], metric: MetricFacts): number | null {
  if (contenders.length === 0) return null;
  const better = (a: number, b: number) => advantage(metric, a, b) > 0;
  const best = contenders.reduce((a, b) => (better(b.value, a.value) ? b : a));
  const length = readDeviations(best.row, metric)?.length ?? 0;
  if (length < 4) return null;
  const rivals = contenders.flatMap(({ row, value }) => {
    const deviations = row.key.dataHash === best.row.key.dataHash ? readDeviations(row, metric) : null;
    return deviations?.length === length ? [{ value, deviations }] : [];
  });
  const deviations = rivals.map((one) => one.deviations);
  let sum = 0;
  for (const shifts of splitInHalf(deviations, splits)) {
    for (const sign of [1, -1]) {
      let chosen = 0;
      for (let k = 1; k < rivals.length; k++)
        if (better(rivals[k].value + sign * shifts[k], rivals[chosen].value + sign * shifts[chosen])) chosen = k;
      sum += rivals[chosen].value - sign * shifts[chosen];
    }
  }
  return Math.max(0, advantage(metric, best.value, sum / (2 * splits)));
}

/** What each value is moved by on one half of the documents, and against on the other; for both halves of many splits. */
function* splitInHalf(deviations: readonly Float64Array[], count: number): Generator<number[]> {
  const { length } = deviations[0];
  const random = createUniform(1);
  const order = Array.from({ length }, (_, i) => i);
  const scale = 2 * Math.sqrt((length - 1) / length);
  for (let split = 0; split < count; split++) {
    for (let i = length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    const half = order.slice(0, Math.floor(length / 2));
    yield deviations.map((one) => scale * half.reduce((total, i) => total + one[i], 0));
  }
}

/** Splits for curves, which are built anew for each. */
const curveSplits = 50;

/**
 * By how much the margin of one precision over another at a budget is flattered, where curves show the best of several specs
 * of a precision: the margin less that of curves whose specs are chosen on one half of the documents and read on the other. 0
 * where no model has several specs of a precision; null where rows do not all have the same documents.
 */
export function estimateMarginOptimism(
  points: readonly Point[],
  metric: MetricFacts,
  bits: number,
  [first, second]: readonly [number, number],
): number | null {
  const own = points.filter(({ row }) => row.bitsPerWeight === first || row.bitsPerWeight === second);
  const deviations = own.map(({ row }) => readDeviations(row, metric));
  const length = deviations[0]?.length ?? 0;
  if (length < 4 || deviations.some((one) => one?.length !== length)) return null;
  const marginOf = (read: (point: Point) => number, choose: (point: Point) => number): number => {
    const curves = buildCurves(
      own.map((point) => ({ ...point, value: choose(point) })),
      metric,
    );
    const reading = new Map(own.map((point) => [point.row, read(point)]));
    const [a, b] = [first, second].map((precision) => {
      const curve = curves.find((one) => one.bitsPerWeight === precision);
      const reread = curve?.points.map(({ members, ...point }) => {
        const rows = members ?? [point.row];
        return { ...point, value: rows.reduce((sum, row) => sum + reading.get(row)!, 0) / rows.length };
      });
      return curve && reread ? interpolate({ ...curve, points: reread }, bits) : null;
    });
    return a && b ? advantage(metric, a.value, b.value) : Number.NaN;
  };
  const plain = (point: Point) => point.value;
  const whole = marginOf(plain, plain);
  const places = new Map(own.map((point, i) => [point, i]));
  let sum = 0;
  for (const shifts of splitInHalf(deviations as Float64Array[], curveSplits)) {
    const move = (sign: number) => (point: Point) => point.value + sign * shifts[places.get(point)!];
    sum += marginOf(move(-1), move(1)) + marginOf(move(1), move(-1));
  }
  const optimism = whole - sum / (2 * curveSplits);
  return Number.isFinite(optimism) ? optimism : null;
}
