// Intervals of what a fitted law says: a loss, a new measurement, or a difference of two, by the delta method with
// Student's t. Each estimate is a weighted sum of residuals to first order, so its variance has one part from what the
// rows of a model share and one from each row, and the degrees of freedom are Satterthwaite's mixture of the two.
// The models that were measured are fixed: they are never resampled.

import { type Fit, whiten } from "./fit.ts";
import type { Place } from "./laws/law.ts";
import { groupBy } from "./series.ts";
import { invertSymmetric, tProbability, tQuantile } from "./statistics.ts";

/** A value with an interval. */
export interface Estimate {
  readonly value: number;
  /** Null where the data leave no degree of freedom for it. */
  readonly standardError: number | null;
  readonly degrees: number;
}

/** One place in a sum. */
export interface Term extends Place {
  /** What the loss there counts for; a difference has 1 and -1. */
  readonly coefficient: number;
  /**
   * Whether the loss of the law's curve is meant (absent), or what a measurement of this model will give: then what is
   * known of the model from its other rows is used, and the noise of a row is part of the interval. The key of a model
   * that has no rows stands for one that was never measured.
   */
  readonly model?: string;
}

/** Makes intervals from a fit; one for all questions about it, since the matrix is inverted once. */
export interface Uncertainty {
  /** `sum(coefficient * loss)` in the loss's unit. */
  estimate(terms: readonly Term[]): Estimate;
}

/** Ends of the interval that covers with probability `level`; null without a standard error. */
export function intervalOf({ value, standardError, degrees }: Estimate, level = 0.95): [number, number] | null {
  if (standardError === null) return null;
  const half = tQuantile((1 + level) / 2, degrees) * standardError;
  return [value - half, value + half];
}

/** Two-sided p-value of the estimate being zero; 1 without a standard error. */
export function pValueOf({ value, standardError, degrees }: Estimate): number {
  if (standardError === null) return 1;
  if (standardError === 0) return value === 0 ? 1 : 0;
  return 2 * tProbability(-Math.abs(value / standardError), degrees);
}

/** The intervals of a fit. */
export function createUncertainty(fit: Fit): Uncertainty {
  const { observations, noise, theta, threshold, residuals } = fit;
  const size = theta.length;
  const n = observations.length;
  const index = new Map(observations.map((one, i) => [one, i]));
  const groups = new Map(
    [...groupBy(observations, (one) => one.model)].map(([model, members]) => [
      model,
      members.map((o) => index.get(o)!),
    ]),
  );
  const lists = [...groups.values()];
  const ratio = noise.own > 0 ? noise.shared / noise.own : 0;
  const jacobian = theta.map((value, j) => {
    const step = 1e-5 * Math.max(1, Math.abs(value));
    const [up, down] = [step, -step].map((shift) => fit.predictAll(theta.with(j, value + shift)));
    return up.map((loss, i) => (Math.log(loss) - Math.log(down[i])) / (2 * step));
  }); // (parameters, observations)
  const whiteJacobian = jacobian.map((column) => whiten(column, lists, ratio));
  const trust = whiten(residuals, lists, ratio).map((r) => Math.min(1, threshold / Math.max(Math.abs(r), 1e-300)));
  const inverse = invertInformation(fit, whiteJacobian, trust);

  // Weights of the raw residuals in `gradient . theta`: W D J (J' D J)^-1 gradient.
  const influence = (direction: readonly number[]): number[] => {
    const solved = Array.from({ length: size }, (_, i) =>
      direction.reduce((sum, value, j) => sum + inverse[i * size + j] * value, 0),
    );
    const weighted = Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += whiteJacobian[j][i] * solved[j];
      return sum * trust[i];
    });
    return whiten(weighted, lists, ratio);
  };

  return {
    estimate(terms) {
      let value = 0;
      let ownVariance = 0; // of new rows, in units of noise.own
      const direction = new Array<number>(size).fill(0);
      const rowWeights = new Array<number>(n).fill(0);
      const modelWeights = new Map<string, number>();
      for (const { coefficient, model, ...place } of terms) {
        let log = Math.log(fit.predict(place));
        const members = (model !== undefined && groups.get(model)) || [];
        const shrink = (members.length * ratio) / (1 + members.length * ratio);
        for (const i of members) log += (shrink * residuals[i]) / members.length;
        const loss = Math.exp(log);
        const factor = coefficient * loss; // d loss = loss * d ln loss
        value += factor;
        gradient(fit, place).forEach((g, j) => {
          direction[j] += factor * g;
        });
        if (model === undefined) continue;
        for (const i of members) {
          rowWeights[i] += (factor * shrink) / members.length;
          jacobian.forEach((column, j) => {
            direction[j] -= (factor * shrink * column[i]) / members.length;
          });
        }
        modelWeights.set(model, (modelWeights.get(model) ?? 0) - factor);
        ownVariance += factor * factor;
      }
      if (noise.sharedDegrees < 1 || noise.ownDegrees < 1) return { value, standardError: null, degrees: 0 };
      const weights = influence(direction).map((weight, i) => weight + rowWeights[i]);
      let shared = 0;
      let own = ownVariance;
      for (const [model, members] of groups) {
        const sum = members.reduce((total, i) => total + weights[i], modelWeights.get(model) ?? 0);
        shared += sum * sum;
        for (const i of members) own += weights[i] * weights[i];
      }
      for (const [model, weight] of modelWeights) if (!groups.has(model)) shared += weight * weight;
      // The base bends with its parameters and few models determine them: the linear variance is too small by about this.
      const sharedPart = shared * noise.shared * (1 + 1 / noise.sharedDegrees);
      const ownPart = own * noise.own;
      const variance = sharedPart + ownPart;
      const degrees =
        variance > 0
          ? variance ** 2 / (sharedPart ** 2 / noise.sharedDegrees + ownPart ** 2 / noise.ownDegrees)
          : noise.ownDegrees;
      return { value, standardError: Math.sqrt(variance), degrees };
    },
  };
}

/** Of ln loss in the parameters, by central differences. */
function gradient({ theta, predictAt }: Fit, place: Place): number[] {
  return theta.map((value, j) => {
    const step = 1e-5 * Math.max(1, Math.abs(value));
    const at = (shift: number) => Math.log(predictAt(theta.with(j, value + shift), place));
    return (at(step) - at(-step)) / (2 * step);
  });
}

// A parameter that the data do not determine is held by the width of the range that was searched, and by more where
// rounding leaves the matrix without an inverse.
function invertInformation({ theta, noise, ranges }: Fit, jacobian: readonly number[][], trust: readonly number[]) {
  const size = theta.length;
  const information = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let sum = 0;
      for (let row = 0; row < trust.length; row++) sum += jacobian[i][row] * jacobian[j][row] * trust[row];
      information[i * size + j] = sum;
    }
  }
  for (let hold = Math.max(noise.own, 1e-14); ; hold *= 100) {
    for (let i = 0; i < size; i++) information[i * size + i] += hold / ranges[i] ** 2;
    const inverse = invertSymmetric(information, size);
    if (inverse !== undefined) return inverse;
  }
}
