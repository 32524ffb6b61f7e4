// How often intervals cover the truth, on families simulated again and again; the tests run few, the bench many.

import type { ResultRow } from "../../src/result.ts";
import { createUncertainty, type Estimate, intervalOf, type Term } from "../../src/scaling/contrast.ts";
import { buildCurves, type Curve, placePoints } from "../../src/scaling/curves.ts";
import { estimateMeanEffect } from "../../src/scaling/effect.ts";
import { compareAtEqualBits, testParallel } from "../../src/scaling/equal-bits.ts";
import { fitLaw } from "../../src/scaling/fit.ts";
import { interpolate } from "../../src/scaling/interpolate.ts";
import { laws } from "../../src/scaling/laws/laws.ts";
import { compareMeasured } from "../../src/scaling/measured-bits.ts";
import { findMetric } from "../../src/scaling/metrics.ts";
import { observe } from "../../src/scaling/observations.ts";
import { boundCrossing, drawCurves, weighBudget } from "../../src/scaling/resample.ts";
import { createRandom } from "../../src/tensor/random.ts";
import { plainLoss, simulateRows, sizes, totalOf } from "./laws.ts";
import { makeRow } from "./simulate.ts";

const nll = findMetric("nll");
const specs = ["fp16", "int3:b64", "int4:b64", "int5:b64", "int6:b64", "int8:b64"];

/** Share of repetitions whose interval holds the truth, at 90 and at 95 %. */
export type Coverage = Record<string, { at90: number; at95: number }>;

/** Noise of a simulation and how often it is repeated. */
export interface CoverageOptions {
  readonly count: number;
  readonly sizes: number;
  readonly shared: number;
  readonly own: number;
}

