// What a law is: a formula of the loss in size, bits, block, variant and tokens of training, with its free parameters.
// A law is a row of the table in laws.ts; its base is one of bases.ts; fit.ts finds the parameters and knows no law by name.

import { type Observation, referenceBlock } from "../observations.ts";
import { type BaseName, bases } from "./bases.ts";
import type { Design, Parameter } from "./design.ts";

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
  /** Whether a parameter has a say in the loss at a place: that of a variant has none at others. */
  concerns(parameter: number, spot: Spot): boolean;
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
    concerns(parameter, { bits, variant }) {
      if (parameter < ownAt) return true;
      return bits < 16 && (parameter < variantsAt || parameter === variantsAt + variant - 1);
    },
    resolve({ size, bits, variant, block, tokens = null }) {
      const index = bits >= 16 ? -1 : variantOf.get(variant);
      if (index === undefined || (design.tokens !== null && tokens === null)) return null;
      const y = design.tokens === null ? 0 : Math.log(tokens! / design.tokens);
      return { x: Math.log(size / design.size), y, bits, variant: index, logBlock: Math.log(block / referenceBlock) };
    },
    at(theta) {
      // Rows of a model stand side by side and mostly ask for the same place.
      let [lastX, lastY, last] = [Number.NaN, Number.NaN, Number.NaN];
      const lossOf: BaseLoss = (x, y) => {
        if (x !== lastX || y !== lastY) [lastX, lastY, last] = [x, y, base.loss(theta, x, y)];
        return last;
      };
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
