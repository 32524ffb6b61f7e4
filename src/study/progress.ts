// How far a run is and how long it will take: a line through what was measured, `seconds = fixed + rate * cost`.

import type { PlannedExperiment } from "./plan.ts";

/** Where a run stands. */
export interface StudyProgress {
  /** Experiments that are finished and all that this run has to do; failed ones count as finished. */
  readonly done: number;
  readonly total: number;
  /** The share of the work that is done, 0 to 1, by estimated cost. */
  readonly share: number;
  /** From the times measured so far. */
  readonly secondsLeft: number;
}

/**
 * Keeps account of what is done and guesses the rest from the times measured.
 *
 * @param failed - experiments that are over before they began
 */
export function createTracker(experiments: readonly PlannedExperiment[], failed: number, workers: number) {
  const model = createCostModel();
  const shares = new Map(experiments.map((experiment) => [experiment, 0])); // of those that are not finished
  const total = experiments.length + failed;
  const all = experiments.reduce((sum, { cost }) => sum + cost, 0);
  const left = { experiments: experiments.length, cost: all };
  const advance = (experiment: PlannedExperiment, share: number) => {
    const step = share - (shares.get(experiment) ?? share);
    left.experiments -= step;
    left.cost -= step * experiment.cost;
    if (shares.has(experiment)) shares.set(experiment, share);
  };
  return {
    advance,
    /** Takes in what an earlier run measured. */
    learn: (cost: number, seconds: number) => model.observe(cost, seconds),
    /** @param seconds - how long it took; absent: it took no time that says anything */
    finish(experiment: PlannedExperiment, seconds?: number) {
      advance(experiment, 1);
      shares.delete(experiment);
      if (seconds !== undefined) model.observe(experiment.cost, seconds);
    },
    progress(): StudyProgress {
      const isDone = shares.size === 0; // sums of shares come to 0 only nearly
      const secondsLeft = isDone ? 0 : model.estimate(left.cost, left.experiments);
      const share = isDone ? 1 : 1 - secondsLeft / model.estimate(all, experiments.length);
      return { done: total - shares.size, total, share, secondsLeft: secondsLeft / workers };
    },
  };
}

/** Learns from experiments that are done and guesses those that are not. */
export interface CostModel {
  observe(cost: number, seconds: number): void;
  /** Seconds, on one worker, of so many experiments (default 1) that cost so much together. */
  estimate(cost: number, experiments?: number): number;
}

/** Weights times tokens a second of one core with WASM kernels, before anything was measured. */
const firstGuess = 2e10;

/** A cost model that knows nothing yet. */
export function createCostModel(): CostModel {
  let [n, sumX, sumY, sumXX, sumXY] = [0, 0, 0, 0, 0];
  return {
    observe(cost, seconds) {
      n++;
      sumX += cost;
      sumY += seconds;
      sumXX += cost * cost;
      sumXY += cost * seconds;
    },
    estimate(cost, experiments = 1) {
      if (n === 0) return cost / firstGuess;
      const spread = n * sumXX - sumX * sumX;
      const rate = spread > 1e-9 * n * sumXX ? (n * sumXY - sumX * sumY) / spread : 0;
      const fixed = (sumY - rate * sumX) / n;
      // A line that falls, or starts below zero, is noise: then all time goes with the cost.
      return rate > 0 && fixed >= 0 ? fixed * experiments + rate * cost : (sumY / sumX) * cost;
    },
  };
}
