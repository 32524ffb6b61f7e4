// Statistics of two models over the same tokens, as llama.cpp's --kl-divergence defines them, from one pass over both
// models' logits. Per token only a few numbers are kept, never a distribution.

import { sum } from "../sum.ts";

/** A mean and its standard error over tokens, `sqrt((E[x^2] - E[x]^2) / (n - 1))`; absent below two tokens. */
export interface Mean {
  readonly value: number;
  readonly standardError?: number;
}

/** How a quantity is spread over tokens; percentiles interpolate linearly, as NumPy's do. */
export interface Spread {
  readonly mean: Mean;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** By percent: 0.1, 1, 5, 10, 25, 75, 90, 95, 99, 99.9. */
  readonly percentiles: Readonly<Record<string, number>>;
}

const percents = [0.1, 1, 5, 10, 25, 75, 90, 95, 99, 99.9];

/** What tokens say about a base and another model. */
export interface TokenStatistics {
  readonly tokens: number;
  /** Perplexities of both; the errors by the delta method. */
  readonly perplexity: Mean;
  readonly basePerplexity: Mean;
  /** `ln(perplexity / basePerplexity)`; its error knows that both are taken over the same tokens. */
  readonly logRatio: Mean;
  readonly ratio: Mean;
  readonly difference: Mean;
  /** Of the two models' log-probabilities of the right token. */
  readonly correlation: number;
  /** `sum_v p_base(v) ln(p_base(v) / p(v))` over the whole vocabulary, nats. */
  readonly divergence: Spread;
  /** Mean of the same over tokens with `ln p_base > -16`, which is what llama.cpp adds up. */
  readonly divergenceAbove16: Mean;
  /** `p - p_base` of the right token. */
  readonly probabilityChange: Spread;
  /** Root mean square of it. */
  readonly rmsProbabilityChange: Mean;
  /** Share of tokens at which both models hold the same token for the likeliest. */
  readonly sameTop: Mean;
}

/** One position, both models. */
export interface TokenPair {
  readonly baseLogProb: number;
  readonly logProb: number;
  readonly divergence: number;
  readonly divergenceAbove16: number;
  readonly sameTop: boolean;
}

/**
 * Compares two rows of logits, in double precision.
 *
 * @param target - the right token
 */
export function compareRows(base: Float32Array, other: Float32Array, target: number): TokenPair {
  const first = normalizeRow(base);
  const second = normalizeRow(other);
  let divergence = 0;
  let above = 0;
  for (let i = 0; i < base.length; i++) {
    const baseLogProb = base[i] - first.logSum;
    const p = Math.exp(baseLogProb);
    if (p === 0) continue; // its share is 0, even where both are minus infinity
    const term = p * (baseLogProb - (other[i] - second.logSum));
    divergence += term;
    if (baseLogProb > -16) above += term;
  }
  return {
    baseLogProb: base[target] - first.logSum,
    logProb: other[target] - second.logSum,
    divergence,
    divergenceAbove16: above,
    sameTop: first.best === second.best,
  };
}

function normalizeRow(row: Float32Array): { logSum: number; best: number } {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  const top = row[best];
  let total = 0;
  for (let i = 0; i < row.length; i++) total += Math.exp(row[i] - top);
  return { logSum: top + Math.log(total), best };
}

/** Collects positions; `summarize` may be called once all are in. */
export function collectTokens(count: number) {
  const baseLogProbs = new Float64Array(count);
  const logProbs = new Float64Array(count);
  const divergences = new Float64Array(count);
  const above = new Float64Array(count);
  const changes = new Float64Array(count);
  let same = 0;
  let n = 0;
  return {
    add(pair: TokenPair): void {
      baseLogProbs[n] = pair.baseLogProb;
      logProbs[n] = pair.logProb;
      divergences[n] = pair.divergence;
      above[n] = pair.divergenceAbove16;
      changes[n] = Math.exp(pair.logProb) - Math.exp(pair.baseLogProb);
      if (pair.sameTop) same++;
      n++;
    },
    summarize(): TokenStatistics {
      if (n !== count) throw new Error(`${n} of ${count} tokens`);
      const nll = meanOf(logProbs.map((value) => -value));
      const baseNll = meanOf(baseLogProbs.map((value) => -value));
      const logRatio = meanOf(logProbs.map((value, i) => baseLogProbs[i] - value));
      const covariance = covarianceOf(logProbs, baseLogProbs) / (n - 1);
      const perplexity = exponential(nll);
      const basePerplexity = exponential(baseNll);
      const [e, f] = [perplexity, basePerplexity].map(({ standardError = 0 }) => standardError);
      const spread = e * e + f * f - 2 * perplexity.value * basePerplexity.value * covariance;
      const squares = meanOf(changes.map((value) => value * value));
      const rms = Math.sqrt(squares.value);
      const share = same / n;
      return {
        tokens: n,
        perplexity,
        basePerplexity,
        logRatio,
        ratio: exponential(logRatio),
        difference: withError(
          perplexity.value - basePerplexity.value,
          n > 1 ? Math.sqrt(Math.max(0, spread)) : undefined,
        ),
        correlation:
          covarianceOf(logProbs, baseLogProbs) /
          Math.sqrt(covarianceOf(logProbs, logProbs) * covarianceOf(baseLogProbs, baseLogProbs)),
        divergence: spreadOf(divergences),
        divergenceAbove16: meanOf(above),
        probabilityChange: spreadOf(changes),
        rmsProbabilityChange: withError(
          rms,
          squares.standardError === undefined ? undefined : rms > 0 ? (0.5 / rms) * squares.standardError : 0,
        ),
        sameTop: withError(share, n > 1 ? Math.sqrt((share * (1 - share)) / (n - 1)) : undefined),
      };
    },
  };
}

/** Mean of the products of deviations. */
function covarianceOf(a: Float64Array, b: Float64Array): number {
  const meanA = sum(a) / a.length;
  const meanB = sum(b) / b.length;
  return sum(a.map((value, i) => (value - meanA) * (b[i] - meanB))) / a.length;
}

function meanOf(values: Float64Array): Mean {
  const n = values.length;
  const value = sum(values) / n;
  return withError(value, n > 1 ? Math.sqrt(covarianceOf(values, values) / (n - 1)) : undefined);
}

function exponential({ value, standardError }: Mean): Mean {
  const raised = Math.exp(value);
  return withError(raised, standardError === undefined ? undefined : raised * standardError);
}

function withError(value: number, standardError: number | undefined): Mean {
  return standardError === undefined ? { value } : { value, standardError };
}

function spreadOf(values: Float64Array): Spread {
  const sorted = values.toSorted();
  return {
    mean: meanOf(values),
    median: findQuantile(sorted, 0.5),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    percentiles: Object.fromEntries(percents.map((percent) => [percent, findQuantile(sorted, percent / 100)])),
  };
}

/** Linear interpolation between the two nearest of `(n)` ascending values. */
export function findQuantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const part = place - low;
  return part === 0 ? sorted[low] : (1 - part) * sorted[low] + part * sorted[low + 1];
}
