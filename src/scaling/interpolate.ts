// Reads a curve at any size between its smallest and its largest point, linearly over log10 bits.
// The paper's way (section 4: scaling laws by interpolation). Outside the measured range there is no answer.

import type { Curve, Point } from "./curves.ts";
import type { Part } from "./paired.ts";

/** A curve's value at a size. */
export interface Reading {
  readonly value: number;
  /** Upper bound of the standard error; null where a neighbouring point has none. */
  readonly standardError: number | null;
  /** Parameters of the model that would stand here, by linear interpolation of their logarithm. */
  readonly parameters: number;
  /** The measured points between which the value lies; equal on a point. */
  readonly between: readonly [Point, Point];
  /** Of which rows the value is made. */
  readonly parts: readonly Part[];
}

/**
 * The curve's value at `bits`: `a + t (b - a)` with `t = (log x - log x0) / (log x1 - log x0)` between neighbouring
 * points; null outside the measured range. The standard error is `(1 - t) sa + t sb`, which holds however strongly
 * the two points' errors are correlated (they come from the same documents).
 *
 * @see Dettmers and Zettlemoyer 2023, section 4
 */
export function interpolate(curve: Curve, bits: number): Reading | null {
  const { points } = curve;
  const right = points.findIndex((point) => point.bits >= bits);
  if (right < 0) return null;
  const b = points[right];
  if (b.bits === bits) return read(b, b, 1);
  return right === 0 ? null : read(points[right - 1], b, fraction(points[right - 1].bits, b.bits, bits));
}

/** Smallest and largest size of a curve, in bits. */
export function rangeOf(curve: Curve): [number, number] {
  return [curve.points[0].bits, curve.points[curve.points.length - 1].bits];
}

/** The parts of a point: its row, or those that it is the mean of. */
export function listParts({ row, members = [row], training }: Point, factor = 1): Part[] {
  return members.map((one) => ({ row: one, factor: factor / members.length, training }));
}

function read(a: Point, b: Point, t: number): Reading {
  const mix = (x: number, y: number) => (t === 1 ? y : x + t * (y - x));
  const errors = a.standardError !== null && b.standardError !== null;
  return {
    value: mix(a.value, b.value),
    standardError: errors ? mix(a.standardError!, b.standardError!) : null,
    parameters: Math.exp(mix(Math.log(a.row.model.parameters), Math.log(b.row.model.parameters))),
    between: [a, b],
    parts: t === 1 ? listParts(b) : [...listParts(a, 1 - t), ...listParts(b, t)],
  };
}

function fraction(low: number, high: number, bits: number): number {
  return (Math.log10(bits) - Math.log10(low)) / (Math.log10(high) - Math.log10(low));
}
