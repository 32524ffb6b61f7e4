// What pairs of results say: intervals of their differences that hold for few of them, and McNemar's test of right against
// wrong. Pure functions of numbers.

import { sum } from "../sum.ts";

/** A 95 % interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** An interval and the standard error of what it is of. */
export interface Estimated extends Interval {
  readonly standardError: number;
}

/** Of fewer windows or documents no interval is given, and no verdict: how they spread cannot be told. */
export const fewestPairs = 10;

/**
 * Student's interval of `sum(values) / sum(weights)` with its linearized error: the residuals `value - ratio * weight` are
 * taken as independent, with one degree of freedom less than there are.
 *
 * @param values - differences, one a document or window: `(documents)`
 * @param weights - absent: 1 each
 * @returns undefined below `fewestPairs`
 */
export function estimatePairs(values: readonly number[], weights?: readonly number[]): Estimated | undefined {
  const n = values.length;
  if (n < fewestPairs) return undefined;
  const weight = weights ? sum(weights) : n;
  const ratio = sum(values) / weight;
  const squares = values.map((value, i) => (value - ratio * (weights ? weights[i] : 1)) ** 2);
  const standardError = Math.sqrt((n / (n - 1)) * sum(squares)) / weight;
  const reach = studentQuantile(n - 1) * standardError;
  return { low: ratio - reach, high: ratio + reach, standardError };
}

/**
 * The interval of a difference of two shares over the same documents, after one more loss and one more win; it covers for
 * few documents too, and does not shrink to a point where nothing changes.
 *
 * @param lost - documents that only the base has right
 * @param won - documents that only the other has right
 * @returns undefined below `fewestPairs` documents
 * @see Bonett and Price 2012, doi:10.3102/1076998611411915
 */
export function estimateShares(lost: number, won: number, documents: number): Estimated | undefined {
  if (documents < fewestPairs) return undefined;
  const n = documents + 2;
  const difference = (won - lost) / n;
  const standardError = Math.sqrt(((lost + won + 2) / n - difference * difference) / n);
  const reach = normal * standardError;
  return { low: Math.max(-1, difference - reach), high: Math.min(1, difference + reach), standardError };
}

const normal = 1.959963984540054; // 97.5 % of a standard normal are below

/** What 97.5 % of Student's t are below, to 2e-5 from 9 degrees of freedom on. @see Abramowitz and Stegun 26.7.5 */
export function studentQuantile(degrees: number): number {
  const z = normal;
  const [z3, z5, z7, z9] = [z ** 3, z ** 5, z ** 7, z ** 9];
  return (
    z +
    (z3 + z) / (4 * degrees) +
    (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * degrees ** 3) +
    (79 * z9 + 776 * z7 + 1482 * z5 - 1920 * z3 - 945 * z) / (92160 * degrees ** 4)
  );
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
