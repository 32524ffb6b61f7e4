// Seeded random numbers: the same seed gives the same sequence on every machine.
// For synthetic weights, bootstrap samples and sampled text; not for secrets.

/** A stream of random numbers, fixed by its seed. */
export interface Random {
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number;
  /** A whole number, uniform in [0, limit). */
  integer(limit: number): number;
  /** Standard normal, N(0, 1). */
  normal(): number;
  /** Student's t with the given degrees of freedom: heavier tails the fewer they are. */
  studentT(degrees: number): number;
}

/**
 * A generator started from a whole number.
 *
 * @see xoshiro128** 1.1 (Blackman and Vigna, 2018), its state filled by splitmix32
 */
export function createRandom(seed: number): Random {
  let mix = seed | 0;
  const splitmix = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];

  const next32 = () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };

  const uniform = () => ((next32() >>> 5) * 0x4000000 + (next32() >>> 6)) / 2 ** 53;

  // Marsaglia's polar method makes normals in pairs.
  let spare: number | undefined;
  const normal = () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      spare = y * factor;
      return x * factor;
    }
  };

  // Marsaglia and Tsang (2000), for shape >= 1; smaller shapes are raised by one and scaled back.
  const gamma = (shape: number): number => {
    if (shape < 1) return gamma(shape + 1) * uniform() ** (1 / shape);
    const third = shape - 1 / 3;
    const scale = 1 / Math.sqrt(9 * third);
    for (;;) {
      const x = normal();
      const v = (1 + scale * x) ** 3;
      if (v > 0 && Math.log(1 - uniform()) < 0.5 * x * x + third - third * v + third * Math.log(v)) return third * v;
    }
  };

  return {
    uniform,
    integer: (limit) => Math.floor(uniform() * limit),
    normal,
    studentT: (degrees) => normal() / Math.sqrt((2 * gamma(degrees / 2)) / degrees),
  };
}
