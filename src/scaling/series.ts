// Sorts rows into series: sets of rows that may be compared with each other.
// Rows that were measured differently (other data, limit, profile, compute type, code version) are never mixed.

import type { ResultRow } from "../result.ts";
import { isOnData, nameData } from "./data-name.ts";
import { isMean, type MeanRow } from "./mean-row.ts";
import { defaultMetric, findMetric, type MetricFacts, readMetric } from "./metrics.ts";

/** Rows of one family, measured in one way, by one metric. */
export interface Series {
  /** The family, or `all models` of several where `across` is given. */
  readonly family: string;
  readonly task: string;
  readonly metric: MetricFacts;
  /** Convention, limit, data and so on, as far as another series of the same family and task differs in them. */
  readonly note: string;
  /** What its values are of, in a sentence: `on heldout.txt`, `on piqa`, `of 2 tasks (piqa, winogrande)`. */
  readonly subject: string;
  readonly rows: readonly ResultRow[];
  /** Given where families or tokenizers stand together, since none has two models of its own. */
  readonly across?: Variety;
  /** Given for one model alone: what all models on the same task and data differ in. */
  readonly apart?: Variety;
}

/** How many kinds there are among some models. */
export interface Variety {
  readonly models: number;
  readonly families: number;
  readonly tokenizers: number;
  /** Conventions, such as `windows-256-stride-256`. */
  readonly profiles: readonly string[];
}

/** Which series are wanted; what is absent lets everything through. */
export interface SeriesFilter {
  readonly metric?: string;
  readonly task?: string;
  readonly family?: string;
  /** Name of the data file, its path, or the beginning of its SHA-256. */
  readonly data?: string;
}

/** Task name of rows that are the mean over tasks. */
export const meanAccuracyTask = "mean of tasks";

/** Metrics of texts that tell models apart with least noise. */
const losses = ["nll", "bitsPerByte"];

/** Family of a series across all of them. */
const allModels = "all models";

/**
 * Splits rows into series, those with most models first, then losses (the least noisy), then the mean of tasks, then
 * those with most rows. Rows without the metric that was asked for are left out. Where no family has two models on a task,
 * all its models stand together: by the metric, or where that is by the token and tokenizers differ, by bits a byte.
 *
 * @throws InputError for an unknown metric
 */
export function groupSeries(rows: readonly ResultRow[], filter: SeriesFilter = {}): Series[] {
  const wanted = filter.metric === undefined ? undefined : findMetric(filter.metric);
  const chosen = rows.filter(
    (row) =>
      (filter.task === undefined || row.key.task === filter.task) &&
      (filter.family === undefined || row.model.family === filter.family) &&
      (filter.data === undefined || isOnData(row, filter.data)),
  );
  const series: Series[] = [];
  for (const [, sameTask] of groupBy(chosen, (row) => row.key.task)) {
    const ofFamilies = [...groupBy(sameTask, (row) => row.model.family).values()].flatMap((family) =>
      splitConditions(family, wanted),
    );
    series.push(...(joinFamilies(sameTask, ofFamilies, wanted) ?? ofFamilies));
  }
  const measured = series.flatMap((one) => one.rows);
  const files = groupBy(measured, ({ key, paths }) => `${key.dataHash} ${paths?.data ?? ""}`);
  const sources = [...files.values()].map(([row]) => row);
  const named = series.map((one) => describeOthers(one, series, sources, chosen));
  const sizes = new Map(named.map((one) => [one, countModels(one.rows)]));
  const rank = ({ task, metric }: Series) => (losses.includes(metric.name) ? 2 : Number(task === meanAccuracyTask));
  return named.sort((a, b) => sizes.get(b)! - sizes.get(a)! || rank(b) - rank(a) || b.rows.length - a.rows.length);
}

function splitConditions(rows: readonly ResultRow[], wanted: MetricFacts | undefined): Series[] {
  const metric = wanted ?? defaultMetric(rows);
  if (metric === undefined) return [];
  const measured = rows.filter((row) => readMetric(row, metric) !== undefined);
  const groups = [...groupBy(measured, (row) => conditions(row, metric.perToken)).values()];
  return groups.map((members) => {
    const { family } = members[0].model;
    const note = describeConditions(members[0], groups);
    return { family, task: members[0].key.task, metric, note, subject: "", rows: members };
  });
}

