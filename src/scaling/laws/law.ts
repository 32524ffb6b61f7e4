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
  /** True: E may be below zero, so that the base can be as straight in ln N as it likes. */
  readonly hasFreeFloor?: boolean;
  /** Its parameters after E, ln A and alpha of the base; those of blocks and variants are appended by fit.ts. */
  parameters(design: Design): Parameter[];
  /**
   * The loss.
   * @param base - `E`, `A0`, `alpha` of `E + A0 (N / N0)^-alpha`
   * @param own - values of `parameters`
   * @param factor - ln of the factor of block and variant, `beta ln(B / 64) + t_variant`
   */
  loss(base: Base, own: readonly number[], place: Place, factor: number, design: Design): number;
}

/** The law of the unquantized models, `E + A0 (N / N0)^-alpha`. */
export interface Base {
  readonly floor: number;
  readonly scale: number;
  readonly exponent: number;
}

/** Loss of an unquantized model of `size` parameters. */
export function baseLoss({ floor, scale, exponent }: Base, size: number, design: Design): number {
  return floor + scale * (size / design.size) ** -exponent;
}

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
  const { smallestLoss, largestLoss } = design;
  const scale = Math.log(Math.max(largestLoss - smallestLoss, smallestLoss / 10));
  const base: Parameter[] = [
    {
      name: "E",
      min: law.hasFreeFloor ? -30 * largestLoss : 0,
      max: smallestLoss,
      starts: [0.3, 0.6, 0.9].map((share) => share * smallestLoss),
    },
    { name: "ln A0", min: -15, max: 8, starts: [scale] },
    { name: "alpha", min: 0.01, max: 3, starts: [0.15, 0.4] },
  ];
  const block: Parameter[] = design.hasBlocks ? [{ name: "beta", min: -2, max: 2, starts: [0.1] }] : [];
  const variants = design.variants.slice(1).map((name) => ({ name: `ln t(${name})`, min: -6, max: 6, starts: [0] }));
  return [...base, ...law.parameters(design), ...block, ...variants];
}

/** The law as a function of its parameters. */
export function createPredictor(law: Law, design: Design): (theta: readonly number[], place: Place) => number {
  const own = law.parameters(design).length;
  const blockAt = 3 + own;
  const variantsAt = blockAt + (design.hasBlocks ? 1 : 0);
  const variantOf = new Map(design.variants.map((name, i) => [name, i]));
  return (theta, place) => {
    const base = { floor: theta[0], scale: Math.exp(theta[1]), exponent: theta[2] };
    if (place.bits >= 16) return baseLoss(base, place.size, design);
    const variant = variantOf.get(place.variant);
    if (variant === undefined) return Number.NaN;
    let factor = variant === 0 ? 0 : theta[variantsAt + variant - 1];
    if (design.hasBlocks) factor += theta[blockAt] * Math.log(place.block / referenceBlock);
    return law.loss(base, theta.slice(3, 3 + own), place, factor, design);
  };
}
