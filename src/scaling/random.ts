// Random numbers for draws of documents, and choices of some of many: the same everywhere and each time.

/** Uniform in [0, 1), fixed by its seed. @see splitmix32 */
export function createUniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Whether the `i`th of many is among this share of them, which steps of the golden ratio spread evenly over the whole. */
export function isPicked(i: number, share: number): boolean {
  return (i * 0.6180339887498949) % 1 < share;
}