// All models on a task side by side, where no series has two of them; undefined where that cannot be.
function joinFamilies(
  rows: readonly ResultRow[],
  apart: readonly Series[],
  wanted: MetricFacts | undefined,
): Series[] | undefined {
  if (apart.length < 2 || apart.some((one) => countModels(one.rows) > 1)) return undefined;
  let metric = wanted ?? defaultMetric(rows);
  if (metric?.perToken && new Set(rows.map(({ key, model }) => key.tokenizerHash || model.family)).size > 1) {
    if (wanted !== undefined) return undefined;
    metric = findMetric("bitsPerByte");
  }
  if (metric === undefined) return undefined;
  const measured = rows.filter((row) => readMetric(row, metric) !== undefined);
  // The whole of a text is the same text for all; its first windows are not, if tokenizers or windows differ.
  const keyOf = (row: ResultRow) => {
    if (!isOnText(row)) return conditions(row, metric.perToken);
    if (row.key.limit !== null || metric.perToken) return conditions(row, true);
    return conditions({ ...row, key: { ...row.key, profile: "" } }, false);
  };
  const groups = [...groupBy(measured, keyOf).values()];
  if (!groups.some((members) => countModels(members) > 1)) return undefined;
  return groups.map((members) => {
    const note = describeConditions(members[0], groups);
    const across = countModels(members) > 1 ? countVariety(members) : undefined;
    const family = across ? allModels : members[0].model.family;
    return { family, task: members[0].key.task, metric, note, subject: "", rows: members, across };
  });
}

function describeOthers(
  series: Series,
  all: readonly Series[],
  sources: readonly ResultRow[], // one for each file of data
  rows: readonly ResultRow[],
): Series {
  const { task } = series;
  const [{ key }] = series.rows;
  const others = all.filter((one) => one.task === task && one.rows[0].key.dataHash !== key.dataHash);
  const [row] = series.rows;
  const subject = isMean(row) ? `of ${listTasks(row)}` : `on ${nameSubject(row, others.length > 0, sources)}`;
  if (countModels(series.rows) > 1) return { ...series, subject };
  const alike = rows.filter((row) => row.key.task === task && row.key.dataHash === key.dataHash);
  return { ...series, subject, ...(countModels(alike) > 1 && { apart: countVariety(alike) }) };
}

// A text by its file where that is known; a task, and where it was measured on several files its file.
function nameSubject(row: ResultRow, hasOthers: boolean, sources: readonly ResultRow[]): string {
  const data = hasOthers || row.paths?.data ? nameData(row, sources) : "";
  if (isOnText(row)) return data || "the text";
  return hasOthers ? `${row.key.task} of ${data}` : row.key.task;
}

/** Tasks that are named. */
const mostTasks = 6;

function listTasks({ members }: MeanRow): string {
  const tasks = [...new Set(members.map((one) => one.key.task))];
  const more = tasks.length > mostTasks ? ", .." : "";
  return `${tasks.length} tasks (${tasks.slice(0, mostTasks).join(", ")}${more})`;
}

function countVariety(rows: readonly ResultRow[]): Variety {
  const count = (read: (row: ResultRow) => string) => new Set(rows.map(read)).size;
  return {
    models: countModels(rows),
    families: count((row) => row.model.family),
    tokenizers: count((row) => row.key.tokenizerHash),
    profiles: [...new Set(rows.map((row) => row.key.profile))],
  };
}

function countModels(rows: readonly ResultRow[]): number {
  return new Set(rows.map(modelKey)).size;
}

const modelKeys = new WeakMap<ResultRow, string>(); // asked for many times a row

/** What tells one model from another: its name and its weights; of results of another tool, family and name as they were said. */
export function modelKey(row: ResultRow): string {
  const known = modelKeys.get(row);
  if (known !== undefined) return known;
  const source = row.imported === undefined ? row.key.weightsHash : `imported ${row.model.family}`;
  const key = `${source} ${row.model.name}`;
  modelKeys.set(row, key);
  return key;
}

function isOnText({ key }: ResultRow): boolean {
  return key.task === "perplexity";
}

/** What rows of one task must share to be compared: version, data, limit, profile, compute type, code, and tokenizer if asked. */
export function conditions({ key, imported, model: { family } }: ResultRow, isPerTokenizer: boolean): string {
  const { quantizer, model, task } = key.versions;
  // Another tool says neither its tokenizer nor in what it computes; quantized models have no type of their own there.
  const tokenizer = isPerTokenizer ? key.tokenizerHash || family : "";
  const computeType = imported === undefined ? key.computeType : "";
  return JSON.stringify([
    key.taskVersion,
    key.dataHash,
    key.limit,
    key.profile,
    computeType,
    quantizer,
    model,
    task,
    tokenizer,
  ]);
}

// What the rows of other groups have otherwise.
function describeConditions(row: ResultRow, groups: readonly (readonly ResultRow[])[]): string {
  if (groups.length < 2) return "";
  const all = groups.map(([first]) => first);
  const readings: ((row: ResultRow) => string)[] = [
    ({ key }) => key.profile,
    ({ key }) => (key.limit === null ? "no limit" : `limit ${key.limit}`),
    ({ key }) => key.computeType,
    (one) => (one.key.task === meanAccuracyTask ? `data ${one.key.dataHash}` : nameData(one, all)),
    ({ key }) => `tokenizer ${key.tokenizerHash.slice(0, 8)}`,
    ({ key: { versions } }) => `code ${versions.quantizer}.${versions.model}.${versions.task}`,
    ({ key }) => `version ${key.taskVersion}`,
  ];
  return readings.flatMap((read) => (all.some((one) => read(one) !== read(row)) ? [read(row)] : [])).join(", ");
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
