// What the checks of claims look at: the rows of one family by its loss, with the comparisons that several checks share.

import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import type { Estimate } from "../contrast.ts";
import { type Difference, estimateMeanEffect } from "../effect.ts";
import { compareAtEqualBits, type EqualBits } from "../equal-bits.ts";
import { compareMeasured, type PrecisionComparison } from "../measured-bits.ts";
import type { MetricFacts } from "../metrics.ts";
import { type Observation, observe, type SpecParts, splitSpec } from "../observations.ts";
import { groupBy } from "../series.ts";
import { meanOf } from "../statistics.ts";
import { keepMostTrained } from "../training.ts";
import type { Labelled } from "./verdict.ts";

/** An observation with its spec in parts. */
export interface Sample extends Observation {
  readonly spec: SpecParts;
}

/** One family as checks see it. */
export interface Frame {
  readonly family: string;
  readonly metric: MetricFacts;
  readonly unit: string;
  readonly samples: readonly Sample[];
  /** All stable rows of the family, of every task. */
  readonly allRows: readonly ResultRow[];
  /** Rows that were left out as unstable. */
  readonly unstable: readonly ResultRow[];
  /** The kind of spec that most models and precisions have (of equals, the one of least loss), at equal bits; undefined where it cannot be fitted, and why. */
  readonly equalBits: EqualBits | undefined;
  /** The same on the very models that were measured; undefined below three sizes, or without documents. */
  readonly measured: PrecisionComparison | undefined;
  readonly kind: string;
  readonly whyNot: string;
}

/**
 * The frame of a family.
 *
 * @param rows - stable, of one series
 * @param allRows - stable, of all tasks
 * @param unstable - of the task of the series
 */
export function createFrame(
  family: string,
  metric: MetricFacts,
  rows: readonly ResultRow[],
  allRows: readonly ResultRow[],
  unstable: readonly ResultRow[],
): Frame {
  const observations = keepMostTrained(observe(rows, metric), (one) => one.row);
  const samples = observations.map((one) => ({ ...one, spec: splitSpec(one.row.key.spec) }));
  const { kind, members } = chooseKind(samples);
  let equalBits: EqualBits | undefined;
  let whyNot = "";
  try {
    equalBits = compareAtEqualBits(members);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    whyNot = error.message;
  }
  const hasSizes = new Set(members.map((one) => one.size)).size >= 3;
  const rowsOfKind = members.map((one) => one.row);
  const measured = hasSizes ? (compareMeasured(rowsOfKind, metric) ?? undefined) : undefined;
  const unit = metric.better === "lower" ? metric.unit.split(" ")[0] : "of 1";
  return { family, metric, unit, samples, allRows, unstable, equalBits, measured, kind, whyNot };
}

/**
 * Type, block and other options of the kind that the most (model, precision) cells have; one row a cell. Of kinds that have
 * as many, one of the fewest options (centering, outlier columns, ..), and of those the one of the least mean loss over the
 * cells that all of them have.
 */
function chooseKind(samples: readonly Sample[]): { kind: string; members: Sample[] } {
  const baselines = pickOne(samples.filter((one) => one.bits >= 16));
  const kinds = [
    ...groupBy(
      samples.filter((one) => one.bits < 16),
      ({ spec }) => `${[spec.type, spec.form].join(" ").trim()} b${spec.block} ${spec.rest.join(":")}`,
    ),
  ].map(([kind, all]) => ({
    kind: kind.trim(),
    options: all[0].spec.rest.length,
    members: [...groupBy(all, (one) => String(one.bits)).values()].flatMap(pickExponent),
  }));
  if (kinds.length === 0) return { kind: "", members: baselines };
  const most = Math.max(...kinds.map(({ members }) => members.length));
  const widest = kinds.filter((one) => one.members.length === most);
  const fewest = Math.min(...widest.map(({ options }) => options));
  const { kind, members } = pickLeastLoss(widest.filter(({ options }) => options === fewest));
  return { kind, members: [...members, ...baselines] };
}

