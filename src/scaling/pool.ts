// Rows that a recommendation may compare, of all families at once: one task, measured in one way, by one metric that
// means the same for all their tokenizers.

import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import { nameData } from "./data-name.ts";
import { averageAccuracies } from "./mean-accuracy.ts";
import { isMean } from "./mean-row.ts";
import { defaultMetric, findMetric, type MetricFacts, metrics, readMetric } from "./metrics.ts";
import { conditions, groupBy, meanAccuracyTask, modelKey } from "./series.ts";

/** Which rows are wanted; what is absent is chosen. */
export interface PoolFilter {
  readonly metric?: string;
  readonly task?: string;
  readonly family?: string;
}

/** Comparable rows. */
export interface Pool {
  readonly task: string;
  readonly metric: MetricFacts;
  /** By what they are judged: `loss on heldout.txt`, `mean accuracy of piqa and arc_easy`. */
  readonly criterion: string;
  readonly rows: readonly ResultRow[];
  /** Sentences on what was left out to keep rows comparable. */
  readonly notes: readonly string[];
}

/**
 * The largest set of comparable rows: that of most models, then a text before the mean of tasks before a task, then most
 * rows.
 *
 * @throws InputError if nothing is left, or if models of different tokenizers share no metric that may compare them
 */
export function choosePool(rows: readonly ResultRow[], filter: PoolFilter = {}): Pool {
  if (rows.length === 0) throw new InputError("The store holds no results; kbit study run makes some.");
  const wanted = filter.metric === undefined ? undefined : findMetric(filter.metric);
  const all = [...rows, ...averageAccuracies(rows)].filter(
    (row) =>
      (filter.family === undefined || row.model.family === filter.family) &&
      (filter.task === undefined || row.key.task === filter.task) &&
      (wanted === undefined || readMetric(row, wanted) !== undefined),
  );
  const groups = [...groupBy(all, (row) => row.key.task + conditions(row, isPartOfText(row))).values()].filter(
    (group) => (wanted ?? defaultMetric(group)) !== undefined,
  );
  const families = [...new Set(rows.map((row) => row.model.family))];
  if (filter.family !== undefined && !families.includes(filter.family))
    throw new InputError(
      `The store has no results of family ${filter.family}; it has ${families.slice(0, 8).join(", ")}${families.length > 8 ? ", .." : ""}.`,
    );
  if (groups.length === 0) {
    const asked = [
      filter.family && `of family ${filter.family}`,
      filter.task && `on ${filter.task}`,
      wanted && `with ${wanted.name}`,
    ];
    throw new InputError(`The store has no results ${asked.filter(Boolean).join(" ")} that can be compared.`);
  }
  const models = (group: readonly ResultRow[]) => new Set(group.map(modelKey)).size;
  const rank = ([{ key }]: readonly ResultRow[]) => ({ perplexity: 2, [meanAccuracyTask]: 1 })[key.task] ?? 0;
  groups.sort((a, b) => models(b) - models(a) || rank(b) - rank(a) || b.length - a.length);
  const [group, ...others] = groups;
  const metric = chooseMetric(group, wanted);
  const usable = group.filter((row) => readMetric(row, metric) !== undefined);
  const notes: string[] = [];
  const { task } = group[0].key;
  const members = new Set(group.flatMap((row) => (isMean(row) ? row.members : [])));
  const left = others
    .filter((other) => other[0].key.task !== meanAccuracyTask)
    .reduce((sum, other) => sum + other.filter((row) => !members.has(row)).length, 0);
  const criterion = describeCriterion(usable, metric);
  const beside = left > 0 ? `; ${countResults(left)} of other tasks or conditions took no part` : "";
  notes.push(`Compared on ${describeData(usable)} by ${metric.name}${beside}.`);
  const isSameElse = (row: ResultRow) =>
    row.key.task === task && conditions(row, false) === conditions(group[0], false);
  if (others.some(([row]) => isSameElse(row)))
    notes.push(
      "Results of other tokenizers took no part: the first windows of a text are another text for them. Measured on all of it (without --limit) they could be compared.",
    );
  if (usable.length < group.length)
    notes.push(`${countResults(group.length - usable.length)} without ${metric.name} took no part.`);
  const imported = usable.filter((row) => row.imported !== undefined);
  if (imported.length > 0) notes.push(describeImports(imported, usable.length));
  return { task, metric, criterion, rows: usable, notes };
}

/** What a value is and of what: names of tasks, of a text its file. */
function describeCriterion([row, ...others]: readonly ResultRow[], { label }: MetricFacts): string {
  if (isMean(row)) return `mean ${label} of ${listTasks(row)}`;
  return `${label} on ${row.key.task === "perplexity" ? nameText(row, others) : row.key.task}`;
}

/** The data of rows and how much of it. */
function describeData([row, ...others]: readonly ResultRow[]): string {
  const { task, limit } = row.key;
  const data = isMean(row)
    ? `the ${task} ${listTasks(row)}`
    : task === "perplexity"
      ? `${task} of ${nameText(row, others)}`
      : task;
  const unit = isMean(row) ? "documents of each" : task === "perplexity" ? "windows" : "documents";
  return limit === null ? data : `${data} (the first ${limit} ${unit})`;
}

function nameText(row: ResultRow, others: readonly ResultRow[]): string {
  return row.paths?.data || row.key.dataHash ? nameData(row, others) : "a text";
}

function listTasks({ members }: { readonly members: readonly ResultRow[] }): string {
  const tasks = [...new Set(members.map((one) => one.key.task))];
  if (tasks.length > 4) return `${tasks.length} tasks`;
  return tasks.length === 1 ? tasks[0] : `${tasks.slice(0, -1).join(", ")} and ${tasks.at(-1)}`;
}

function countResults(count: number): string {
  return count === 1 ? "1 result" : `${count} results`;
}

// The first windows of a text: how much of it they hold depends on the tokenizer.
function isPartOfText({ key }: ResultRow): boolean {
  return key.task === "perplexity" && key.limit !== null;
}

function describeImports(imported: readonly ResultRow[], all: number): string {
  const tools = [...new Set(imported.map((row) => row.imported!.split(",")[0]))].join(" and ");
  if (all === 1)
    return `The only result is a published one, imported from ${tools}: kbit did not measure it; its size and precision are as the import was told.`;
  const which = imported.length === all ? `All ${all}` : `${imported.length} of ${all}`;
  return `${which} results ${imported.length === 1 ? "is a published one" : "are published ones"}, imported from ${tools}: kbit did not measure them, sizes and precisions are as the import was told, and differences are unpaired.`;
}

function chooseMetric(group: readonly ResultRow[], wanted: MetricFacts | undefined): MetricFacts {
  const metric = wanted ?? defaultMetric(group)!;
  const tokenizers = new Set(group.map(({ key, model }) => key.tokenizerHash || model.family)).size;
  if (tokenizers === 1 || !metric.perToken) return metric;
  const fair = metrics.filter((one) => !one.perToken && one.better === "lower" && one.name !== "flips");
  const shared = fair.find((one) => group.every((row) => readMetric(row, one) !== undefined));
  if (wanted === undefined && shared !== undefined) return shared;
  const families = [...new Set(group.map((row) => row.model.family))];
  const shown = `${families.slice(0, 5).join(", ")}${families.length > 5 ? ", .." : ""}`;
  const hint = shared ? `--metric ${shared.name}` : `--family (${shown}), or measure bits a byte`;
  throw new InputError(
    `These models have ${tokenizers} tokenizers, and ${metric.name} is by the token: it cannot compare them; use ${hint}.`,
  );
}
