// What a law is: a formula of the loss in size, bits, block and variant, with its free parameters.
// A law is a row of the table in laws.ts; fit.ts finds its parameters and knows no law by name.

import { type Observation, referenceBlock } from "../observations.ts";

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
  readonly smallestLoss: number;
  readonly largestLoss: number;
}

/** What a law needs of an observation. */
export type Place = Pick<Observation, "size" | "bits" | "variant" | "block">;

/** A parametric law. */
export interface Law {
  readonly name: string;
  readonly label: string;
  readonly formula: string;
  readonly source: string;
  /** The law of the unquantized models; absent: `power`. */
  readonly base?: BaseName;
  /** Its own parameters, after the three of the base; those of blocks and variants follow them. */
  parameters(design: Design): Parameter[];
  /**
   * The loss.
   * @param base - loss of an unquantized model of a size
   * @param own - values of `parameters`
   * @param factor - ln of the factor of block and variant, `beta ln(B / 64) + t_variant`
   */
  loss(base: (size: number) => number, own: readonly number[], place: Place, factor: number, design: Design): number;
}

/**
 * Laws of unquantized models, with x = ln(N / N0): `power` is `E + A0 e^(-alpha x)` with E of at least zero; `bent` is
 * `a - b (1 - e^(-c x)) / c`, the same curve by its level, slope and bend at N0, which may be straight or bend either way.
 */
export type BaseName = "power" | "bent";

const bases: Record<
  BaseName,
  { parameters(design: Design): Parameter[]; loss(theta: readonly number[], x: number): number }
> = {
  power: {
    parameters({ smallestLoss, largestLoss }) {
      const scale = Math.log(Math.max(largestLoss - smallestLoss, smallestLoss / 10));
      return [
        { name: "E", min: 0, max: smallestLoss, starts: [0.3, 0.6, 0.9].map((share) => share * smallestLoss) },
        { name: "ln A0", min: -15, max: 8, starts: [scale] },
        { name: "alpha", min: 0.01, max: 3, starts: [0.15, 0.4] },
      ];
    },
    loss: ([floor, logScale, exponent], x) => floor + Math.exp(logScale - exponent * x),
  },
  bent: {
    parameters: ({ smallestLoss, largestLoss }) => [
      { name: "a", min: 0, max: 2 * largestLoss, starts: [(smallestLoss + largestLoss) / 2] },
      { name: "b", min: -largestLoss, max: largestLoss, starts: [(largestLoss - smallestLoss) / 4] },
      { name: "c", min: -2, max: 3, starts: [0.05, 0.4] },
    ],
    loss: ([level, slope, bend], x) =>
      level + (Math.abs(bend * x) < 1e-9 ? -slope * x : (slope * Math.expm1(-bend * x)) / bend),
  },
};

/** What observations offer. The reference variant is the one measured most often. */
export function describeDesign(observations: readonly Observation[]): Design {
  const quantized = observations.filter((one) => one.bits < 16);
  const counts = new Map<string, number>();
  for (const { variant } of quantized) counts.set(variant, (counts.get(variant) ?? 0) + 1);
  const logSizes = [...new Map(observations.map((one) => [one.model, Math.log(one.size)])).values()];
  const losses = observations.map((one) => one.loss);
  return {
    precisions: [...new Set(quantized.map((one) => one.bits))].sort((a, b) => a - b),
    variants: [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1)),
    hasBlocks: new Set(quantized.map((one) => one.block)).size > 1,
    size: Math.exp(logSizes.reduce((sum, value) => sum + value, 0) / logSizes.length),
    smallestLoss: Math.min(...losses),
    largestLoss: Math.max(...losses),
  };
}

/** All parameters of a law over a design: base, own, block, variants. */
export function listParameters(law: Law, design: Design): Parameter[] {
  const block: Parameter[] = design.hasBlocks ? [{ name: "beta", min: -2, max: 2, starts: [0.1] }] : [];
  const variants = design.variants.slice(1).map((name) => ({ name: `ln t(${name})`, min: -6, max: 6, starts: [0] }));
  return [...bases[law.base ?? "power"].parameters(design), ...law.parameters(design), ...block, ...variants];
}

/** The law as a function of its parameters. */
export function createPredictor(law: Law, design: Design): (theta: readonly number[], place: Place) => number {
  const own = law.parameters(design).length;
  const blockAt = 3 + own;
  const variantsAt = blockAt + (design.hasBlocks ? 1 : 0);
  const variantOf = new Map(design.variants.map((name, i) => [name, i]));
  return (theta, place) => {
    const base = (size: number) => bases[law.base ?? "power"].loss(theta, Math.log(size / design.size));
    if (place.bits >= 16) return base(place.size);
    const variant = variantOf.get(place.variant);
    if (variant === undefined) return Number.NaN;
    let factor = variant === 0 ? 0 : theta[variantsAt + variant - 1];
    if (design.hasBlocks) factor += theta[blockAt] * Math.log(place.block / referenceBlock);
    return law.loss(base, theta.slice(3, 3 + own), place, factor, design);
  };
}
