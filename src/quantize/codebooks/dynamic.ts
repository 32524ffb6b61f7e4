// The dynamic-exponent data type: sign, a run of z zeros, a one, and a linear fraction in the bits that remain.

/**
 * For each z from 0 to k - 2 the interval [0.1, 1] is cut into 2^(k - 2 - z) equal parts; their centers times 10^-z,
 * both signs, then 0 and +1. The values are not symmetric: there is no -1.
 *
 * Paper: the text bisects [0.1, 0.9]; the code that was run, and this, has [0.1, 1].
 *
 * @see `create_dynamic_map` of bitsandbytes; Dettmers, 8-Bit Approximations for Parallelism in Deep Learning (arXiv 1511.04561)
 */
export function buildDynamic(bits: number): number[] {
  const values = [0, 1];
  for (let zeros = 0; zeros <= bits - 2; zeros++) {
    const parts = 2 ** (bits - 2 - zeros);
    for (let part = 0; part < parts; part++) {
      const center = (0.1 + (0.9 * (part + 0.5)) / parts) * 10 ** -zeros;
      values.push(center, -center);
    }
  }
  return values;
}