function pickLeastLoss<Kind extends { readonly members: readonly Sample[] }>(kinds: readonly Kind[]): Kind {
  const cellOf = ({ model, bits }: Sample) => `${model} ${bits}`;
  const cells = kinds.map(({ members }) => new Set(members.map(cellOf)));
  const isCommon = (one: Sample) => cells.every((cell) => cell.has(cellOf(one)));
  const losses = kinds.map(({ members }) => meanOf(members.filter(isCommon).map((one) => one.loss)));
  const least = losses.indexOf(Math.min(...losses));
  return kinds[Math.max(0, least)]; // no cell in common: NaN, hence the first
}

// Of several exponents at one width: those that most models have, then the one of least loss.
function pickExponent(samples: readonly Sample[]): Sample[] {
  const groups = [...groupBy(samples, (one) => one.spec.exponent).values()].map(pickOne);
  groups.sort((a, b) => b.length - a.length || meanOf(a.map((o) => o.loss)) - meanOf(b.map((o) => o.loss)));
  return groups[0];
}

function pickOne(samples: readonly Sample[]): Sample[] {
  return [...groupBy(samples, (one) => one.model).values()].map((group) =>
    group.reduce((a, b) => (b.bits < a.bits ? b : a)),
  );
}

/** Two choices of spec that differ in one thing. */
export interface Contrast {
  readonly first: (sample: Sample) => boolean;
  readonly second: (sample: Sample) => boolean;
  /** What must be equal on both sides, beside the model. */
  readonly same: (sample: Sample) => string;
  /** True: the side that takes more bits is charged for them at the rate that a larger model would use them. */
  readonly atEqualBits?: boolean;
}

/** How much lower the loss of `first` is than that of `second`, on each model that has both. */
export function listDifferences(frame: Frame, { first, second, same, atEqualBits = false }: Contrast): Difference[] {
  const { samples, equalBits } = frame;
  return [...groupBy(samples, (one) => one.model).values()].flatMap((model): Difference[] => {
    const cells = [...groupBy(model, same).values()].flatMap((cell) => {
      const [a, b] = [cell.find(first), cell.find(second)];
      return a && b && a !== b ? [[a, b] as const] : [];
    });
    if (cells.length === 0) return [];
    const factor = 1 / cells.length;
    const { size } = model[0];
    const charge = ([a, b]: readonly [Sample, Sample]) =>
      atEqualBits && equalBits ? equalBits.lossSlope(size) * Math.log(b.row.bits.total / a.row.bits.total) : 0;
    return [
      {
        size,
        value: meanOf(cells.map((cell) => cell[1].loss - cell[0].loss - charge(cell))),
        parts: cells.flatMap(([a, b]) => [
          { row: b.row, factor },
          { row: a.row, factor: -factor },
        ]),
      },
    ];
  });
}

/** The mean of `listDifferences` with its interval. */
export function compareSpecs(frame: Frame, contrast: Contrast): Estimate {
  if (contrast.atEqualBits && frame.equalBits === undefined)
    return { value: Number.NaN, standardError: null, degrees: 0 };
  return estimateMeanEffect(listDifferences(frame, contrast), frame.metric);
}

/** The comparison with its name; none where no model has both sides. */
export function labelled(frame: Frame, label: string, contrast: Contrast): Labelled[] {
  return listDifferences(frame, contrast).length === 0 ? [] : [{ label, estimate: compareSpecs(frame, contrast) }];
}

/**
 * Everything of a spec but what is named: what two specs share that differ in nothing else. The form of a type goes with
 * its type and exponent bits.
 */
export function sameBut(...names: ("type" | "bits" | "exponent" | "block" | "rest")[]): (sample: Sample) => string {
  return ({ spec: { type, bits, exponent, form, block, rest } }) => {
    const isForm = names.includes("type") || names.includes("exponent") || names.includes("bits");
    const parts = { type, bits, exponent, form: isForm ? "" : form, block, rest: rest.join(":") };
    return JSON.stringify(Object.entries(parts).filter(([name]) => !(names as string[]).includes(name)));
  };
}
