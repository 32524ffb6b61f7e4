// Laws of unquantized models, which the laws of quantization start from.

import type { Design, Parameter } from "./design.ts";

/**
 * With x = ln(N / N0) and y = ln(D / D0): `power` is `E + A0 e^(-alpha x)` with E of at least zero, and `+ B0 e^(-beta y)`
 * where tokens of training vary; `bent` is `a - b (1 - e^(-c x)) / c`, the same curve by its level, slope and bend at N0,
 * which may be straight or bend either way.
 */
export type BaseName = "power" | "bent";

/** A law of unquantized models. */
export interface Base {
  readonly parameters: readonly Parameter[];
  /** The loss; its parameters are the first of `theta`. */
  loss(theta: readonly number[], x: number, y: number): number;
}

/** The table of bases, each over what was measured. */
export const bases: Record<BaseName, (design: Design) => Base> = {
  power({ smallestLoss, largestLoss, tokens }) {
    const scale = Math.log(Math.max(largestLoss - smallestLoss, smallestLoss / 10));
    const ofSize: Parameter[] = [
      { name: "E", min: 0, max: smallestLoss, starts: [0.3, 0.6, 0.9].map((share) => share * smallestLoss) },
      { name: "ln A0", min: -15, max: 8, starts: [scale] },
      { name: "alpha", min: 0.01, max: 3, starts: [0.15, 0.4] },
    ];
    const ofTokens: Parameter[] = [
      { name: "ln B0", min: -15, max: 8, starts: [scale - 1] },
      { name: "betaD", min: 0.01, max: 3, starts: [0.3] },
    ];
    if (tokens === null)
      return { parameters: ofSize, loss: (theta, x) => theta[0] + Math.exp(theta[1] - theta[2] * x) };
    return {
      parameters: [...ofSize, ...ofTokens],
      loss: (theta, x, y) => theta[0] + Math.exp(theta[1] - theta[2] * x) + Math.exp(theta[3] - theta[4] * y),
    };
  },
  bent: ({ smallestLoss, largestLoss }) => ({
    parameters: [
      { name: "a", min: 0, max: 2 * largestLoss, starts: [(smallestLoss + largestLoss) / 2] },
      { name: "b", min: -largestLoss, max: largestLoss, starts: [(largestLoss - smallestLoss) / 4] },
      { name: "c", min: -2, max: 3, starts: [0.05, 0.4] },
    ],
    loss: ([level, slope, bend], x) =>
      level + (Math.abs(bend * x) < 1e-9 ? -slope * x : (slope * Math.expm1(-bend * x)) / bend),
  }),
};
