// The mean effect of a choice over models, from differences between two rows of each model, with its interval.
// Models are fixed; what varies is the documents and how lucky each rounding was, which a trend in size does not explain.

import type { Estimate } from "./contrast.ts";
import type { MetricFacts } from "./metrics.ts";
import { computePairedError, type Part } from "./paired.ts";
import { groupBy } from "./series.ts";
import { meanOf } from "./statistics.ts";

/** A difference measured on one model. */
export interface Difference {
  readonly size: number;
  readonly value: number;
  /** The rows it is made of, with their factors. */
  readonly parts: readonly Part[];
}

/**
 * The mean of differences over sizes, each as the mean of its seeds. Its error is the larger of two: that of the scatter around a straight line in ln size (around
 * the mean with three models), and that of the documents, paired. Below three models there is no interval.
 */
export function estimateMeanEffect(differences: readonly Difference[], metric: MetricFacts): Estimate {
  const n = differences.length;
  const sizes = [...groupBy(differences, (one) => String(one.size)).values()];
  const value = n === 0 ? Number.NaN : meanOf(sizes.map((same) => meanOf(same.map((one) => one.value))));
  if (n < 3) return { value, standardError: null, degrees: 0 };
  // Every size counts the same, however many seeds it has.
  const weights = new Map(sizes.flatMap((same) => same.map((one) => [one, 1 / same.length / sizes.length])));
  const weightOf = (one: Difference) => weights.get(one)!;
  const x = differences.map((one) => Math.log(one.size));
  const mean = meanOf(x);
  const plain = meanOf(differences.map((one) => one.value));
  const spread = x.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  const hasTrend = n > 3 && spread > 1e-9;
  const slope = hasTrend ? differences.reduce((sum, one, i) => sum + (x[i] - mean) * one.value, 0) / spread : 0;
  const squares = differences.reduce((sum, one, i) => sum + (one.value - plain - slope * (x[i] - mean)) ** 2, 0);
  const degrees = n - (hasTrend ? 2 : 1);
  const scatter = Math.sqrt((squares / degrees) * differences.reduce((sum, one) => sum + weightOf(one) ** 2, 0));
  const parts = differences.flatMap((one) =>
    one.parts.map(({ row, factor }) => ({ row, factor: factor * weightOf(one) })),
  );
  const documents = computePairedError(parts, metric) ?? 0;
  return { value, standardError: Math.max(scatter, documents), degrees };
}
