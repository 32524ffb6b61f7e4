// The table of laws: how quantization adds to the loss of a model, in the forms of the literature and one free form.
// All share the base E + A / N^alpha; tokens of training do not vary within a family as rows know it, so B / D^beta is
// part of E, and D of Kumar's and Ouyang's factors part of C. `F = (B / 64)^beta t_variant` is block and type.

import type { Design, Law, Parameter } from "./law.ts";

const sizeExponent: Parameter = { name: "gammaN", min: -1, max: 2, starts: [0.2] };
const logScale: Parameter = { name: "ln C", min: -25, max: 6, starts: [-3] };

/** Largest share of parameters that quantization can take in an effective-parameter law. */
const almostAll = 1 - 1e-6;

/** The laws, those with fewest parameters first. */
export const laws: readonly Law[] = [
  {
    name: "effective",
    label: "effective parameters",
    formula: "E + A / (N (1 - F e^(-k / gamma)))^alpha",
    source: "Kumar et al. 2024, arXiv 2411.04330, N_eff = N (1 - e^(-P / gamma))",
    parameters: () => [{ name: "1 / gamma", min: 0.02, max: 10, starts: [0.5, 1.2] }],
    loss(base, [rate], { size, bits }, factor) {
      const lost = Math.min(almostAll, Math.exp(factor - bits * rate));
      return base(size * (1 - lost));
    },
  },
  {
    name: "exponential",
    label: "loss falls exponentially with bits",
    formula: "E + A / N^alpha + C F e^(-k / gamma) / N^gammaN",
    source: "Kumar et al. 2024, arXiv 2411.04330, delta_PTQ = C_T (D^gammaD / N^gammaN) e^(-P / gamma)",
    parameters: () => [logScale, { name: "1 / gamma", min: 0.02, max: 10, starts: [0.6, 1.5] }, sizeExponent],
    loss(base, [scale, rate, exponent], { size, bits }, factor, design) {
      const delta = Math.exp(scale + factor - (bits - 4) * rate - exponent * Math.log(size / design.size));
      return base(size) + delta;
    },
  },
  {
    name: "power",
    label: "loss falls as a power of bits",
    formula: "E + A / N^alpha + C F / (N^gammaN k^gammaP)",
    source: "Ouyang et al. 2024, arXiv 2411.17691, 0.017 D^0.5251 / (N^0.2261 P^5.4967)",
    parameters: () => [logScale, { name: "gammaP", min: 0.1, max: 30, starts: [3, 8] }, sizeExponent],
    loss(base, [scale, power, exponent], { size, bits }, factor, design) {
      const delta = Math.exp(scale + factor - power * Math.log(bits / 4) - exponent * Math.log(size / design.size));
      return base(size) + delta;
    },
  },
  {
    name: "multiplier",
    label: "a multiplier of parameters at each precision",
    formula: "E + A / (N eff_k)^alpha, 1 / eff_k = 1 + F c_k",
    source: "Frantar et al. 2025, arXiv 2502.16440, N eff(C)",
    parameters: fallingSteps,
    loss(base, steps, { size, bits }, factor, design) {
      const lost = Math.exp(climb(steps, bits, design) + factor);
      return base(size / (1 + lost));
    },
  },
  {
    name: "smooth",
    label: "a free, falling penalty at each precision",
    formula: "E + A / N^alpha + c_k F / N^gammaN, c_2 >= c_3 >= ..",
    source: "no formula in k: the monotone fallback",
    parameters: (design) => [...fallingSteps(design), sizeExponent],
    loss(base, own, { size, bits }, factor, design) {
      const exponent = own[own.length - 1];
      const delta = Math.exp(climb(own, bits, design) + factor - exponent * Math.log(size / design.size));
      return base(size) + delta;
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
