// Least sum of Huber's loss over residuals, by a Levenberg-Marquardt library that is called until it stalls.

import { levenbergMarquardt } from "ml-levenberg-marquardt";

/** How hard an optimum is looked for: calls of the library, each a few steps, and the relative gain below which it stalls. */
export interface Effort {
  readonly rounds: number;
  readonly tolerance: number;
}

/** What is made small, and how it changes. */
export interface Residuals {
  residualsAt(theta: readonly number[]): readonly number[];
  /** Derivatives of the residuals, a list a parameter. */
  slopesAt(theta: readonly number[]): readonly (readonly number[])[];
}

/** Parameters of least error. */
export interface Optimum {
  readonly theta: readonly number[];
  readonly error: number;
  readonly converged: boolean;
}

/** Least sum of Huber's loss. The library squares, so it is given the square root of Huber's loss with its sign. */
export function optimize(
  { residualsAt, slopesAt }: Residuals,
  start: readonly number[],
  parameters: readonly { readonly min: number; readonly max: number }[],
  threshold: number,
  { rounds, tolerance }: Effort,
): Optimum {
  const n = residualsAt(start).length;
  const points = { x: Array.from({ length: n }, (_, i) => i), y: new Array<number>(n).fill(0) };
  const roots = (theta: number[]) => {
    const values = residualsAt(theta).map((residual) => rootOfHuber(residual / threshold));
    return (i: number) => values[i];
  };
  const rootSlopes = (theta: number[]) => {
    const steepness = residualsAt(theta).map((residual) => slopeOfRoot(residual / threshold) / threshold);
    const slopes = slopesAt(theta);
    return (i: number) => slopes.map((of) => steepness[i] * of[i]);
  };
  let theta = [...start];
  let error = Number.POSITIVE_INFINITY;
  let stalled = 0; // rounds in a row, each from another damping
  for (let round = 0; round < rounds && stalled < 2; round++) {
    const found = levenbergMarquardt(points, roots, {
      initialValues: theta,
      minValues: parameters.map((one) => one.min),
      maxValues: parameters.map((one) => one.max),
      jacobianFunction: rootSlopes,
      damping: 10 ** -(round % 4),
      maxIterations: 12,
      errorTolerance: 0,
    });
    const before = error;
    theta = found.parameterValues;
    error = found.parameterError;
    stalled = before - error <= tolerance * before + 1e-12 ? stalled + 1 : 0;
  }
  return { theta, error, converged: stalled > 0 };
}

function rootOfHuber(r: number): number {
  const size = Math.abs(r);
  return size <= 1 ? r : Math.sign(r) * Math.sqrt(2 * size - 1);
}

function slopeOfRoot(r: number): number {
  const size = Math.abs(r);
  return size <= 1 ? 1 : 1 / Math.sqrt(2 * size - 1);
}
