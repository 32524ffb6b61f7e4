// What pairs of results say: a bootstrap of their differences, and McNemar's test of right against wrong.
// Pure functions of numbers; the draws are fixed, so that a comparison repeats to the digit.

import { createPythonRandom } from "../mersenne.ts";
import { findQuantile } from "./tokens.ts";

/** A 95 % interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** An interval and the deviation of the resamples. */
export interface Resampled extends Interval {
  readonly standardError: number;
}

const resamples = 10000;

/**
 * Percentile bootstrap of `sum(values) / sum(weights)`: documents are drawn with replacement, each with its weight.
 *
 * @param values - differences, one a document: `(documents)`
 * @param weights - absent: 1 each
 * @returns undefined below two documents
 */
export function resamplePairs(values: readonly number[], weights?: readonly number[]): Resampled | undefined {
  const n = values.length;
  if (n < 2) return undefined;
  const random = createPythonRandom(0);
  const means = new Float64Array(resamples);
  let block = random.nextBlock();
  let at = 0;
  for (let r = 0; r < resamples; r++) {
    let total = 0;
    let weight = 0;
    for (let i = 0; i < n; i++) {
      if (at === block.length) {
        block = random.nextBlock();
        at = 0;
      }
      const drawn = Math.floor(block[at++] * n);
      total += values[drawn];
      weight += weights ? weights[drawn] : 1;
    }
    means[r] = total / weight;
  }
  means.sort();
  const center = means.reduce((sum, value) => sum + value, 0) / resamples;
  const squares = means.reduce((sum, value) => sum + (value - center) ** 2, 0);
  return {
    low: findQuantile(means, 0.025),
    high: findQuantile(means, 0.975),
    standardError: Math.sqrt(squares / (resamples - 1)),
  };
}

/**
 * McNemar's exact test, two-sided: how likely is a split as uneven as this if either way were as likely,
 * `min(1, 2 sum_{i <= min(a, b)} C(a + b, i) / 2^(a + b))`.
 *
 * @param lost - documents that only the base has right
 * @param won - documents that only the other has right
 */
export function testMcNemar(lost: number, won: number): number {
  const n = lost + won;
  let logTerm = -n * Math.LN2; // ln(C(n, i) / 2^n)
  let tail = 0;
  for (let i = 0; i <= Math.min(lost, won); i++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((n - i) / (i + 1));
  }
  return Math.min(1, 2 * tail);
}
