// The float data type: sign, E exponent bits and M = k - 1 - E mantissa bits, without codes for NaN or infinity.

/** How far below the smallest normal value the subnormals lie. */
export type FloatBias = "ieee" | "bnb" | "appendix";

/**
 * The paper leaves three readings of the exponent bias; after division by the largest value they differ only in the
 * subnormals: evenly spaced up to the smallest normal value (`ieee`), or 4 or 16 times smaller than that.
 */
const subnormalShrink: Record<FloatBias, number> = { ieee: 1, bnb: 4, appendix: 16 };

/** The paper's heuristic: half the bits, rounded up (appendix C.4). */
export function defaultExponentBits(bits: number): number {
  return Math.ceil(bits / 2);
}

/**
 * With exponent field e and mantissa field m: `2^e (1 + m / 2^M)` for e > 0 and `2 (m / 2^M) / shrink` for e = 0,
 * both signs, divided by the largest. +0 and -0 are one value, so that one of the 2^k codes is unused.
 *
 * @see Dettmers and Zettlemoyer (arXiv 2212.09720), section 2.2 and appendix A; `create_fp8_map` of bitsandbytes
 */
export function buildFloat(bits: number, exponentBits: number, bias: FloatBias): number[] {
  const mantissas = 2 ** (bits - 1 - exponentBits);
  const exponents = 2 ** exponentBits;
  const largest = 2 ** (exponents - 1) * (2 - 1 / mantissas);
  const positive: number[] = [];
  for (let e = 0; e < exponents; e++) {
    for (let m = 0; m < mantissas; m++) {
      const value = e === 0 ? (2 * m) / mantissas / subnormalShrink[bias] : 2 ** e * (1 + m / mantissas);
      positive.push(value / largest);
    }
  }
  return [...positive.map((value) => -value), ...positive];
}
