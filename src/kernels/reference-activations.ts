// The elementwise functions of the reference, in float64.

import type { Activation } from "./kernels.ts";

/** What each activation computes. */
export const activations: Record<Activation, (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  gelu: (x) => x * normalShare(x),
  geluTanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
};

/** `P(Z <= x)` of the normal distribution, `erfc(-x / sqrt(2)) / 2`. */
function normalShare(x: number): number {
  if (x > 3) return 1 - normalTail(x);
  if (x < -3) return normalTail(-x);
  // Series of all-positive terms: density(x) (x + x^3/3 + x^5/(3 5) + ..).
  let term = x;
  let sum = 0;
  for (let n = 3; Math.abs(term) > 1e-17; n += 2) {
    sum += term;
    term *= (x * x) / n;
  }
  return 0.5 + density(x) * sum;
}

/** `P(Z > x)` for x > 3 by the continued fraction density(x) / (x + 1/(x + 2/(x + 3/(x + ..)))). */
function normalTail(x: number): number {
  let denominator = x;
  for (let n = 60; n > 0; n--) denominator = x + n / denominator;
  return density(x) / denominator;
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}
