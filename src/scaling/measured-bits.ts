// Compares precisions at equal total bits on the very models that were measured, the paper's way: curves straight over log
// bits, and as their noise the choice of documents, and of seeds where there are several. equal-bits.ts asks the same of
// models trained alike, by a fitted base.

import type { ResultRow } from "../result.ts";
import type { Estimate } from "./contrast.ts";
import { buildCurves, type Curve, placePoints } from "./curves.ts";
import type { EqualBits } from "./equal-bits.ts";
import { interpolate, rangeOf } from "./interpolate.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { drawCurves } from "./resample.ts";

/** What can be asked of precisions at equal bits. */
export interface PrecisionComparison extends Pick<EqualBits, "precisions" | "range" | "meanAdvantage" | "growth"> {
  /** Whether seeds told what chance in training does. */
  readonly hasSeeds: boolean;
}

/** Budgets at which a range is read. */
const budgetsRead = 9;
const draws = 500;

/** The comparison for rows of one kind of spec; null where they do not all carry the same documents. */
export function compareMeasured(rows: readonly ResultRow[], metric: MetricFacts): PrecisionComparison | null {
  const curves = buildCurves(placePoints(rows, metric), metric).filter((curve) => curve.points.length > 1);
  const drawn = curves.length < 2 ? null : drawCurves(curves, metric, { count: draws });
  if (!drawn?.paired) return null;
  const place = new Map(curves.map((curve, i) => [curve.bitsPerWeight, i]));

  const range = (first: number, second: number): [number, number] | null => {
    const [a, b] = [first, second].map((bits) => curves[place.get(bits) ?? -1]);
    if (a === undefined || b === undefined) return null;
    const low = Math.max(rangeOf(a)[0], rangeOf(b)[0]);
    const high = Math.min(rangeOf(a)[1], rangeOf(b)[1]);
    return low < high ? [low, high] : null;
  };
  const gap = (of: readonly Curve[], first: number, second: number, bits: number) => {
    const [a, b] = [first, second].map((one) => interpolate(of[place.get(one)!], bits)!.value);
    return advantage(metric, a, b);
  };
  const estimate = (read: (of: readonly Curve[]) => number): Estimate => {
    const value = read(curves);
    const squares = drawn.draws.reduce((sum, one) => sum + (read(one) - value) ** 2, 0);
    return { value, standardError: Math.sqrt(squares / draws), degrees: drawn.degrees };
  };
  const none: Estimate = { value: Number.NaN, standardError: null, degrees: 0 };

  return {
    hasSeeds: curves[0].points[0].training !== undefined,
    precisions: curves.map((curve) => curve.bitsPerWeight),
    range,
    meanAdvantage(first, second) {
      const found = range(first, second);
      if (found === null) return none;
      const [low, high] = found;
      // The last may come out a rounding above the range.
      const budgets = Array.from({ length: budgetsRead }, (_, i) =>
        Math.min(high, low * (high / low) ** (i / (budgetsRead - 1))),
      );
      return estimate((of) => budgets.reduce((sum, bits) => sum + gap(of, first, second, bits), 0) / budgetsRead);
    },
    growth(firsts, second) {
      const ranges = firsts.map((first) => range(first, second));
      if (ranges.includes(null)) return none;
      return estimate(
        (of) =>
          firsts.reduce((sum, first, i) => {
            const [low, high] = ranges[i]!;
            return sum + gap(of, first, second, high) - gap(of, first, second, low);
          }, 0) / firsts.length,
      );
    },
  };
}
