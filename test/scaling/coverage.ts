// How often intervals cover the truth, on families simulated again and again; the tests run few, the bench many.

import { createUncertainty, type Estimate, intervalOf, type Term } from "../../src/scaling/contrast.ts";
import { estimateMeanEffect } from "../../src/scaling/effect.ts";
import { compareAtEqualBits, testParallel } from "../../src/scaling/equal-bits.ts";
import { fitLaw } from "../../src/scaling/fit.ts";
import { laws } from "../../src/scaling/laws/laws.ts";
import { findMetric } from "../../src/scaling/metrics.ts";
import { observe } from "../../src/scaling/observations.ts";
import { createRandom } from "../../src/tensor/random.ts";
import { plainLoss, simulateRows, sizes, totalOf } from "./laws.ts";

export const nll = findMetric("nll");
export const specs = ["fp16", "int3:b64", "int4:b64", "int5:b64", "int6:b64", "int8:b64"];

/** Share of repetitions whose interval holds the truth, at 90 and at 95 %. */
export type Coverage = Record<string, { at90: number; at95: number }>;

/** Noise of a simulation and how often it is repeated. */
export interface CoverageOptions {
  readonly count: number;
  readonly sizes: number;
  readonly shared: number;
  readonly own: number;
}

/** Counts how often intervals hold the truth. */
export class Tally {
  readonly hits: Record<string, [number, number]> = {};
  readonly count: number;
  constructor(count: number) {
    this.count = count;
  }
  add(name: string, is90: boolean, is95: boolean): void {
    const hits = (this.hits[name] ??= [0, 0]);
    hits[0] += Number(is90);
    hits[1] += Number(is95);
  }
  addEstimate(name: string, estimate: Estimate, truth: number): void {
    const holds = (level: number) => {
      const interval = intervalOf(estimate, level);
      return interval !== null && interval[0] <= truth && truth <= interval[1];
    };
    this.add(name, holds(0.9), holds(0.95));
  }
  get coverage(): Coverage {
    return Object.fromEntries(
      Object.entries(this.hits).map(([name, [at90, at95]]) => [
        name,
        { at90: at90 / this.count, at95: at95 / this.count },
      ]),
    );
  }
}

/** Intervals of a fitted law: curve, new measurements, differences at equal size and at equal bits, means over budgets. */
export function coverLaw({ count, sizes: models, shared, own }: CoverageOptions): Coverage {
  const tally = new Tally(count);
  const law = laws.find((one) => one.name === "exponential")!;
  const family = sizes.slice(0, models);
  const size = 5e6;
  for (let seed = 1; seed <= count; seed++) {
    const random = createRandom(seed + 1e6);
    const rows = simulateRows({ specs, loss: plainLoss, shared, own, seed, sizes: family });
    const held = rows.findIndex((row) => row.key.spec === "int4:b64" && row.model.parameters === family[2]);
    const observations = observe(
      rows.filter((_, i) => i !== held),
      nll,
    );
    const { estimate } = createUncertainty(fitLaw(observations, law));
    const at = (bits: number, n: number, coefficient = 1): Term => ({
      coefficient,
      size: n,
      bits,
      variant: "int",
      block: 64,
    });
    const fourOverFive = totalOf(size, "int4:b64") / totalOf(size, "int5:b64");
    const known = observations.find((one) => one.size === family[2])!.model;
    const unknown = plainLoss(8e6, 4) * Math.exp(shared * random.normal() + own * random.normal());
    tally.addEstimate("curve", estimate([at(4, size)]), plainLoss(size, 4));
    tally.addEstimate(
      "difference at equal size",
      estimate([at(3, size), at(4, size, -1)]),
      plainLoss(size, 3) - plainLoss(size, 4),
    );
    tally.addEstimate(
      "difference at equal bits",
      estimate([at(4, size), at(5, size * fourOverFive, -1)]),
      plainLoss(size, 4) - plainLoss(size * fourOverFive, 5),
    );
    tally.addEstimate(
      "unmeasured spec of a measured model",
      estimate([{ ...at(4, family[2]), model: known }]),
      rows[held].metrics["nll"].value,
    );
    tally.addEstimate("unmeasured model", estimate([{ ...at(4, 8e6), model: "another" }]), unknown);
  }
  return tally.coverage;
}

/** The mean advantage of 4 bits over others at equal bits, and how it grows. */
export function coverEqualBits({ count, sizes: models, shared, own }: CoverageOptions): Coverage {
  const tally = new Tally(count);
  const family = sizes.slice(0, models);
  const perWeight = (bits: number) => (bits >= 16 ? 16 : bits + 16 / 64);
  const gap = (bits: number, budget: number) =>
    plainLoss(budget / perWeight(bits), bits) - plainLoss(budget / perWeight(4), 4);
  for (let seed = 1; seed <= count; seed++) {
    const compared = compareAtEqualBits(
      observe(simulateRows({ specs, loss: plainLoss, shared, own, seed, sizes: family }), nll),
    );
    for (const bits of [3, 5, 16]) {
      const [low, high] = compared.range(4, bits)!;
      const budgets = Array.from({ length: 9 }, (_, i) => low * (high / low) ** (i / 8));
      const mean = budgets.reduce((sum, budget) => sum + gap(bits, budget), 0) / 9;
      tally.addEstimate(`mean advantage over ${bits} bits`, compared.meanAdvantage(4, bits), mean);
      tally.addEstimate(`its growth over ${bits} bits`, compared.growth([4], bits), gap(bits, high) - gap(bits, low));
    }
  }
  return tally.coverage;
}

/** The test of parallel curves on curves that are parallel, and on some that are not: how often p is below 10 and 5 %. */
export function rejectParallel(
  growth: number,
  { count, sizes: models, shared, own }: CoverageOptions,
): { at10: number; at5: number } {
  // Loss is linear in ln bits, so that offsets at equal size are offsets at equal bits.
  const loss = (size: number, bits: number) =>
    4 - 0.2 * Math.log(size / 1e6) + (bits >= 16 ? 0 : 0.5 / bits + (growth / bits) * Math.log(size / 5e6));
  const pValues = Array.from({ length: count }, (_, i) => {
    const rows = simulateRows({ specs, loss, shared, own, seed: i + 1, sizes: sizes.slice(0, models) });
    return testParallel(compareAtEqualBits(observe(rows, nll)), [4, 5, 6, 8, 16]).pValue;
  });
  const below = (level: number) => pValues.filter((p) => p < level).length / count;
  return { at10: below(0.1), at5: below(0.05) };
}

/** The mean effect of a choice over models, with a trend in size and the luck of each rounding. */
export function coverEffect({ count, sizes: models, own }: CoverageOptions): Coverage {
  const tally = new Tally(count);
  const family = sizes.slice(0, models);
  const effectOf = (size: number) => 0.05 - 0.01 * Math.log(size / 5e6);
  const truth = family.reduce((sum, size) => sum + effectOf(size), 0) / models;
  for (let seed = 1; seed <= count; seed++) {
    const random = createRandom(seed);
    const differences = family.map((size) => ({ size, value: effectOf(size) + own * random.normal(), parts: [] }));
    tally.addEstimate("mean effect", estimateMeanEffect(differences, nll), truth);
  }
  return tally.coverage;
}
