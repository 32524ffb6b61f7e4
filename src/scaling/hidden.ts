// A curve has each model's best spec at its precision, so that smaller specs of the model stand on none. Where one of them
// is better than another precision's curve at its own size, "best at equal size" is true of the curves only.

import type { Curve, Point } from "./curves.ts";
import { isMix } from "./facets.ts";
import { interpolate } from "./interpolate.ts";
import { advantage, type MetricFacts } from "./metrics.ts";

/**
 * The points on no curve, of other precisions than the curve's, that are better than the curve at their own size, the one of
 * the largest advantage first. Seeds of a mean and mixes are not among them.
 */
export function findHiddenBetter(
  points: readonly Point[],
  curves: readonly Curve[],
  curve: Curve,
  metric: MetricFacts,
) {
  const shown = new Set(curves.flatMap((one) => one.points.flatMap(({ row, members }) => members ?? [row])));
  return points
    .flatMap((point) => {
      const { row, bits, value } = point;
      if (row.bitsPerWeight === curve.bitsPerWeight || shown.has(row) || isMix(row.key.spec)) return [];
      const reading = interpolate(curve, bits);
      const gain = reading === null ? 0 : advantage(metric, value, reading.value);
      return gain > 0 ? [{ point, gain }] : [];
    })
    .sort((a, b) => b.gain - a.gain)
    .map(({ point }) => point);
}