class Tally {
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

/** Margin, optimal precision and crossing of measured curves, whose only noise is the choice of documents. */
export function coverDocuments({
  count,
  documents,
  draws = 300,
}: {
  count: number;
  documents: number;
  draws?: number;
}): Coverage {
  const tally = new Tally(count);
  const lines: Record<number, (x: number) => number> = {
    3: (x) => 3.03 - 0.1 * x,
    4: (x) => 3.0 - 0.06 * x,
    8: (x) => 3.02 - 0.06 * x,
  };
  const places = [1e6, 4e6, 16e6, 64e6, 256e6];
  const at = (bits: number) => Math.log(bits / 1e6);
  const budget = 8e6;
  const crossing = 1e6 * Math.exp(0.03 / 0.04);
  const truth = lines[3](at(budget)) - lines[4](at(budget));
  for (let seed = 1; seed <= count; seed++) {
    const random = createRandom(seed);
    const common = Array.from({ length: documents }, () => 0.5 * random.studentT(5));
    const rows = Object.entries(lines).flatMap(([bits, line]) =>
      places.map((total, i) => {
        const values = Float32Array.from(common, (shift) => line(at(total)) + shift + 0.03 * random.normal());
        const mean = values.reduce((sum, value) => sum + value, 0) / documents;
        const row = makeRow({
          model: `m${i}`,
          spec: `int${bits}`,
          bitsPerWeight: Number(bits),
          total,
          task: "piqa",
          metrics: { nll: mean },
        });
        return { ...row, documents: { nll: { values } } };
      }),
    );
    const curves: Curve[] = buildCurves(placePoints(rows, nll), nll);
    const drawn = drawCurves(curves, nll, { count: draws, seed })!;
    const weigh = (level: number) => weighBudget(drawn, budget, level)!;
    // The margin is of whichever is best; 3 bits are, by a margin that no noise here turns.
    const [a, b] = [3, 4].map((k) => curves.find((curve) => curve.bitsPerWeight === k)!);
    const observed = interpolate(b, budget)!.value - interpolate(a, budget)!.value;
    const covers = (level: number) => {
      const { margin } = weigh(level);
      const shift = -truth - observed;
      return (
        margin !== null && margin.interval[0] - margin.value <= shift && shift <= margin.interval[1] - margin.value
      );
    };
    tally.add("margin at a budget", covers(0.9), covers(0.95));
    const tied = crossing; // where 3 and 4 bits are equally good, either is a true optimum
    const optimal = (level: number) => weighBudget(drawn, tied, level)!.optimal;
    tally.add("optimal precision", optimal(0.9).includes(4), optimal(0.95).includes(4));
    const bounds = (level: number) => {
      const { interval } = boundCrossing(drawn, 3, 4, estimateCrossing(a, b), level);
      return (interval[0] ?? 0) <= crossing && crossing <= (interval[1] ?? Number.POSITIVE_INFINITY);
    };
    tally.add("crossing", bounds(0.9), bounds(0.95));
  }
  return tally.coverage;
}

/** The mean advantage of 4 bits over others and its growth on the models that were measured, whose noise is the choice of documents. */
export function coverMeasured({
  count,
  sizes: models,
  documents,
}: {
  count: number;
  sizes: number;
  documents: number;
}): Coverage {
  const tally = new Tally(count);
  const family = sizes.slice(0, models);
  const truth = simulateRows({ specs, loss: plainLoss, sizes: family });
  // All rows have the same documents: what is no noise at all has a known difference.
  const exact = compareMeasured(
    truth.map((row) => ({
      ...row,
      documents: { nll: { values: new Float32Array(documents).fill(row.metrics["nll"].value) } },
    })),
    nll,
  )!;
  for (let seed = 1; seed <= count; seed++) {
    const random = createRandom(seed + 3e6);
    const common = Array.from({ length: documents }, () => 0.5 * random.studentT(5));
    const rows = truth.map((row) => {
      const values = Float32Array.from(common, (shift) => row.metrics["nll"].value + shift + 0.03 * random.studentT(5));
      const value = values.reduce((sum, one) => sum + one, 0) / documents;
      return { ...row, metrics: { nll: { value, n: documents } }, documents: { nll: { values } } };
    });
    const compared = compareMeasured(rows, nll)!;
    for (const bits of [3, 5, 16]) {
      tally.addEstimate(
        `mean advantage over ${bits} bits`,
        compared.meanAdvantage(4, bits),
        exact.meanAdvantage(4, bits).value,
      );
      tally.addEstimate(`its growth over ${bits} bits`, compared.growth([4], bits), exact.growth([4], bits).value);
    }
  }
  return tally.coverage;
}

/**
 * The margin of 4 over 8 bits at a budget, where training is the larger noise and some sizes were trained from three seeds:
 * the truth is what all seeds and all documents would give.
 */
export function coverSeeds({
  count,
  sizes: models,
  seeded,
}: {
  count: number;
  sizes: number;
  seeded: number;
}): Coverage {
  const tally = new Tally(count);
  const family = sizes.slice(0, models);
  const budget = Math.sqrt(totalOf(family[1], "int8:b64") * totalOf(family[2], "int8:b64"));
  const marginOf = (rows: readonly ResultRow[]) => {
    const curves = buildCurves(placePoints(rows, nll), nll);
    const [four, eight] = [4, 8].map((k) => interpolate(curves.find((curve) => curve.bitsPerWeight === k)!, budget)!);
    return { curves, value: eight.value - four.value };
  };
  const pair = ["int4:b64", "int8:b64"];
  const truth = marginOf(simulateRows({ specs: pair, loss: plainLoss, sizes: family })).value;
  for (let seed = 1; seed <= count; seed++) {
    const random = createRandom(seed + 2e6);
    const common = Array.from({ length: 60 }, () => 0.5 * random.studentT(5));
    const seeds = (index: number) => (index > 0 && index <= seeded ? 3 : 1);
    const rows = simulateRows({ specs: pair, loss: plainLoss, shared: 0.004, seed, seeds, sizes: family }).map(
      (row) => {
        const values = Float32Array.from(common, (shift) => row.metrics["nll"].value + shift + 0.01 * random.normal());
        const nllMean = values.reduce((sum, one) => sum + one, 0) / values.length;
        return { ...row, metrics: { nll: { value: nllMean, n: 60 } }, documents: { nll: { values } } };
      },
    );
    const { curves, value } = marginOf(rows);
    const drawn = drawCurves(curves, nll, { count: 300, seed })!;
    const covers = (level: number) => {
      const { margin } = weighBudget(drawn, budget, level)!;
      const sign = Math.sign(value) * Math.sign(margin!.value); // of whichever is best
      const [low, high] = margin!.interval.map((end) => sign * end).sort((a, b) => a - b);
      return low <= truth && truth <= high;
    };
    tally.add("margin with the noise of seeds", covers(0.9), covers(0.95));
  }
  return tally.coverage;
}

function estimateCrossing(a: Curve, b: Curve): number {
  const gap = (bits: number) => interpolate(b, bits)!.value - interpolate(a, bits)!.value;
  let [low, high] = [1e6, 256e6];
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(low * high);
    if (gap(middle) > 0 === gap(low) > 0) low = middle;
    else high = middle;
  }
  return Math.sqrt(low * high);
}
