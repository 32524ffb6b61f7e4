// Distribution centering: what is subtracted from the weights before they are quantized and added back after.
// A negative result of the paper (appendix B), kept because it is one of its claims.

import { toFloat16 } from "../tensor/convert.ts";
import { selectOrdered } from "./codebooks/order-statistics.ts";
import { dropColumns } from "./outliers.ts";
import type { OutlierColumns } from "./quantized.ts";
import type { QuantizedSpec } from "./spec.ts";

/**
 * The center of the tensor (`mean`, `median`: one value) or of each block, rounded to float16, over the weights that are
 * coded: outlier columns do not count. The median of an even number is the mean of the middle two.
 *
 * @returns null for `none`
 * @throws InputError if a center is beyond float16
 */
export function measureCenters(
  weights: Float32Array,
  width: number,
  center: QuantizedSpec["center"],
  blockSize: number,
  outliers: OutlierColumns | null,
  name: string,
): Float16Array | null {
  if (center === "none") return null;
  const columns = outliers?.columns ?? new Uint32Array(0);
  const centers =
    center === "median"
      ? Float32Array.of(measureMedian(columns.length > 0 ? dropColumns(weights, width, columns) : weights))
      : measureMeans(weights, width, center === "block" ? blockSize : weights.length, columns);
  return toFloat16(centers, (block) => `tensor "${name}": the center of block ${block}`);
}

function measureMedian(values: Float32Array): number {
  if (values.length === 0) return 0;
  const middle = (values.length - 1) / 2;
  const [below, above] = selectOrdered(values, [Math.floor(middle), Math.ceil(middle)]);
  return (below + above) / 2;
}

/** The mean of each block, 0 where all its weights are outliers: `(ceil(weights.length / blockSize))`. */
function measureMeans(weights: Float32Array, width: number, blockSize: number, columns: Uint32Array): Float32Array {
  const counts = new Uint8Array(width).fill(1);
  for (const column of columns) counts[column] = 0;
  const means = new Float32Array(Math.ceil(weights.length / blockSize));
  for (let block = 0, i = 0, column = 0; block < means.length; block++) {
    let [sum, count] = [0, 0];
    for (const end = Math.min(i + blockSize, weights.length); i < end; i++) {
      if (counts[column] === 1) {
        sum += weights[i];
        count++;
      }
      if (++column === width) column = 0;
    }
    means[block] = count === 0 ? 0 : sum / count;
  }
  return means;
}
