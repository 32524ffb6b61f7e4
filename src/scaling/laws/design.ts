// What observations offer to a law: which precisions, variants, blocks and amounts of training tokens there are.

import type { Observation } from "../observations.ts";

/** One free parameter as the optimizer sees it. */
export interface Parameter {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Where to begin; several make several starts. */
  readonly starts: readonly number[];
}

/** What the observations offer to a law. */
export interface Design {
  /** k below 16, ascending. */
  readonly precisions: readonly number[];
  /** The first is the reference, whose factor is 1. */
  readonly variants: readonly string[];
  /** Whether several block sizes were measured. */
  readonly hasBlocks: boolean;
  /** N0, the geometric mean of the sizes, at which factors of size are 1. */
  readonly size: number;
  /** D0, that of the tokens of training, where these vary by themselves; null where the law has no say in them. */
  readonly tokens: number | null;
  readonly smallestLoss: number;
  readonly largestLoss: number;
}

/**
 * What observations offer. The reference variant is the one measured most often.
 *
 * @param hasTokens - whether the law has a say in tokens of training
 */
export function describeDesign(observations: readonly Observation[], hasTokens: boolean): Design {
  const quantized = observations.filter((one) => one.bits < 16);
  const counts = new Map<string, number>();
  for (const { variant } of quantized) counts.set(variant, (counts.get(variant) ?? 0) + 1);
  const models = [...new Map(observations.map((one) => [one.model, one])).values()];
  let [smallestLoss, largestLoss] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { loss } of observations) {
    smallestLoss = Math.min(smallestLoss, loss);
    largestLoss = Math.max(largestLoss, loss);
  }
  return {
    precisions: [...new Set(quantized.map((one) => one.bits))].sort((a, b) => a - b),
    variants: [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1)),
    hasBlocks: new Set(quantized.map((one) => one.block)).size > 1,
    size: geometricMean(models.map((one) => one.size)),
    tokens: hasTokens && tokensVary(models) ? geometricMean(models.map((one) => one.tokens!)) : null,
    smallestLoss,
    largestLoss,
  };
}

/** Least standard deviation of ln D around a straight line in ln N: below it tokens cannot be told from size. */
const leastSpread = 0.1;
/** Models that a base with tokens takes: one more than it has parameters. */
const leastModels = 6;

/** Whether the tokens of training of some models vary by themselves, not along with size, so that a law can tell them apart. */
export function tokensVary(models: readonly Pick<Observation, "size" | "tokens">[]): boolean {
  if (models.length < leastModels || models.some((one) => one.tokens === null)) return false;
  const x = models.map((one) => Math.log(one.size));
  const y = models.map((one) => Math.log(one.tokens!));
  const mean = (values: readonly number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (term: (i: number) => number) => models.reduce((total, _, i) => total + term(i), 0);
  const spread = sum((i) => (x[i] - mx) ** 2);
  const slope = spread > 0 ? sum((i) => (x[i] - mx) * (y[i] - my)) / spread : 0;
  return Math.sqrt(sum((i) => (y[i] - my - slope * (x[i] - mx)) ** 2) / models.length) > leastSpread;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
