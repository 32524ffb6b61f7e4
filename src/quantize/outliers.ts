// Outlier-dependent ("proxy") quantization: which input columns stay in 16 bits, and their weights.
// Which matrices write a matrix's inputs is the model's knowledge (model/roles.ts); here are only the numbers.

import { toFloat16 } from "../tensor/convert.ts";
import type { OutlierColumns } from "./quantized.ts";

/** A matrix whose units feed the columns of another. */
export interface UnitWeights {
  readonly weights: Float32Array; // (rows, columns)
  readonly shape: readonly [number, number];
  /** Whether a unit is a row (the outputs of a linear layer) or a column (an embedding, or a layer's own inputs). */
  readonly axis: "rows" | "columns";
  /** The unit of this matrix behind each column of the reader; absent: the identity. */
  readonly units?: Int32Array; // (reader's columns)
}

/**
 * The standard deviation (n - 1) of each unit's weights, those of several writers of the same units joined. A weight that
 * is not finite counts as 0.
 *
 * @returns `(reader's columns)`
 * @throws Error if the writers do not have equally many units
 * @see Dettmers and Zettlemoyer (arXiv 2212.09720), section 3 and appendix D: outlier features come of the previous layer's
 *   large weights
 */
export function unitDeviations(writers: readonly UnitWeights[]): Float64Array {
  const moments = writers.map(measureMoments);
  const units = writers[0].units?.length ?? moments[0].sums.length;
  const deviations = new Float64Array(units);
  for (let unit = 0; unit < units; unit++) {
    let [count, sum, squares] = [0, 0, 0];
    writers.forEach((writer, w) => {
      const own = writer.units ? writer.units[unit] : unit;
      count += moments[w].count;
      sum += moments[w].sums[own];
      squares += moments[w].squares[own];
    });
    if (Number.isNaN(sum)) throw new Error(`writers of different widths: unit ${unit} is not in all of them`);
    deviations[unit] = Math.sqrt(Math.max(0, squares - (sum * sum) / count) / Math.max(1, count - 1));
  }
  return deviations;
}

/**
 * The standard deviation (n - 1) of each input column: `(columns)`.
 *
 * @see `find_outlier_dims` of bitsandbytes
 */
export function columnDeviations(weights: Float32Array, shape: readonly [number, number]): Float64Array {
  return unitDeviations([{ weights, shape, axis: "columns" }]);
}

/**
 * The `max(1, round(percent / 100 * n))` units of largest deviation, the first of equals, ascending.
 *
 * @param percent - of the input columns
 */
export function pickOutliers(deviations: ArrayLike<number>, percent: number): Uint32Array {
  const count = Math.min(deviations.length, Math.max(1, Math.round((percent * deviations.length) / 100)));
  const units = Uint32Array.from({ length: deviations.length }, (_, unit) => unit);
  return units
    .sort((a, b) => deviations[b] - deviations[a] || a - b)
    .slice(0, count)
    .sort();
}

/**
 * Takes the outlier columns of a matrix as float16.
 *
 * @param columns - ascending, each below the number of columns
 * @throws InputError if a weight is beyond float16
 */
export function keepColumns(
  weights: Float32Array,
  [rows, width]: readonly [number, number],
  columns: Uint32Array,
  name: string,
): OutlierColumns {
  if (columns.some((column, i) => column >= width || (i > 0 && column <= columns[i - 1]))) {
    throw new Error(`outlier columns of "${name}" are not ascending and below ${width}`);
  }
  const kept = new Float32Array(rows * columns.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (const column of columns) kept[at++] = weights[row * width + column];
  }
  const place = (i: number) => `[${Math.floor(i / columns.length)}, ${columns[i % columns.length]}]`;
  return { columns, values: toFloat16(kept, (i) => `tensor "${name}": the outlier weight ${place(i)}`) };
}

/** The weights outside the outlier columns, row-major: `(rows, columns - outliers)`. */
export function dropColumns(weights: Float32Array, width: number, columns: Uint32Array): Float32Array {
  const dropped = new Set(columns);
  const others = Uint32Array.from({ length: width }, (_, column) => column).filter((column) => !dropped.has(column));
  const rest = new Float32Array((weights.length / width) * others.length);
  for (let start = 0, at = 0; start < weights.length; start += width) {
    for (const column of others) rest[at++] = weights[start + column];
  }
  return rest;
}

/** Sum and sum of squares of each unit's `count` weights. */
interface Moments {
  readonly count: number;
  readonly sums: Float64Array;
  readonly squares: Float64Array;
}

function measureMoments({ weights, shape: [rows, columns], axis }: UnitWeights): Moments {
  const units = axis === "rows" ? rows : columns;
  const sums = new Float64Array(units);
  const squares = new Float64Array(units);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const weight = Number.isFinite(weights[i]) ? weights[i] : 0;
      const unit = axis === "rows" ? row : column;
      sums[unit] += weight;
      squares[unit] += weight * weight;
    }
  }
  return { count: axis === "rows" ? columns : rows, sums, squares };
}
