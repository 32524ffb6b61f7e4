// Compares precisions at equal total bits with intervals: a base of size plus, for each precision, an offset and a slope,
// fitted to one kind of spec across models. The curves of the paper are parallel where the gap between them is the same
// at every budget. Only budgets that both precisions were measured around are asked about.

import { InputError } from "../input-error.ts";
import { createUncertainty, type Estimate, pValueOf, type Term, type Uncertainty } from "./contrast.ts";
import { type Fit, fitLaw } from "./fit.ts";
import type { Law } from "./laws/law.ts";
import type { Observation } from "./observations.ts";
import { groupBy } from "./series.ts";

/** One kind of spec across precisions and models, fitted. */
export interface EqualBits {
  readonly fit: Fit;
  readonly uncertainty: Uncertainty;
  /** Ascending; 16 or more are the baseline. */
  readonly precisions: readonly number[];
  /** Budgets in bits that both precisions were measured around; null where there are none. */
  range(first: number, second: number): [number, number] | null;
  /** How much lower the loss of `first` is at equal bits, as a mean over the range in log bits. */
  meanAdvantage(first: number, second: number): Estimate;
  /** By how much that advantage, as a mean over `firsts`, grows from the smallest to the largest budget of each range: zero if parallel. */
  growth(firsts: readonly number[], second: number): Estimate;
  /** How the loss of a model changes as its bits grow by a factor e at one precision; negative. */
  lossSlope(size: number): number;
}

/** Budgets at which a range is read. */
const budgetsRead = 9;

// Linear in ln N, so that neither sign nor direction of a precision's penalty is assumed.
const offsetsAndSlopes: Law = {
  name: "offsets",
  label: "an offset and a slope of size at each precision",
  formula: "a - b (1 - e^(-c x)) / c + c_k + s_k x, x = ln(N / N0)",
  source: "no law: the frame of the tests at equal bits",
  base: "bent",
  parameters: ({ precisions }) =>
    precisions.flatMap((bits) => [
      { name: `c(${bits})`, min: -10, max: 10, starts: [0.05] },
      { name: `s(${bits})`, min: -10, max: 10, starts: [0] },
    ]),
  loss(base, own, { x, y, bits }, _factor, design) {
    const k = design.precisions.indexOf(bits);
    return k < 0 ? Number.NaN : base(x, y) + own[2 * k] + own[2 * k + 1] * x;
  },
};

/**
 * The comparison for observations of one kind of spec and the baselines: one row a model and precision.
 *
 * @throws InputError with too few models to fit
 */
