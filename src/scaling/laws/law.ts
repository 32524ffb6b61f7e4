// What a law is: a formula of the loss in size, bits, block, variant and tokens of training, with its free parameters.
// A law is a row of the table in laws.ts; its base is one of bases.ts; fit.ts finds the parameters and knows no law by name.

import { type Observation, referenceBlock } from "../observations.ts";
import { type BaseName, bases } from "./bases.ts";

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

/** What a law needs of an observation. */
export type Place = Pick<Observation, "size" | "bits" | "variant" | "block"> & Partial<Pick<Observation, "tokens">>;

/** A place as formulas read it: logarithms, taken once. */
export interface Spot {
  /** `ln(N / N0)`. */
  readonly x: number;
  /** `ln(D / D0)`; 0 where tokens do not vary. */
  readonly y: number;
  readonly bits: number;
  /** Of the design's variants; -1 for a baseline. */
  readonly variant: number;
  /** `ln(B / 64)`. */
  readonly logBlock: number;
}

/** Loss of an unquantized model at `x = ln(N / N0)` and `y = ln(D / D0)`. */
export type BaseLoss = (x: number, y: number) => number;

/** A parametric law. */
export interface Law {
  readonly name: string;
  readonly label: string;
  readonly formula: string;
  /** The same where tokens of training vary; absent: it has no say in them. */
  readonly tokenFormula?: string;
  readonly source: string;
  /** The law of the unquantized models; absent: `power`. */
  readonly base?: BaseName;
  /** Its own parameters, after those of the base; those of blocks and variants follow them. */
  parameters(design: Design): Parameter[];
  /**
   * The loss.
   * @param own - values of `parameters`
   * @param factor - ln of the factor of block and variant, `beta ln(B / 64) + t_variant`
   */
  loss(base: BaseLoss, own: readonly number[], spot: Spot, factor: number, design: Design): number;
}

/** What observations offer. The reference variant is the one measured most often. */
export function describeDesign(observations: readonly Observation[], law?: Law): Design {
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
    tokens: law?.tokenFormula && tokensVary(models) ? geometricMean(models.map((one) => one.tokens!)) : null,
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

/** All parameters of a law over a design: base, own, block, variants. */
export function listParameters(law: Law, design: Design): Parameter[] {
  const block: Parameter[] = design.hasBlocks ? [{ name: "beta", min: -2, max: 2, starts: [0.1] }] : [];
  const variants = design.variants.slice(1).map((name) => ({ name: `ln t(${name})`, min: -6, max: 6, starts: [0] }));
  return [...bases[law.base ?? "power"](design).parameters, ...law.parameters(design), ...block, ...variants];
}

/** The formula that a law has over a design. */
export function formulaOf({ formula, tokenFormula }: Law, { tokens }: Design): string {
  return tokens === null ? formula : (tokenFormula ?? formula);
}

/** A law over a design as functions of its parameters. */
export interface Predictor {
  /** How many parameters the base has. */
  readonly baseParameters: number;
  /** Null where the law was not fitted to know the place: another variant, or tokens that are not known. */
  resolve(place: Place): Spot | null;
  /** The loss at parameters. */
  at(theta: readonly number[]): (spot: Spot) => number;
}

/** The law over a design. */
export function createPredictor(law: Law, design: Design): Predictor {
  const base = bases[law.base ?? "power"](design);
  const ownAt = base.parameters.length;
  const blockAt = ownAt + law.parameters(design).length;
  const variantsAt = blockAt + (design.hasBlocks ? 1 : 0);
  const variantOf = new Map(design.variants.map((name, i) => [name, i]));
  return {
    baseParameters: ownAt,
    resolve({ size, bits, variant, block, tokens = null }) {
      const index = bits >= 16 ? -1 : variantOf.get(variant);
      if (index === undefined || (design.tokens !== null && tokens === null)) return null;
      const y = design.tokens === null ? 0 : Math.log(tokens! / design.tokens);
      return { x: Math.log(size / design.size), y, bits, variant: index, logBlock: Math.log(block / referenceBlock) };
    },
    at(theta) {
      const lossOf: BaseLoss = (x, y) => base.loss(theta, x, y);
      const own = theta.slice(ownAt, blockAt);
      return (spot) => {
        if (spot.bits >= 16) return lossOf(spot.x, spot.y);
        let factor = spot.variant === 0 ? 0 : theta[variantsAt + spot.variant - 1];
        if (design.hasBlocks) factor += theta[blockAt] * spot.logBlock;
        return law.loss(lossOf, own, spot, factor, design);
      };
    },
  };
}
