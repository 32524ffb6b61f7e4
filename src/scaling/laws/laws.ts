// The table of laws: how quantization adds to the loss of a model, in the forms of the literature and one free form.
// All share the base E + A / N^alpha, and B / D^beta where tokens of training vary by themselves. Where they do not, that is
// part of E, and D of Kumar's and Ouyang's factors part of C. `F = (B / 64)^beta t_variant` is block and type.

import type { Design, Parameter } from "./design.ts";
import type { Law } from "./law.ts";

const sizeExponent: Parameter = { name: "gammaN", min: -1, max: 2, starts: [0.2] };
const tokenExponent: Parameter = { name: "gammaD", min: -1, max: 2, starts: [0.2] };
const logScale: Parameter = { name: "ln C", min: -25, max: 6, starts: [-3] };

/** What quantization costs goes with size, and with tokens where they vary. */
const exponents = ({ tokens }: Design) => (tokens === null ? [sizeExponent] : [sizeExponent, tokenExponent]);

/** Largest share of parameters that quantization can take in an effective-parameter law. */
const almostAll = 1 - 1e-6;

/** The laws, those with fewest parameters first. */
export const laws: readonly Law[] = [
  {
    name: "effective",
    label: "effective parameters",
    formula: "E + A / (N (1 - F e^(-k / gamma)))^alpha",
    tokenFormula: "E + A / (N (1 - F e^(-k / gamma)))^alpha + B / D^beta",
    source: "Kumar et al. 2024, arXiv 2411.04330, N_eff = N (1 - e^(-P / gamma))",
    parameters: () => [{ name: "1 / gamma", min: 0.02, max: 10, starts: [0.5, 1.2] }],
    loss(base, [rate], { x, y, bits }, factor) {
      const lost = Math.min(almostAll, Math.exp(factor - bits * rate));
      return base(x + Math.log1p(-lost), y);
    },
  },
  {
    name: "exponential",
    label: "loss falls exponentially with bits",
    formula: "E + A / N^alpha + C F e^(-k / gamma) / N^gammaN",
    tokenFormula: "E + A / N^alpha + B / D^beta + C F D^gammaD e^(-k / gamma) / N^gammaN",
    source: "Kumar et al. 2024, arXiv 2411.04330, delta_PTQ = C_T (D^gammaD / N^gammaN) e^(-P / gamma)",
    parameters: (design) => [
      logScale,
      { name: "1 / gamma", min: 0.02, max: 10, starts: [0.6, 1.5] },
      ...exponents(design),
    ],
    loss(base, [scale, rate, ofSize, ofTokens = 0], { x, y, bits }, factor) {
      return base(x, y) + Math.exp(scale + factor - (bits - 4) * rate - ofSize * x + ofTokens * y);
    },
  },
  {
    name: "power",
    label: "loss falls as a power of bits",
    formula: "E + A / N^alpha + C F / (N^gammaN k^gammaP)",
    tokenFormula: "E + A / N^alpha + B / D^beta + C F D^gammaD / (N^gammaN k^gammaP)",
    source: "Ouyang et al. 2024, arXiv 2411.17691, 0.017 D^0.5251 / (N^0.2261 P^5.4967)",
    parameters: (design) => [logScale, { name: "gammaP", min: 0.1, max: 30, starts: [3, 8] }, ...exponents(design)],
    loss(base, [scale, power, ofSize, ofTokens = 0], { x, y, bits }, factor) {
      return base(x, y) + Math.exp(scale + factor - power * Math.log(bits / 4) - ofSize * x + ofTokens * y);
    },
  },
  {
    name: "multiplier",
    label: "a multiplier of parameters at each precision",
    formula: "E + A / (N eff_k)^alpha, 1 / eff_k = 1 + F c_k",
    tokenFormula: "E + A / (N eff_k)^alpha + B / D^beta, 1 / eff_k = 1 + F c_k",
    source: "Frantar et al. 2025, arXiv 2502.16440, N eff(C)",
    parameters: fallingSteps,
    loss(base, steps, { x, y, bits }, factor, design) {
      return base(x - Math.log1p(Math.exp(climb(steps, bits, design) + factor)), y);
    },
  },
  {
    name: "smooth",
    label: "a free, falling penalty at each precision",
    formula: "E + A / N^alpha + c_k F / N^gammaN, c_2 >= c_3 >= ..",
    tokenFormula: "E + A / N^alpha + B / D^beta + c_k F D^gammaD / N^gammaN, c_2 >= c_3 >= ..",
    source: "no formula in k: the monotone fallback",
    parameters: (design) => [...fallingSteps(design), ...exponents(design)],
    loss(base, own, { x, y, bits }, factor, design) {
      const [ofSize, ofTokens = 0] = own.slice(design.precisions.length);
      return base(x, y) + Math.exp(climb(own, bits, design) + factor - ofSize * x + ofTokens * y);
    },
  },
];

// ln c of the highest precision, then how much ln c rises with each precision below it: never less than nothing.
function fallingSteps({ precisions }: Design): Parameter[] {
  return precisions
    .map((bits, i): Parameter => {
      if (i === precisions.length - 1) return { name: `ln c(${bits})`, min: -15, max: 6, starts: [-5] };
      const gap = precisions[i + 1] - bits;
      return { name: `ln c(${bits}) - ln c(${precisions[i + 1]})`, min: 0, max: 12, starts: [1.2 * gap] };
    })
    .reverse();
}

// Between measured precisions ln c is straight; beyond them there is none.
function climb(steps: readonly number[], bits: number, { precisions }: Design): number {
  let sum = steps[0];
  for (let i = precisions.length - 1; i > 0; i--) {
    if (bits >= precisions[i]) break;
    const share = Math.min(1, (precisions[i] - bits) / (precisions[i] - precisions[i - 1]));
    sum += share * steps[precisions.length - i];
  }
  return bits > precisions[precisions.length - 1] || bits < precisions[0] ? Number.NaN : sum;
}