export function compareAtEqualBits(observations: readonly Observation[]): EqualBits {
  const sizes = new Set(observations.map((o) => o.size)).size;
  if (sizes < 3)
    throw new InputError(
      `Precisions are compared at equal bits across sizes: that takes at least 3 of a family, and there ${sizes === 1 ? "is 1" : `are ${sizes}`}.`,
    );
  const widths = new Set(observations.map((o) => o.bits));
  if (widths.size < 2) throw new InputError(`All results are at ${[...widths][0]} bits: there is nothing to compare.`);
  const one = observations.map((o) => ({ ...o, variant: o.bits < 16 ? "one" : "" }));
  const counted = groupBy(one, (o) => String(o.bits));
  const usable = [...counted.values()].filter((rows) => rows.length > 1).flat();
  const fit = fitLaw(usable, offsetsAndSlopes);
  const uncertainty = createUncertainty(fit);
  const precisions = [...new Set(usable.map((o) => o.bits))].sort((a, b) => a - b);
  const linesOf = new Map(precisions.map((bits) => [bits, sizeLine(usable.filter((o) => o.bits === bits))]));

  const range = (first: number, second: number): [number, number] | null => {
    const [a, b] = [linesOf.get(first), linesOf.get(second)];
    if (a === undefined || b === undefined) return null;
    const low = Math.max(a[0].bits, b[0].bits);
    const high = Math.min(a[a.length - 1].bits, b[b.length - 1].bits);
    return low < high ? [low, high] : null;
  };
  // The loss of `second` less that of `first` at a budget.
  const gapAt = (first: number, second: number, bits: number, weight: number): Term[] =>
    [second, first].map((precision, i) => ({
      coefficient: i === 0 ? weight : -weight,
      size: sizeAt(linesOf.get(precision)!, bits),
      bits: precision,
      variant: precision < 16 ? "one" : "",
      block: 64,
    }));
  const none: Estimate = { value: Number.NaN, standardError: null, degrees: 0 };

  return {
    fit,
    uncertainty,
    precisions,
    range,
    meanAdvantage(first, second) {
      const found = range(first, second);
      if (found === null) return none;
      const [low, high] = found;
      const terms = Array.from({ length: budgetsRead }, (_, i) =>
        gapAt(first, second, low * (high / low) ** (i / (budgetsRead - 1)), 1 / budgetsRead),
      ).flat();
      return uncertainty.estimate(terms);
    },
    growth(firsts, second) {
      const weight = 1 / firsts.length;
      const terms = firsts.flatMap((first) => {
        const found = range(first, second);
        return found === null
          ? []
          : [...gapAt(first, second, found[1], weight), ...gapAt(first, second, found[0], -weight)];
      });
      return terms.length < 4 * firsts.length ? none : uncertainty.estimate(terms);
    },
    lossSlope(size) {
      const at = (shift: number) => fit.predict({ size: size * Math.exp(shift), bits: 16, variant: "", block: 64 });
      return (at(1e-4) - at(-1e-4)) / 2e-4;
    },
  };
}

/** The test of parallel curves. */
export interface ParallelTest {
  /** Of the hypothesis that all gaps to the reference are the same at every budget. */
  readonly pValue: number;
  /** One a precision beside the reference. */
  readonly growths: readonly { readonly bits: number; readonly growth: Estimate; readonly offset: Estimate }[];
}

/**
 * Whether curves are a base function and offsets: whether the gap of each precision to the reference grows. Two tests are
 * made, of the mean growth, in which curves mostly depart together, and of the largest one, times the number of precisions;
 * the smaller p-value counts twice (Bonferroni).
 *
 * @param precisions - which; the last is the reference
 */
export function testParallel(
  compared: Pick<EqualBits, "range" | "growth" | "meanAdvantage">,
  precisions: readonly number[],
): ParallelTest {
  const reference = precisions[precisions.length - 1];
  const others = precisions.slice(0, -1).filter((bits) => compared.range(bits, reference) !== null);
  const growths = others.map((bits) => {
    return { bits, growth: compared.growth([bits], reference), offset: compared.meanAdvantage(bits, reference) };
  });
  if (growths.length === 0) return { pValue: 1, growths };
  const largest = Math.min(...growths.map((one) => pValueOf(one.growth))) * growths.length;
  const mean = pValueOf(compared.growth(others, reference));
  return { pValue: Math.min(1, growths.length > 1 ? 2 * Math.min(mean, largest) : mean), growths };
}

/** Sizes of models against their total bits at one precision, ascending. */
interface SizePoint {
  readonly bits: number;
  readonly size: number;
}

function sizeLine(observations: readonly Observation[]): SizePoint[] {
  const points = observations.map(({ row, size }) => ({ bits: row.bits.total, size }));
  return points.sort((a, b) => a.bits - b.bits);
}

// Straight in the logarithms of both: sizes are known exactly, so this is no source of noise.
function sizeAt(line: readonly SizePoint[], bits: number): number {
  const right = Math.max(
    1,
    line.findIndex((point) => point.bits >= bits * (1 - 1e-12)),
  );
  const [a, b] = [line[right - 1], line[right]];
  const t = Math.log(bits / a.bits) / Math.log(b.bits / a.bits);
  return Math.exp(Math.log(a.size) + t * Math.log(b.size / a.size));
}
