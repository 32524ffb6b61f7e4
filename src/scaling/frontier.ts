// What can really be chosen: the measured (model, spec) points that no smaller point equals or beats.
// Discrete, unlike the curves: nothing here lies between two models.

import { compareValues, type Margin } from "./compare.ts";
import type { Point } from "./curves.ts";
import { listParts } from "./interpolate.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { modelKey } from "./series.ts";

/** The best measured choice within a budget. */
export interface Choice {
  readonly best: Point;
  /** The best that fits among other models and other precisions; null where nothing else fits. */
  readonly second: Point | null;
  /** Of `best` over `second`. */
  readonly margin: Margin | null;
}

/** The Pareto front of points: ascending by bits, each strictly better than all before it. */
export function findFrontier(points: readonly Point[], metric: MetricFacts): Point[] {
  const frontier: Point[] = [];
  const bySize = [...points].sort((a, b) => a.bits - b.bits || -advantage(metric, a.value, b.value));
  for (const point of bySize) {
    const last = frontier.at(-1);
    if (last === undefined || advantage(metric, point.value, last.value) > 0) frontier.push(point);
  }
  return frontier;
}

/**
 * The best point of at most `budget` bits, and the best of another model or precision beside it; null where nothing
 * fits. Of equals, the smaller.
 */
export function chooseWithin(points: readonly Point[], metric: MetricFacts, budget: number): Choice | null {
  const fitting = points.filter((point) => point.bits <= budget);
  const best = findFrontier(fitting, metric).at(-1);
  if (best === undefined) return null;
  const { row } = best;
  const others = fitting.filter(
    (point) => modelKey(point.row) !== modelKey(row) || point.row.bitsPerWeight !== row.bitsPerWeight,
  );
  const second = findFrontier(others, metric).at(-1) ?? null;
  return { best, second, margin: second === null ? null : comparePoints(metric, best, second) };
}

function comparePoints(metric: MetricFacts, a: Point, b: Point): Margin {
  return compareValues(metric, { ...a, parts: listParts(a) }, { ...b, parts: listParts(b) });
}
