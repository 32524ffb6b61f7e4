// How often intervals of measured curves cover the truth, where the noise is the choice of documents, or of seeds.

import type { ResultRow } from "../../src/result.ts";
import { buildCurves, type Curve, placePoints } from "../../src/scaling/curves.ts";
import { interpolate } from "../../src/scaling/interpolate.ts";
import { compareMeasured } from "../../src/scaling/measured-bits.ts";
import { boundCrossing, drawCurves, weighBudget } from "../../src/scaling/resample.ts";
import { createRandom } from "../../src/tensor/random.ts";
import { type Coverage, nll, specs, Tally } from "./coverage.ts";
import { plainLoss, simulateRows, sizes, totalOf } from "./laws.ts";
import { makeRow } from "./simulate.ts";

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
