// The quantile data type: values that equally many weights of the tensor are nearest to, as far as 2^k values can.

import { InputError } from "../../input-error.ts";
import { inverseNormal } from "./inverse-normal.ts";
import { type RankedValues, selectOrdered } from "./order-statistics.ts";

/** How the quantiles are estimated: exactly, as SRAM-Quantiles does, or by equation 6 of the paper taken literally. */
export type QuantileEstimator = "exact" | "sram" | "eq6";

const chunkSize = 4096; // weights that SRAM-Quantiles sorts at once

/**
 * The quantiles of the weights and 0, divided by the largest magnitude.
 *
 * With n = 2^k - 1: `exact` takes those at `linspace(1/(2n), 1 - 1/(2n), n)`, linearly interpolated; `sram` the same as
 * bitsandbytes estimated them; `eq6` takes `(Q(i / (2^k + 1)) + Q((i + 1) / (2^k + 1))) / 2`, i = 0 .. 2^k - 1.
 *
 * Paper: equation 6 and 0 are 2^k + 1 values, one more than there are codes; here 0 replaces the quantile nearest to it.
 *
 * @param weights - those to be coded, for `sram` in their own order; without them the quantiles are those of N(0, 1)
 * @throws InputError for `eq6` without weights, as its lowest value takes in the minimum
 * @see Dettmers and Zettlemoyer (arXiv 2212.09720), appendix A; `create_quantile_map` of bitsandbytes, which was run
 */
export function buildQuantile(
  bits: number,
  estimator: QuantileEstimator,
  weights?: Float32Array | RankedValues,
): number[] {
  if (weights?.length === 0) return [0];
  const values = estimateQuantiles(bits, estimator, weights);
  const largest = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return largest === 0 ? [0] : [...values.map((value) => value / largest), 0];
}

function estimateQuantiles(
  bits: number,
  estimator: QuantileEstimator,
  weights?: Float32Array | RankedValues,
): number[] {
  const n = 2 ** bits - 1;
  if (estimator === "eq6") {
    if (!weights) {
      throw new InputError(
        `quantile${bits}:eq6 needs weights: its lowest value takes in their minimum, and N(0, 1) has none; ` +
          "name a model, or leave out eq6",
      );
    }
    const q = exactQuantiles(
      weights,
      Array.from({ length: 2 ** bits + 1 }, (_, i) => i / (2 ** bits + 1)),
    );
    const means = Array.from({ length: 2 ** bits }, (_, i) => (q[i] + q[i + 1]) / 2);
    const nearest = means.reduce((best, mean, i) => (Math.abs(mean) < Math.abs(means[best]) ? i : best), 0);
    return means.toSpliced(nearest, 1);
  }
  const probabilities =
    estimator === "exact"
      ? Array.from({ length: n }, (_, i) => (i + 0.5) / n)
      : // The kernel makes 256 quantiles from 1/(2n) to 1 - 1/(2n); n of them are taken at truncated indices.
        Array.from({ length: n }, (_, i) => 1 / (2 * n) + (Math.floor((255 * i) / (n - 1)) * (1 - 1 / n)) / 255);
  if (!weights) return probabilities.map(inverseNormal);
  if (estimator === "exact") return exactQuantiles(weights, probabilities);
  if (!(weights instanceof Float32Array)) throw new Error("SRAM quantiles need the weights in their own order");
  return sramQuantiles(weights, probabilities);
}

/** Quantiles by linear interpolation between order statistics, NumPy's default: rank `p (N - 1)`. */
function exactQuantiles(weights: Float32Array | RankedValues, probabilities: readonly number[]): number[] {
  const places = probabilities.map((p) => p * (weights.length - 1));
  const ordered = selectOrdered(
    weights,
    places.flatMap((place) => [Math.floor(place), Math.ceil(place)]),
  );
  return places.map((place, i) => {
    const [below, above] = ordered.slice(2 * i, 2 * i + 2);
    return below + (above - below) * (place - Math.floor(place));
  });
}

/**
 * SRAM-Quantiles: the means over chunks of 4096 weights of each chunk's own quantiles, at the nearest rank.
 * A last, shorter chunk counts only if it is the only one.
 *
 * @see `kEstimateQuantiles` of bitsandbytes
 */
function sramQuantiles(weights: Float32Array, probabilities: readonly number[]): number[] {
  const chunks = Math.max(1, Math.floor(weights.length / chunkSize));
  const means = probabilities.map(() => 0);
  for (let c = 0; c < chunks; c++) {
    const chunk = weights.slice(c * chunkSize, (c + 1) * chunkSize).sort();
    probabilities.forEach((p, i) => {
      means[i] += chunk[Math.round(p * (chunk.length - 1))] / chunks;
    });
  }
  return means;
}
