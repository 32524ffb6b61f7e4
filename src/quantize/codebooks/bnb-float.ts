// The 4-bit float of bitsandbytes, FP4, as its table has it.

/**
 * `{0, 1/16, 2, 3, 4, 6, 8, 12} / 12` and both signs; the values of `float4:e2:appendix`.
 *
 * @see `get_4bit_type("fp4")` of bitsandbytes
 */
export function buildBnbFloat(): number[] {
  const positive = [0, 0.0625, 2, 3, 4, 6, 8, 12].map((value) => value / 12);
  return [...positive.map((value) => -value), ...positive];
}
