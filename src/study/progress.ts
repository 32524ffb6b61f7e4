// How far a run is and how long it will take: `seconds = fixed + rate * cost`, from what is usual and what was measured.

import type { ResultRow } from "../result.ts";
import { costOf, type PlannedExperiment } from "./plan.ts";

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

/**
 * Takes in what a store has measured on this machine: of the plan by its costs, of other texts by the tokens they scored.
 *
 * @param learn - takes cost and seconds
 */
export function learnFromRows(
  rows: readonly ResultRow[],
  experiments: readonly PlannedExperiment[],
  machine: string,
  learn: (cost: number, seconds: number) => void,
): void {
  const planned = new Map(experiments.map(({ id, cost }) => [id, cost]));
  for (const { id, key, model, metrics, machine: where, seconds } of rows) {
    const [, window, stride] = /^windows-(\d+)-stride-(\d+)$/.exec(key.profile) ?? [];
    const scored = metrics["perplexity"]?.n ?? 0;
    const other =
      window && scored > 0 ? costOf(model.parameters, (scored * Number(window)) / Number(stride)) : undefined;
    const cost = planned.get(id) ?? other;
    if (where === machine && cost !== undefined) learn(cost, seconds);
  }
}

/** Learns from experiments that are done and guesses those that are not. */
export interface CostModel {
  observe(cost: number, seconds: number): void;
  /** Seconds, on one worker, of so many experiments (default 1) that cost so much together. */
  estimate(cost: number, experiments?: number): number;
}

/** Seconds of an experiment of no size, and weights times tokens a second, before anything was measured. */
const prior = { fixed: 0.3, speed: 2e10 };
/** How far a time may be from what is expected, as a share of it; how far the prior may be is 1. */
const noise = 0.5;

/**
 * A cost model that knows the prior alone: `seconds = fixed * u + cost / speed * v`, u and v near 1 as long as nothing else
 * is known. By least squares of relative errors, so that the first, small experiments do not decide about large ones.
 */
export function createCostModel(): CostModel {
  let [pp, pq, qq, pt, qt] = [1, 0, 1, 1, 1]; // normal equations of u and v
  return {
    observe(cost, seconds) {
      const variable = cost / prior.speed;
      const scale = noise * (prior.fixed + variable);
      const [p, q, t] = [prior.fixed / scale, variable / scale, seconds / scale];
      pp += p * p;
      pq += p * q;
      qq += q * q;
      pt += p * t;
      qt += q * t;
    },
    estimate(cost, experiments = 1) {
      const determinant = pp * qq - pq * pq; // at least 1: the prior alone gives that
      let u = (qq * pt - pq * qt) / determinant;
      let v = (pp * qt - pq * pt) / determinant;
      // Neither part takes less than no time: the other then explains all of it.
      if (u < 0) [u, v] = [0, qt / qq];
      else if (v < 0) [u, v] = [pt / pp, 0];
      return experiments * prior.fixed * u + (cost / prior.speed) * v;
    },
  };
}
