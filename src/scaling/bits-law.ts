// The law over bits: for each model of an answer the value at each precision as the best law of one kind of spec says it,
// with intervals, beside what was measured. For figures; advice by laws stands in candidates.ts.

import { InputError } from "../input-error.ts";
import type { Answer } from "./answer.ts";
import { createUncertainty, intervalOf } from "./contrast.ts";
import type { Point } from "./curves.ts";
import { type Observation, observe } from "./observations.ts";
import { type LawChoice, selectLaw } from "./select-law.ts";
import { groupBy } from "./series.ts";
import { keepMostTrained } from "./training.ts";

/** A law's value at one precision. */
export interface LawPoint {
  readonly bitsPerWeight: number;
  readonly value: number;
  /** 95 %, of what a measurement gives; null where the data leave no degree of freedom. */
  readonly interval: readonly [number, number] | null;
}

/** One model: what was measured and what the law says. */
export interface ModelOverBits {
  /** Ascending by precision. */
  readonly points: readonly Point[];
  readonly law: readonly LawPoint[];
}

/** The law of one kind of spec. */
export interface BitsLaw {
  /** Data type, options and block of the kind: `float, block 64`. */
  readonly kind: string;
  readonly choice: LawChoice;
  /** Ascending by size. */
  readonly models: readonly ModelOverBits[];
}

/** More models are not fitted and shown: the time that a fit takes grows with their square. */
export const mostModels = 8;

const known = new WeakMap<object, BitsLaw | null>();

/**
 * The law of the kind of spec with most results, unquantized models included; of more than eight models, eight spread over
 * their sizes. Null where no law can be fitted: below three
 * models, or with fewer results than parameters.
 */
export function fitOverBits(answer: Pick<Answer, "points" | "series">): BitsLaw | null {
  const { points } = answer;
  const made = known.get(points);
  if (made !== undefined) return made;
  const law = fit(answer);
  known.set(points, law);
  return law;
}

function fit({ points, series: { metric } }: Pick<Answer, "points" | "series">): BitsLaw | null {
  const pointOf = new Map(points.map((point) => [point.row, point]));
  const all = keepMostTrained(observe([...pointOf.keys()], metric), (one) => one.row);
  const kinds = [...groupBy(all.filter(isQuantized), (one) => `${one.variant} ${one.block}`).values()];
  if (kinds.length === 0) return null;
  const largest = kinds.reduce((a, b) => (b.length > a.length ? b : a));
  const observations = spread([...largest, ...all.filter((one) => !isQuantized(one))]);
  let choice: LawChoice;
  try {
    choice = selectLaw(observations);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
  const { estimate } = createUncertainty(choice.best.fit);
  const precisions = [...new Set(observations.map((one) => one.bits))].sort((a, b) => a - b);
  const toValue = (loss: number) => (metric.better === "lower" ? loss : 1 - loss);
  const { variant, block } = largest[0];
  const models = [...groupBy(observations, (one) => one.model).values()].map((own): ModelOverBits => {
    const sorted = own.toSorted((a, b) => a.bits - b.bits);
    const { model, size, tokens } = own[0];
    return {
      points: sorted.map((one) => pointOf.get(one.row)!),
      law: precisions.map((bits) => {
        const said = estimate([
          { coefficient: 1, model, size, tokens, bits, variant: bits < 16 ? variant : "", block },
        ]);
        const interval = intervalOf(said)
          ?.map(toValue)
          .sort((a, b) => a - b) as [number, number] | undefined;
        return { bitsPerWeight: bits, value: toValue(said.value), interval: interval ?? null };
      }),
    };
  });
  models.sort((a, b) => a.points[0].row.model.parameters - b.points[0].row.model.parameters);
  return { kind: `${variant}, block ${block}`, choice, models };
}

// The smallest, the largest, and between them models evenly by rank.
function spread(observations: readonly Observation[]): Observation[] {
  const models = [...groupBy(observations, (one) => one.model).values()].sort((a, b) => a[0].size - b[0].size);
  if (models.length <= mostModels) return [...observations];
  return Array.from(
    { length: mostModels },
    (_, i) => models[Math.round((i * (models.length - 1)) / (mostModels - 1))],
  ).flat();
}

function isQuantized({ bits }: Observation): boolean {
  return bits < 16;
}
