// How far a run is and how long it will take: `seconds = fixed + rate * cost`, from what is usual and what was measured.

import { type NamedConvention, parseConvention } from "../evaluate/conventions.ts";
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
  const all = countWork(experiments);
  const left = countWork(experiments);
  const advance = (experiment: PlannedExperiment, share: number) => {
    const step = share - (shares.get(experiment) ?? share);
    const work = left.get(experiment.task.task)!;
    work.experiments -= step;
    work.cost -= step * experiment.cost;
    if (shares.has(experiment)) shares.set(experiment, share);
  };
  const estimate = (works: typeof all) =>
    [...works].reduce((sum, [task, { cost, experiments }]) => sum + model.estimate(cost, experiments, task), 0);
  /** Seconds of the longest of what is left, which decides where that is little; many keep all workers busy. */
  const longest = () => {
    if (shares.size > mostFew * workers) return 0;
    const seconds = [...shares].map(([{ cost, task }, share]) => (1 - share) * model.estimate(cost, 1, task.task));
    return Math.max(0, ...seconds);
  };
  return {
    advance,
    /** Takes in what an earlier run measured. */
    learn: model.observe,
    /** @param seconds - how long it took; absent: it took no time that says anything */
    finish(experiment: PlannedExperiment, seconds?: number) {
      advance(experiment, 1);
      shares.delete(experiment);
      if (seconds !== undefined) model.observe(experiment.cost, seconds, experiment.task.task);
    },
    progress(): StudyProgress {
      const isDone = shares.size === 0; // sums of shares come to 0 only nearly
      const secondsLeft = isDone ? 0 : estimate(left);
      const share = isDone ? 1 : 1 - secondsLeft / estimate(all);
      return { done: total - shares.size, total, share, secondsLeft: Math.max(secondsLeft / workers, longest()) };
    },
  };
}

/** So many experiments a worker are few: one of them may last longer than all others on the other workers. */
const mostFew = 16;

/** Seconds of experiments on so many workers: each runs on one, so that all last no less than the longest. */
export function spreadSeconds(seconds: readonly number[], workers: number): number {
  const sum = seconds.reduce((total, one) => total + one, 0);
  return seconds.reduce((most, one) => Math.max(most, one), sum / workers);
}

/** Experiments and their costs, by task. */
function countWork(experiments: readonly PlannedExperiment[]): Map<string, { experiments: number; cost: number }> {
  const works = new Map<string, { experiments: number; cost: number }>();
  for (const { task, cost } of experiments) {
    const work = works.get(task.task) ?? { experiments: 0, cost: 0 };
    works.set(task.task, { experiments: work.experiments + 1, cost: work.cost + cost });
  }
  return works;
}

/**
 * Takes in what a store has measured on this machine: of the plan by its costs, of other texts by the tokens they scored.
 *
 * @param learn - takes cost, seconds and task
 */
export function learnFromRows(
  rows: readonly ResultRow[],
  experiments: readonly PlannedExperiment[],
  machine: string,
  learn: CostModel["observe"],
): void {
  const planned = new Map(experiments.map(({ id, cost }) => [id, cost]));
  for (const { id, key, model, metrics, machine: where, seconds } of rows) {
    const cut = parseConvention(key.profile);
    const scored = metrics["perplexity"]?.n ?? 0;
    const other = cut && scored > 0 ? costOf(model.parameters, scored * countRead(cut)) : undefined;
    const cost = planned.get(id) ?? other;
    if (where === machine && cost !== undefined) learn(cost, seconds, key.task);
  }
}

/** Tokens that a model reads for each that it scores. */
function countRead({ convention, window, stride = window }: NamedConvention): number {
  return convention === "llama.cpp" ? 2 : window / stride; // llama.cpp scores the second half
}

/** Learns from experiments that are done and guesses those that are not. */
export interface CostModel {
  observe(cost: number, seconds: number, task?: string): void;
  /** Seconds, on one worker, of so many experiments (default 1) that cost so much together. */
  estimate(cost: number, experiments?: number, task?: string): number;
}

/** Seconds of an experiment of no size, and weights times tokens a second, before anything was measured. */
const prior = { fixed: 0.3, speed: 2e10 };
/** How far a time may be from what is expected, as a share of it; how far the prior may be is 1. */
const noise = 0.5;

/** Sums over observations: of the squares and products of p (what is fixed), q (what goes with cost) and t (the time). */
type Sums = [pp: number, pq: number, qq: number, pt: number, qt: number];

/** How many observations a task needs for half of what it does differently to be believed. */
const tasksAlike = 1;

/**
 * A cost model that knows the prior alone: `seconds = (fixed * u + cost / speed * v) * w`, u and v near 1 as long as
 * nothing else is known, w of each task, near 1 too. By least squares of relative errors, so that the first, small
 * experiments do not decide about large ones.
 */
export function createCostModel(): CostModel {
  const all: Sums = [1, 0, 1, 1, 1]; // normal equations of u and v
  const byTask = new Map<string, Sums>();

  /** u and v. */
  const solve = (): [number, number] => {
    const [pp, pq, qq, pt, qt] = all;
    const determinant = pp * qq - pq * pq; // at least 1: the prior alone gives that
    const u = (qq * pt - pq * qt) / determinant;
    const v = (pp * qt - pq * pt) / determinant;
    // Neither part takes less than no time: the other then explains all of it.
    if (u < 0) return [0, qt / qq];
    return v < 0 ? [pt / pp, 0] : [u, v];
  };
  /** w: the times of a task against what u and v say of them. */
  const compare = (task: string, [u, v]: [number, number]): number => {
    const own = byTask.get(task);
    if (own === undefined || byTask.size === 1) return 1; // of one task, u and v say all
    const [pp, pq, qq, pt, qt] = own;
    const belief = tasksAlike / noise ** 2;
    return (belief + u * pt + v * qt) / (belief + u * u * pp + 2 * u * v * pq + v * v * qq);
  };
  return {
    observe(cost, seconds, task = "") {
      const variable = cost / prior.speed;
      const scale = noise * (prior.fixed + variable);
      const [p, q, t] = [prior.fixed / scale, variable / scale, seconds / scale];
      const own: Sums = byTask.get(task) ?? [0, 0, 0, 0, 0];
      byTask.set(task, own);
      for (const sums of [all, own])
        for (const [i, product] of [p * p, p * q, q * q, p * t, q * t].entries()) sums[i] += product;
    },
    estimate(cost, experiments = 1, task = "") {
      const [u, v] = solve();
      return (experiments * prior.fixed * u + (cost / prior.speed) * v) * compare(task, [u, v]);
    },
  };
}
