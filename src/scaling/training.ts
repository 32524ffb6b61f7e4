// What models of one size differ in: tokens of training and the seed. Curves are of sizes: of several amounts of tokens the
// most stands on them, and seeds stand together as their mean, with what a seed changes as part of the error.

import type { ResultRow } from "../result.ts";
import { groupBy, modelKey } from "./series.ts";

/** What chance in training does to the value of a model, or of the mean of several seeds. */
export interface TrainingNoise {
  /** Tells models whose training has nothing in common. */
  readonly key: string;
  readonly variance: number;
  /** Seeds that it is known from, less one a size. */
  readonly degrees: number;
}

/** Models of one size, one family. */
function sizeKey({ model }: ResultRow): string {
  return `${model.parameters} ${model.nonEmbeddingParameters} ${model.family}`;
}

/** What seeds of one model share: size, family, tokens; models whose seed is not known stand for themselves. */
export function replicateKey(row: ResultRow): string {
  const { seed, trainingTokens } = row.model;
  return seed === undefined ? modelKey(row) : `${sizeKey(row)} ${trainingTokens ?? ""}`;
}

/** Without the models of a size that were trained on fewer tokens than another of the same size and family. */
export function keepMostTrained<T>(items: readonly T[], rowOf: (item: T) => ResultRow): T[] {
  const most = new Map<string, number>();
  for (const item of items) {
    const row = rowOf(item);
    const { trainingTokens } = row.model;
    const key = sizeKey(row);
    if (trainingTokens !== undefined) most.set(key, Math.max(trainingTokens, most.get(key) ?? 0));
  }
  return items.filter((item) => {
    const row = rowOf(item);
    const { trainingTokens } = row.model;
    return trainingTokens === undefined || trainingTokens >= most.get(sizeKey(row))!;
  });
}

/** A value of a row. */
export interface RowValue {
  readonly row: ResultRow;
  readonly value: number;
}

/**
 * The variance that seeds make, pooled over sizes: in each the variance over seeds, as a mean over the specs that all of them
 * have, since the specs of a model rise and fall together. Null where no model has two seeds.
 */
export function estimateSeedVariance(values: readonly RowValue[]): { variance: number; degrees: number } | null {
  let [sum, degrees] = [0, 0];
  for (const group of groupBy(values, ({ row }) => replicateKey(row)).values()) {
    const seeds = new Set(group.map(({ row }) => modelKey(row))).size;
    if (seeds < 2) continue;
    const cells = [...groupBy(group, ({ row }) => row.key.spec).values()].filter((cell) => cell.length === seeds);
    if (cells.length === 0) continue;
    const variances = cells.map((cell) => {
      const mean = cell.reduce((total, { value }) => total + value, 0) / seeds;
      return cell.reduce((total, { value }) => total + (value - mean) ** 2, 0) / (seeds - 1);
    });
    sum += (seeds - 1) * (variances.reduce((total, one) => total + one, 0) / cells.length);
    degrees += seeds - 1;
  }
  return degrees === 0 ? null : { variance: sum / degrees, degrees };
}
