// How far documents tell precisions apart at one budget, by the curves of one family, and where the curves cross.
// The paper's reading of the question, with error bars; what can really be chosen stands in recommend.ts.

import type { ResultRow } from "../result.ts";
import { compareRange } from "./compare.ts";
import { buildCurves, placePoints } from "./curves.ts";
import type { MetricFacts } from "./metrics.ts";
import { estimateMarginOptimism } from "./optimism.ts";
import { type BudgetEvidence, boundCrossing, type CrossingEvidence, drawCurves, weighBudget } from "./resample.ts";
import { groupBy, modelKey } from "./series.ts";

/** The evidence at a budget and on the way to it. */
export interface PrecisionEvidence extends BudgetEvidence {
  readonly family: string;
  /** Where one precision overtakes another, with the budgets that cannot be told from it. */
  readonly crossings: readonly (CrossingEvidence & { readonly from: number; readonly to: number })[];
  /**
   * By how much the margin is flattered where curves show the best of several specs of a precision; null without documents.
   */
  readonly optimism: number | null;
  /** Whether every row carried its documents, so that differences are paired. */
  readonly paired: boolean;
}

/**
 * The evidence of a family, by default that with most models; null where rows have no errors or no curve reaches around the
 * budget.
 */
export function weighPrecisions(
  rows: readonly ResultRow[],
  metric: MetricFacts,
  bits: number,
  wanted?: string,
): PrecisionEvidence | null {
  const models = (own: readonly ResultRow[]) => new Set(own.map(modelKey)).size;
  const families = [...groupBy(rows, (row) => row.model.family)].sort(([, a], [, b]) => models(b) - models(a));
  const found = wanted === undefined ? families[0] : families.find(([name]) => name === wanted);
  if (found === undefined) return null;
  const [family, own] = found;
  const points = placePoints(own, metric);
  const curves = buildCurves(points, metric).filter((curve) => curve.points.length > 1);
  const drawn = drawCurves(curves, metric, { count: 500 });
  const evidence = drawn && weighBudget(drawn, bits);
  if (!evidence) return null;
  const crossings = compareRange(curves, metric).crossings.filter((one) => one.isCrossing);
  const [first, second] = evidence.chances.map((one) => one.bitsPerWeight);
  return {
    ...evidence,
    family,
    optimism: second === undefined ? null : estimateMarginOptimism(points, metric, bits, [first, second]),
    crossings: crossings.map(({ bits: at, from, to }) => ({ from, to, ...boundCrossing(drawn, from, to, at) })),
    paired: drawn.paired,
  };
}
