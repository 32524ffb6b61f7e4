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
  return {
    /** Takes in what an earlier run measured. */
    learn: (cost: number, seconds: number) => model.observe(cost, seconds),
    advance(experiment: PlannedExperiment, share: number) {
      if (shares.has(experiment)) shares.set(experiment, share);
    },
    /** @param seconds - how long it took; absent: it took no time that says anything */
    finish(experiment: PlannedExperiment, seconds?: number) {
      shares.delete(experiment);
      if (seconds !== undefined) model.observe(experiment.cost, seconds);
    },
    progress(): StudyProgress {
      let left = 0;
      for (const [{ cost }, share] of shares) left += (1 - share) * model.estimate(cost);
      const all = experiments.reduce((sum, { cost }) => sum + model.estimate(cost), 0);
      const share = all === 0 ? 1 : 1 - left / all;
      return { done: total - shares.size, total, share, secondsLeft: left / workers };
    },
  };
}

/** Learns from experiments that are done and guesses those that are not. */
export interface CostModel {
  observe(cost: number, seconds: number): void;
  /** Seconds of an experiment of that cost, on one worker. */
  estimate(cost: number): number;
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
    estimate(cost) {
      if (n === 0) return cost / firstGuess;
      const spread = n * sumXX - sumX * sumX;
      const slope = spread > 1e-9 * n * sumXX ? (n * sumXY - sumX * sumY) / spread : 0;
      const fixed = (sumY - slope * sumX) / n;
      // A line that falls, or starts below zero, is noise: then all time goes with the cost.
      return slope > 0 && fixed >= 0 ? fixed + slope * cost : (sumY / sumX) * cost;
    },
  };
}
