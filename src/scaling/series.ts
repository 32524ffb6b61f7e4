// Sorts rows into series: sets of rows that may be compared with each other.
// Rows that were measured differently (other data, limit, profile, compute type, code version) are never mixed.

import type { ResultRow } from "../result.ts";
import { defaultMetric, findMetric, type MetricFacts, readMetric } from "./metrics.ts";

/** Rows of one family, measured in one way, by one metric. */
export interface Series {
  readonly family: string;
  readonly task: string;
  readonly metric: MetricFacts;
  /** Convention, limit and compute type, where another series of the same family and task differs in them. */
  readonly note: string;
  readonly rows: readonly ResultRow[];
}

/** Which series are wanted; what is absent lets everything through. */
export interface SeriesFilter {
  readonly metric?: string;
  readonly task?: string;
  readonly family?: string;
}

/**
 * Splits rows into series, those with most models first, then losses (the least noisy), then those with most rows.
 * Rows without the metric that was asked for are left out.
 *
 * @throws InputError for an unknown metric
 */
export function groupSeries(rows: readonly ResultRow[], filter: SeriesFilter = {}): Series[] {
  const wanted = filter.metric === undefined ? undefined : findMetric(filter.metric);
  const chosen = rows.filter(
    (row) =>
      (filter.task === undefined || row.key.task === filter.task) &&
      (filter.family === undefined || row.model.family === filter.family),
  );
  const series: Series[] = [];
  for (const [, sameTask] of groupBy(chosen, (row) => JSON.stringify([row.model.family, row.key.task]))) {
    const metric = wanted ?? defaultMetric(sameTask);
    if (metric === undefined) continue;
    const measured = sameTask.filter((row) => readMetric(row, metric) !== undefined);
    const groups = [...groupBy(measured, (row) => conditions(row, metric))];
    for (const [, members] of groups) {
      const { family } = members[0].model;
      const note = groups.length > 1 ? describeConditions(members[0]) : "";
      series.push({ family, task: members[0].key.task, metric, note, rows: members });
    }
  }
  const sizes = new Map(series.map((one) => [one, new Set(one.rows.map(modelKey)).size]));
  const isLoss = (one: Series) => Number(one.metric.name === "nll");
  return series.sort((a, b) => sizes.get(b)! - sizes.get(a)! || isLoss(b) - isLoss(a) || b.rows.length - a.rows.length);
}

/** What tells one model from another: its name and its weights. */
export function modelKey(row: ResultRow): string {
  return `${row.key.weightsHash} ${row.model.name}`;
}

function conditions({ key }: ResultRow, metric: MetricFacts): string {
  const { quantizer, model, task } = key.versions;
  const tokenizer = metric.perToken ? key.tokenizerHash : "";
  return JSON.stringify([
    key.taskVersion,
    key.dataHash,
    key.limit,
    key.profile,
    key.computeType,
    quantizer,
    model,
    task,
    tokenizer,
  ]);
}

function describeConditions({ key }: ResultRow): string {
  const { quantizer, model, task } = key.versions;
  const limit = key.limit === null ? "no limit" : `limit ${key.limit}`;
  const data = `data ${key.dataHash.slice(0, 8)}`;
  const tokenizer = `tokenizer ${key.tokenizerHash.slice(0, 8)}`;
  return [key.profile, limit, key.computeType, data, tokenizer, `code ${quantizer}.${model}.${task}`].join(", ");
}

/** Groups items by a key, in order of first appearance. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
