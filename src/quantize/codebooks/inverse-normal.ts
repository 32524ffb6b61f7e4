// The quantile function of the standard normal distribution.

/** Numerator and denominator of a rational function, constant term first. */
type Rational = readonly [readonly number[], readonly number[]];

// In q^2 with q = p - 1/2, for |q| <= 0.425.
const central: Rational = [
  [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
];

// In r = sqrt(-ln p) - 1.6, for r <= 3.4.
const tail: Rational = [
  [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
];

/**
 * `x` with `Phi(x) = p`, to about 1e-15, for p from 1e-10 to 1 - 1e-10 (beyond that a third formula would be needed).
 *
 * @see Wichura, Algorithm AS 241 (1988), PPND16
 */
export function inverseNormal(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * evaluate(central, 0.180625 - q * q);
  const r = Math.sqrt(-Math.log(Math.min(p, 1 - p)));
  return Math.sign(q) * evaluate(tail, r - 1.6);
}

function evaluate([numerator, denominator]: Rational, x: number): number {
  const horner = (coefficients: readonly number[]) => coefficients.reduceRight((sum, c) => sum * x + c, 0);
  return horner(numerator) / horner(denominator);
}
