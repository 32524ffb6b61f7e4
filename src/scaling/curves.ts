// Rows to curves: for each precision, the metric against total model bits, one point a model.
// This is the paper's Figure 1 as numbers. Reading a curve between its points stands in interpolate.ts.

import type { ResultRow } from "../result.ts";
import { isMix, passesFilter, type SpecFilter } from "./facets.ts";
import { advantage, type MetricFacts, readMetric } from "./metrics.ts";
import { groupBy, modelKey } from "./series.ts";
import { estimateSeedVariance, keepMostTrained, replicateKey, type TrainingNoise } from "./training.ts";

/** Which bits a model is charged for; the paper's total model bits are `all`. */
export type CountName = "all" | "nonEmbedding" | "quantized";

/** A row as a point of the plane of size and quality. */
export interface Point {
  readonly row: ResultRow;
  /** Size by the chosen count, in bits. */
  readonly bits: number;
  readonly value: number;
  /** Null where the row has none. */
  readonly standardError: number | null;
  /** Of a mean over seeds: their rows, `row` being one of them. */
  readonly members?: readonly ResultRow[];
  /** On a curve, where seeds tell it: what chance in training does to the value. */
  readonly training?: TrainingNoise;
}

/** The points of one precision, one a model, ascending by bits. */
export interface Curve {
  /** k, or 16 / 32 for a baseline. */
  readonly bitsPerWeight: number;
  readonly points: readonly Point[];
}

/**
 * Every row as a point, ascending by bits; rows without the metric, with a value that is not finite or with a size
 * of zero are left out, and so are specs that do not pass the filter.
 */
export function placePoints(
  rows: readonly ResultRow[],
  metric: MetricFacts,
  count: CountName = "all",
  filter: SpecFilter = {},
): Point[] {
  const points: Point[] = [];
  for (const row of rows) {
    const reading = readMetric(row, metric);
    const bits = countBits(row, count);
    if (reading === undefined || !Number.isFinite(reading.value)) continue;
    if (!(bits > 0 && Number.isFinite(bits)) || !passesFilter(row.key.spec, filter)) continue;
    points.push({ row, bits, ...reading });
  }
  return points.sort((a, b) => a.bits - b.bits);
}

/**
 * One curve a precision, ascending by precision. Where a model has several specs of one precision (types, block
 * sizes, embeddings quantized or not), the one with the best metric is its point, after each is charged for its bits at
 * the rate at which a larger model would use them; the smaller of equals: the curve shows what the precision can do with
 * its bits. Filter the points for the curve of one type. Of one size only the models of most training tokens take part, seeds of
 * a model are one point at their mean, and of other models of the same bits the better one stays. Mixes are on no curve.
 */
export function buildCurves(points: readonly Point[], metric: MetricFacts): Curve[] {
  const curves: Curve[] = [];
  const plain = keepMostTrained(
    points.filter((point) => !isMix(point.row.key.spec)),
    (point) => point.row,
  );
  // Of losses as a share of the loss, as the laws have it.
  const isRelative = metric.better === "lower" && plain.every((point) => point.value > 0);
  const seeds = estimateSeedVariance(
    plain.map(({ row, value }) => ({ row, value: isRelative ? Math.log(value) : value })),
  );
  const rate = rateOfSize(plain, metric);
  for (const [, precision] of groupBy(plain, (point) => String(point.row.bitsPerWeight))) {
    const best = [...groupBy(precision, (point) => replicateKey(point.row)).values()].map((same) =>
      addTraining(pickBest(averageSeeds(same), metric, rate), seeds, isRelative),
    );
    const bySize = [...groupBy(best, (point) => String(point.bits)).values()].map((same) => pickBest(same, metric));
    bySize.sort((a, b) => a.bits - b.bits);
    curves.push({ bitsPerWeight: precision[0].row.bitsPerWeight, points: bySize });
  }
  return curves.sort((a, b) => a.bitsPerWeight - b.bitsPerWeight);
}

/**
 * What the metric gains for each e-fold of bits that go into a larger model: the slope of the best points of the precision
 * that most models have (of equals the widest), by least squares. 0 where larger models are no better, or there is one.
 */
function rateOfSize(points: readonly Point[], metric: MetricFacts): number {
  const precisions = [...groupBy(points, (point) => String(point.row.bitsPerWeight)).values()].map((precision) =>
    [...groupBy(precision, (point) => modelKey(point.row)).values()].map((same) => pickBest(same, metric)),
  );
  precisions.sort((a, b) => b.length - a.length || b[0].row.bitsPerWeight - a[0].row.bitsPerWeight);
  const best = precisions[0] ?? [];
  const mean = (read: (point: Point) => number) => best.reduce((sum, one) => sum + read(one), 0) / best.length;
  const [x0, y0] = [mean(({ bits }) => Math.log(bits)), mean(({ value }) => value)];
  const along = mean(({ bits, value }) => (Math.log(bits) - x0) * (value - y0));
  const slope = along / mean(({ bits }) => (Math.log(bits) - x0) ** 2);
  return advantage(metric, slope, 0) > 0 ? slope : 0;
}

// Of several seeds a point a spec that all of them have: the mean, by the row of the first.
function averageSeeds(points: readonly Point[]): readonly Point[] {
  const models = [...new Set(points.map((point) => modelKey(point.row)))].sort();
  if (models.length < 2) return points;
  const specs = [...groupBy(points, (point) => point.row.key.spec).values()];
  const most = Math.max(...specs.map((same) => same.length));
  return specs
    .filter((same) => same.length === most)
    .map((same): Point => {
      const sorted = same.toSorted((a, b) => models.indexOf(modelKey(a.row)) - models.indexOf(modelKey(b.row)));
      const mean = (read: (point: Point) => number) => sorted.reduce((sum, point) => sum + read(point), 0) / most;
      const hasErrors = sorted.every((point) => point.standardError !== null);
      return {
        ...sorted[0],
        value: mean((point) => point.value),
        standardError: hasErrors ? mean((point) => point.standardError!) : null,
        members: sorted.map((point) => point.row),
      };
    });
}

function addTraining(point: Point, seeds: ReturnType<typeof estimateSeedVariance>, isRelative: boolean): Point {
  if (seeds === null) return point;
  const { length } = point.members ?? [point.row];
  const variance = ((isRelative ? point.value ** 2 : 1) * seeds.variance) / length;
  return { ...point, training: { key: replicateKey(point.row), variance, degrees: seeds.degrees } };
}

/**
 * The point with the best metric; of equals the one with fewest bits, then the first.
 *
 * @param rate - what the metric gains by an e-fold of bits, for which each point is charged
 */
export function pickBest(points: readonly Point[], metric: MetricFacts, rate = 0): Point {
  const charged = ({ value, bits }: Point) => (rate === 0 ? value : value - rate * Math.log(bits));
  return points.reduce((best, point) => {
    const gain = advantage(metric, charged(point), charged(best));
    return gain > 0 || (gain === 0 && point.bits < best.bits) ? point : best;
  });
}

// A baseline quantizes nothing: by the count `quantized` it is charged for the same matrices at its own width.
function countBits(row: ResultRow, count: CountName): number {
  if (count === "all") return row.bits.total;
  if (count === "nonEmbedding") return row.bits.nonEmbedding;
  if (row.bits.quantized > 0 || row.bitsPerWeight < 16) return row.bits.quantized;
  return row.model.quantizedParameters * row.bitsPerWeight;
}
