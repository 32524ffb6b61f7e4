// Which values a figure of a metric shows: all but those far worse than unquantized models, with the errors that are drawn.

import type { Answer } from "../scaling/answer.ts";
import type { Point } from "../scaling/curves.ts";
import type { MetricFacts } from "../scaling/metrics.ts";
import { compareErrors } from "../scaling/side-by-side.ts";

/** What a frame is made for. */
export interface Shown extends Pick<Answer, "points" | "count"> {
  readonly series: Pick<Answer["series"], "family" | "task" | "metric">;
  /** What is drawn with bars or bands of errors; absent: all points. */
  readonly curves?: Answer["curves"];
}

/** Whether a value lies in view. */
export function isInView(frame: { readonly values: readonly [number, number] }, value: number): boolean {
  return value >= frame.values[0] && value <= frame.values[1];
}

const views = new WeakMap<Shown, [number, number]>(); // asked for by every figure of an answer

/** Smallest and largest value in view. */
export function viewOf(answer: Shown, worseIsUp: boolean): [number, number] {
  let view = views.get(answer);
  if (view === undefined) views.set(answer, (view = fitErrors(viewPoints(answer, worseIsUp), answer)));
  return view;
}

// Bars and bands of the points in view are in view too. What comes into view with them may bring its own.
function fitErrors(view: readonly [number, number], { points, curves, series }: Shown): [number, number] {
  const drawn = curves?.flatMap((curve) => curve.points) ?? points;
  const seen = (values: readonly [number, number]) => drawn.filter((point) => isInView({ values }, point.value));
  let [low, high] = view;
  for (let inView = seen([low, high]), before = 0; inView.length > before; inView = seen([low, high])) {
    before = inView.length;
    const errorOf = readErrors(inView, series.metric);
    const padding = 0.02 * (high - low);
    for (const point of inView) {
      const error = errorOf(point) ?? 0;
      low = Math.min(low, point.value - error - padding);
      high = Math.max(high, point.value + error + padding);
    }
  }
  return [low, high];
}

/** The error that a figure shows of each point in view: of points on the same documents that of how they compare, else each one's own. */
export function readErrors(inView: readonly Point[], metric: MetricFacts): (point: Point) => number | null {
  const errors = compareErrors(inView, metric);
  if (errors === null) return (point) => point.standardError;
  const known = new Map(errors.map((error, i) => [inView[i], error]));
  return (point) => known.get(point) ?? null;
}

function viewPoints(answer: Shown, worseIsUp: boolean): [number, number] {
  const all = answer.points.map((point) => point.value);
  let low = minOf(all);
  let high = maxOf(all);
  const baseline = answer.points.filter((point) => point.row.bitsPerWeight >= 16).map((point) => point.value);
  const span = maxOf(baseline) - minOf(baseline);
  if (baseline.length > 1 && span > 0) {
    if (worseIsUp) high = Math.min(high, maxOf(baseline) + 0.4 * span);
    else low = Math.max(low, minOf(baseline) - 0.4 * span);
  }
  const padding = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  // Room below the best points for their labels; none beyond the edge where worse points are marked.
  return [low - padding * (worseIsUp ? 1.6 : 1), high + padding * (worseIsUp ? 1 : 1.6)];
}

export function minOf(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

export function maxOf(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
