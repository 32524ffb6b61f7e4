// The options of kbit report: their values, and whether the store holds what they ask for.

import { findNearest, InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import type { CountName } from "../scaling/curves.ts";
import { isOnData, nameData } from "../scaling/data-name.ts";
import { readFacets } from "../scaling/facets.ts";
import { listMetrics } from "../scaling/metrics.ts";
import { meanAccuracyTask } from "../scaling/series.ts";
import { parseBytes } from "./size.ts";

/** What `kbit report` takes. */
export interface ReportOptions {
  readonly db: string;
  readonly out?: string;
  readonly title?: string;
  readonly metric?: string;
  readonly task?: string;
  readonly family?: string;
  readonly data?: string;
  readonly count: string;
  readonly type?: string[];
  readonly block?: string[];
  readonly budget?: number[];
  readonly json?: boolean;
}

/** The values of `--count`. */
export const counts: Record<string, CountName> = {
  all: "all",
  "non-embedding": "nonEmbedding",
  quantized: "quantized",
};

/** @throws InputError for an option that no row of the store passes, with what the store has */
export function checkOptions(options: ReportOptions, rows: readonly ResultRow[]): void {
  const { metric, task, family, data, type = [], block = [] } = options;
  const facets = rows.map((row) => readFacets(row.key.spec)).filter(({ type }) => type !== "baseline");
  const metrics = listMetrics(rows).map(({ name }) => name);
  checkNames("metric", metric === undefined ? [] : [metric], metrics, rows);
  const families = rows.map((row) => row.model.family);
  checkNames("family", family === undefined ? [] : [family], families, rows);
  const tasks = rows.map((row) => row.key.task);
  checkNames("task", task === undefined || task === meanAccuracyTask ? [] : [task], tasks, rows);
  checkNames(
    "type",
    type,
    facets.map(({ type }) => type),
    rows,
  );
  checkNames(
    "block",
    block,
    facets.map(({ block }) => block).filter((block) => block !== ""), // mixes have none
    rows,
  );
  if (data === undefined || rows.some((row) => isOnData(row, data))) return;
  checkNames("data", [data], new Map(rows.map((row) => [row.key.dataHash, nameData(row)])).values(), rows);
}

function checkNames(
  option: string,
  asked: readonly string[],
  present: Iterable<string>,
  rows: readonly ResultRow[],
): void {
  if (rows.length === 0) return;
  const names = [...new Set(present)];
  for (const name of asked) {
    if (names.includes(name)) continue;
    const nearest = option === "block" ? undefined : findNearest(name, names);
    const shown = `${names.slice(0, 12).join(", ")}${names.length > 12 ? ", .." : ""}`;
    const none = option === "block" ? "it has none in blocks." : "it has unquantized models only.";
    const has = names.length === 0 ? none : `it has ${shown}.`;
    const hint = nearest ? `did you mean ${nearest}? ${has.charAt(0).toUpperCase()}${has.slice(1)}` : has;
    throw new InputError(`The store has no results of --${option} ${name}; ${hint}`);
  }
}

/** `a,b` as a list. */
export function splitList(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  return items.filter((item) => item !== "");
}

/** Sizes such as `500KB,2MB` (decimal) or `1MiB`, in bits. @throws InputError for what is no size */
export function parseBudgets(text: string): number[] {
  return splitList(text).map((item) => Math.round(parseBytes(item, "--budget") * 8));
}
