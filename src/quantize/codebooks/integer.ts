// The integer data type: evenly spaced values.

/**
 * `{-(2^(k-1) - 1), .., 2^(k-1) - 1} / (2^(k-1) - 1)`: symmetric, so that one of the 2^k codes is unused.
 *
 * @see Dettmers and Zettlemoyer (arXiv 2212.09720), appendix A
 */
export function buildInteger(bits: number): number[] {
  const largest = 2 ** (bits - 1) - 1;
  return Array.from({ length: 2 * largest + 1 }, (_, i) => (i - largest) / largest);
}
