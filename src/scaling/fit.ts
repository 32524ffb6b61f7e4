// Fits a law: Huber's loss on residuals of ln loss, many starts, a Levenberg-Marquardt library, and what went wrong.
// Noise has two parts: one that all rows of a model share (its training), one of each row. Intervals are in contrast.ts.

import { InputError } from "../input-error.ts";
import { type Design, describeDesign } from "./laws/design.ts";
import { createPredictor, type Law, listParameters, type Place } from "./laws/law.ts";
import type { Observation } from "./observations.ts";
import { type Effort, type Optimum, optimize, type Residuals } from "./optimize.ts";
import { isPicked } from "./random.ts";
import { groupBy } from "./series.ts";

/** Variances of residuals of ln loss. */
export interface Noise {
  /** Of what all rows of a model share. */
  readonly shared: number;
  readonly sharedDegrees: number;
  /** Of each row. */
  readonly own: number;
  readonly ownDegrees: number;
}

/** A fitted parameter. */
export interface FittedParameter {
  readonly name: string;
  readonly value: number;
  /** At an end of the range that was searched: the data do not determine it. */
  readonly atBound: boolean;
}

/** A law and the parameters that fit the observations best. */
export interface Fit {
  readonly law: Law;
  readonly design: Design;
  readonly observations: readonly Observation[];
  readonly parameters: readonly FittedParameter[];
  readonly theta: readonly number[];
  /** Of ln loss, measured less fitted, one an observation. */
  readonly residuals: readonly number[];
  readonly noise: Noise;
  /** Where Huber's loss turns from square to linear, of ln loss. */
  readonly threshold: number;
  /** False if the optimizer could still have improved the fit. */
  readonly converged: boolean;
  /** Starts, and how many of them ended at the best optimum. */
  readonly starts: number;
  readonly agreeing: number;
  /** Width of the range that was searched, of each parameter. */
  readonly ranges: readonly number[];
  /** The loss at a place; NaN outside what the law was fitted to know (another variant, fewer bits). */
  predict(place: Place): number;
  /** The same at other parameters. */
  predictAt(theta: readonly number[], place: Place): number;
  /** The losses of the observations at other parameters. */
  predictAll(theta: readonly number[]): number[];
}

/** How a law is fitted. */
export interface FitOptions {
  /** A fit of much the same observations: its parameters are the only start, and its noise is taken as it is. */
  readonly from?: Pick<Fit, "theta" | "noise" | "threshold" | "design">;
  /** Residuals of ln loss below it are squared whatever the noise; by default 1e-3, as in the fits of Chinchilla. */
  readonly smallestThreshold?: number;
}

const efforts: Record<"start" | "again" | "best", Effort> = {
  start: { rounds: 5, tolerance: 1e-3 },
  again: { rounds: 6, tolerance: 1e-6 },
  best: { rounds: 12, tolerance: 1e-9 },
};

/** By which a parameter is moved to see what residuals do. */
const slopeStep = 1e-6;

/**
 * The fit of a law.
 *
 * @throws InputError with fewer than three models or fewer observations than parameters
 * @see Hoffmann et al. 2022, section 3.3 (Huber, many starts); Besiroglu et al. 2024, arXiv 2404.10102 (tight tolerances)
 */
