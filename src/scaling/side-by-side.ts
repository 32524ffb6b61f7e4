// Standard errors of points that stand beside each other in a figure and were measured on the same documents.

import type { Point } from "./curves.ts";
import { listParts } from "./interpolate.ts";
import type { MetricFacts } from "./metrics.ts";
import { combineDeviations } from "./paired.ts";

/**
 * The standard error of each point among the others: what the documents do to all points alike says nothing of how they
 * compare, so the mean over the J points is taken from each document's pull first: `sqrt(J / (J - 1) sum_i (u_ij - mean_j u_ij)^2)`
 * with `u` of `readDeviations`. Two points then differ by about `hypot(a, b)` standard errors.
 * Null where there are fewer than two points, or they have not the same documents.
 *
 * @see Cousineau 2005, with the factor of Morey 2008: intervals of within-subject designs
 */
export function compareErrors(points: readonly Point[], metric: MetricFacts): number[] | null {
  const count = points.length;
  if (count < 2) return null;
  const all: Float64Array[] = [];
  for (const point of points) {
    const deviations = combineDeviations([...listParts(points[0], 0), ...listParts(point)], metric);
    if (deviations === null) return null;
    all.push(deviations);
  }
  const mean = all[0].map((_, i) => all.reduce((sum, own) => sum + own[i], 0) / count);
  const errors = all.map((own) =>
    Math.sqrt((count / (count - 1)) * own.reduce((sum, value, i) => sum + (value - mean[i]) ** 2, 0)),
  );
  return errors.every(Number.isFinite) ? errors : null;
}
