// Data types made for normally distributed weights: NormalFloat (nf) at any width and AbnormalFloat (af) at 4 bits.

import { inverseNormal } from "./inverse-normal.ts";

/**
 * NormalFloat: 2^(k-1) positive and 2^(k-1) - 1 negative quantiles of N(0, 1) and 0, divided by the largest.
 * The quantiles are those at `linspace(d, 1/2, 2^(k-1) + 1)` and, mirrored, at `linspace(d, 1/2, 2^(k-1))`, both without
 * their last, where `d = 1 - (1 / (2 (2^k - 1)) + 1 / (2 2^k)) / 2`.
 *
 * @see QLoRA (arXiv 2305.14314); `create_normal_map` of bitsandbytes, from which d is generalised to every k
 */
export function buildNormalFloat(bits: number): number[] {
  const exact = 1 - (1 / (2 ** bits - 1) + 1 / 2 ** bits) / 4;
  // The published NF4 comes of 7 decimals and of probabilities in float32; so its last digits are kept.
  const outermost = Number(exact.toFixed(7));
  const half = 2 ** (bits - 1);
  const side = (count: number) =>
    Array.from({ length: count }, (_, i) => inverseNormal(linspace(outermost, 0.5, count + 1, i)));
  const largest = inverseNormal(Math.fround(outermost));
  return [...side(half - 1).map((x) => -x), 0, ...side(half)].map((x) => Math.fround(x) / Math.fround(largest));
}

/** Element i of `torch.linspace(start, end, count)`: float32 arithmetic from the nearer end. */
function linspace(start: number, end: number, count: number, i: number): number {
  const f = Math.fround;
  const step = f((f(end) - f(start)) / (count - 1));
  return i < count / 2 ? f(f(start) + f(step * i)) : f(f(end) - f(step * (count - 1 - i)));
}

/**
 * AbnormalFloat AF4 for blocks of 64: the 4-bit values that minimise the expected absolute error of normal weights
 * divided by their block's absmax, with -1, 0 and 1 fixed.
 *
 * @see Yoshida, NF4 Isn't Information Theoretically Optimal (arXiv 2306.06965), the table for block size 64
 */
export function buildAbnormalFloat(): number[] {
  return [
    -1, -0.69441008, -0.51243739, -0.3736951, -0.25607552, -0.14982478, -0.04934812, 0, 0.04273164, 0.12934483,
    0.21961274, 0.31675666, 0.42563882, 0.55496234, 0.72424863, 1,
  ];
}