export function fitLaw(observations: readonly Observation[], law: Law, options: FitOptions = {}): Fit {
  const { from, smallestThreshold = 1e-3 } = options;
  const design = from?.design ?? describeDesign(observations, law.tokenFormula !== undefined);
  const parameters = listParameters(law, design);
  const models = [...groupBy(observations, (one) => one.model).values()];
  if (models.length < 3) {
    throw new InputError(`A law needs at least 3 models of a family; there ${countModels(models.length)}.`);
  }
  if (new Set(observations.map((one) => one.size)).size < 3)
    throw new InputError("A law needs models of at least 3 sizes; these differ in other things.");
  if (observations.length <= parameters.length) {
    throw new InputError(
      `${law.name} has ${parameters.length} parameters; ${observations.length} results are too few to fit it.`,
    );
  }
  const index = new Map(observations.map((one, i) => [one, i]));
  const groups = models.map((group) => group.map((one) => index.get(one)!));
  const { resolve, at, concerns, baseParameters } = createPredictor(law, design);
  const spots = observations.map((one) => resolve(one)!);
  const logLosses = observations.map((one) => Math.log(one.loss));
  const residualsOf = (indices: readonly number[]): Residuals => {
    const residualAt = (predict: ReturnType<typeof at>, i: number) => {
      const value = logLosses[i] - Math.log(predict(spots[i]));
      return Number.isFinite(value) ? value : 1e3;
    };
    const places = indices.map((_, k) => k);
    const concerned = parameters.map((_, p) => places.filter((k) => concerns(p, spots[indices[k]])));
    const residualsAt = (theta: readonly number[]) => {
      const predict = at(theta);
      return indices.map((i) => residualAt(predict, i));
    };
    // Differences, of those alone that a parameter has a say in: of dozens of variants each is that of a few.
    const slopesAt = (theta: readonly number[]) => {
      const here = residualsAt(theta);
      return parameters.map((_, p) => {
        const predict = at(theta.with(p, theta[p] + slopeStep));
        const slopes = new Array<number>(indices.length).fill(0);
        for (const k of concerned[p]) slopes[k] = (residualAt(predict, indices[k]) - here[k]) / slopeStep;
        return slopes;
      });
    };
    return { residualsAt, slopesAt };
  };
  const whole = residualsOf(observations.map((_, i) => i));
  const { residualsAt } = whole;
  const minimize = (theta: readonly number[], ratio: number, threshold: number, effort = efforts.best) => {
    const white: Residuals = {
      residualsAt: (one) => whiten(whole.residualsAt(one), groups, ratio),
      slopesAt: (one) => whole.slopesAt(one).map((slopes) => whiten(slopes, groups, ratio)),
    };
    return optimize(white, theta, parameters, threshold, effort);
  };
  const ratioOf = ({ shared, own }: Noise) => (own > 0 ? shared / own : 0);

  let best: Optimum;
  let { threshold, noise } = from ?? { threshold: 10 * smallestThreshold, noise: undefined };
  let [starts, agreeing] = [1, 1];
  if (noise) best = minimize(from!.theta, ratioOf(noise), threshold, efforts.again);
  else {
    const some = residualsOf(pickSome(observations.length));
    const tries = crossStarts(parameters.map((one) => one.starts)).map((start) =>
      optimize(some, start, parameters, threshold, efforts.start),
    );
    const least = optimize(
      some,
      tries.reduce((a, b) => (b.error < a.error ? b : a)).theta,
      parameters,
      threshold,
      efforts.again,
    );
    [starts, agreeing] = [tries.length, tries.filter((one) => one.error <= least.error * 1.02 + 1e-9).length];
    best = minimize(least.theta, 0, threshold);
    noise = estimateNoise(residualsAt(best.theta), groups, parameters.length, baseParameters);
    for (let round = 0; round < 4; round++) {
      const scale = medianOf(whiten(residualsAt(best.theta), groups, ratioOf(noise)).map(Math.abs)) / 0.6745;
      const before = threshold;
      threshold = Math.max(smallestThreshold, 1.345 * scale);
      best = minimize(best.theta, ratioOf(noise), threshold);
      const next = estimateNoise(residualsAt(best.theta), groups, parameters.length, baseParameters);
      const isSettled = isNear(threshold, before) && isNear(ratioOf(next), ratioOf(noise));
      noise = next;
      if (isSettled) break;
    }
  }
  const { theta } = best;
  const predictAt = (one: readonly number[], place: Place) => {
    const spot = resolve(place);
    return spot === null ? Number.NaN : at(one)(spot);
  };
  return {
    law,
    design,
    observations,
    parameters: parameters.map(({ name, min, max }, i) => {
      const margin = 1e-6 * (max - min);
      return { name, value: theta[i], atBound: theta[i] <= min + margin || theta[i] >= max - margin };
    }),
    theta,
    residuals: residualsAt(theta),
    noise,
    threshold,
    converged: best.converged,
    starts,
    agreeing,
    ranges: parameters.map(({ min, max }) => max - min),
    predict: (place) => predictAt(theta, place),
    predictAt,
    predictAll: (one) => spots.map(at(one)),
  };
}

/**
 * Residuals with what the rows of a model share taken down to the noise of a row: `r - c mean(r)` with
 * `c = 1 - 1 / sqrt(1 + m ratio)` for the m rows of a model; then all have equal variance and none is correlated.
 *
 * @param ratio - variance of the shared part over that of a row's own
 */
export function whiten(residuals: readonly number[], groups: readonly (readonly number[])[], ratio: number): number[] {
  const white = [...residuals];
  for (const group of groups) {
    const share = 1 - 1 / Math.sqrt(1 + group.length * ratio);
    const mean = group.reduce((sum, i) => sum + residuals[i], 0) / group.length;
    for (const i of group) white[i] -= share * mean;
  }
  return white;
}

// Between models the base is determined; all other parameters are within models.
function estimateNoise(
  residuals: readonly number[],
  groups: readonly (readonly number[])[],
  parameters: number,
  baseParameters: number,
): Noise {
  const sharedDegrees = groups.length - baseParameters;
  const ownDegrees = residuals.length - groups.length - (parameters - baseParameters);
  let within = 0;
  let between = 0;
  let rows = 0;
  for (const group of groups) {
    const mean = group.reduce((sum, i) => sum + residuals[i], 0) / group.length;
    for (const i of group) within += (residuals[i] - mean) ** 2;
    between += group.length * mean * mean;
    rows += 1 / group.length;
  }
  const own = ownDegrees > 0 ? within / ownDegrees : 0;
  const perModel = rows / groups.length; // mean of 1 / m
  const shared = sharedDegrees > 0 ? Math.max(0, (between / sharedDegrees - own) * perModel) : 0;
  return { shared, sharedDegrees, own, ownDegrees };
}

function isNear(a: number, b: number): boolean {
  return Math.abs(a - b) <= 0.001 * Math.max(a, b);
}

/** Observations that are enough to tell starts apart. */
const enough = 300;

/** The places of some of so many, spread evenly; all where they are few. */
function pickSome(count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  return count <= enough ? all : all.filter((i) => isPicked(i, enough / count));
}

function crossStarts(lists: readonly (readonly number[])[]): number[][] {
  return lists.reduce<number[][]>((all, list) => all.flatMap((start) => list.map((one) => [...start, one])), [[]]);
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function countModels(count: number): string {
  return count === 1 ? "is 1" : `are ${count}`;
}
