// A result row as cells of a flat table and back, the same for Parquet and CSV: one column for each field, named by its
// path (`model.name`), then `metrics.NAME`, its `.standardError`, `.n` and `.chance`, and `documents.NAME` (`.weights`).

import type { ResultRow } from "../../result.ts";

/** A cell; a field that a row does not have has none. */
export type Cell = string | number | Float32Array;

/** What a column holds. */
export type ColumnKind = "text" | "number" | "floats";

/** One column of a table of rows. */
export interface RowColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Whether an empty text is a value, not a field that is absent. */
  readonly keepsEmpty?: boolean;
}

/** Paths of the fields of a row, all that have one value. */
type FieldPath<T> = {
  [K in keyof T & string]-?: NonNullable<T[K]> extends object ? `${K}.${FieldPath<NonNullable<T[K]>>}` : K;
}[keyof T & string];

/** Every field but metrics and documents; a field that is added to rows does not compile until it has a column. */
const fields: Record<FieldPath<Omit<ResultRow, "metrics" | "documents">>, ColumnKind | "text?"> = {
  id: "text",
  "model.name": "text",
  "model.family": "text",
  "key.spec": "text",
  bitsPerWeight: "number",
  "bits.total": "number",
  "key.task": "text",
  "model.parameters": "number",
  "model.nonEmbeddingParameters": "number",
  "model.quantizedParameters": "number",
  "model.trainingTokens": "number",
  "model.seed": "number",
  "bits.nonEmbedding": "number",
  "bits.quantized": "number",
  "bits.nominalPerParameter": "number",
  "key.taskVersion": "text",
  "key.limit": "number",
  "key.profile": "text",
  "key.computeType": "text",
  "key.weightsHash": "text",
  "key.configHash": "text",
  "key.tokenizerHash": "text",
  "key.dataHash": "text",
  "key.versions.quantizer": "number",
  "key.versions.model": "number",
  "key.versions.task": "number",
  "paths.model": "text?",
  "paths.data": "text?",
  "paths.task": "text?",
  kernels: "text",
  seconds: "number",
  machine: "text",
  kbit: "text",
  date: "text",
  imported: "text?",
};

const fieldColumns: readonly RowColumn[] = Object.entries(fields).map(([name, kind]) =>
  kind === "text?" ? { name, kind: "text" } : { name, kind, keepsEmpty: kind === "text" },
);

const metricParts = ["value", "standardError", "n", "chance"] as const;
const metricColumn = /^metrics\.(.+?)(?:\.(standardError|n|chance))?$/;
const documentColumn = /^documents\.(.+?)(\.weights)?$/;

/** The columns of rows: the fields, then every metric that one of them has, then documents if they are wanted. */
export function listColumns(rows: readonly ResultRow[], withDocuments: boolean): RowColumn[] {
  const metrics = new Set<string>();
  const documents = new Set<string>();
  for (const row of rows) {
    for (const [name, metric] of Object.entries(row.metrics))
      for (const part of metricParts) if (metric[part] !== undefined) metrics.add(nameMetric(name, part));
    if (!withDocuments) continue;
    for (const [name, { weights }] of Object.entries(row.documents ?? {})) {
      documents.add(`documents.${name}`);
      if (weights) documents.add(`documents.${name}.weights`);
    }
  }
  return [
    ...fieldColumns,
    ...[...metrics].map((name): RowColumn => ({ name, kind: "number" })),
    ...[...documents].map((name): RowColumn => ({ name, kind: "floats" })),
  ];
}

/** The column of that name; undefined if rows have none. */
export function findColumn(name: string): RowColumn | undefined {
  const field = fieldColumns.find((column) => column.name === name);
  if (field) return field;
  if (metricColumn.test(name)) return { name, kind: "number" };
  return documentColumn.test(name) ? { name, kind: "floats" } : undefined;
}

function nameMetric(name: string, part: (typeof metricParts)[number]): string {
  return part === "value" ? `metrics.${name}` : `metrics.${name}.${part}`;
}

/** The cell of a row in a column. */
export function readCell(row: ResultRow, { name }: RowColumn): Cell | undefined {
  return (read(row, locate(name)) as Cell | null | undefined) ?? undefined;
}

/** The keys that lead to a column's value in a row. */
function locate(column: string): readonly string[] {
  const [, metric, part = "value"] = metricColumn.exec(column) ?? [];
  if (metric !== undefined) return ["metrics", metric, part];
  const [, documents, weights] = documentColumn.exec(column) ?? [];
  if (documents !== undefined) return ["documents", documents, weights ? "weights" : "values"];
  return column.split(".");
}

function read(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined || value === undefined || value === null) return value;
  return Object.hasOwn(value, key) ? read((value as Record<string, unknown>)[key], rest) : undefined;
}

/** The row that cells describe, not yet checked; the inverse of `readCell` over all columns. */
export function joinCells(cells: Iterable<readonly [column: string, cell: unknown]>): unknown {
  const row: Nested = { __proto__: null, key: { __proto__: null, limit: null }, metrics: { __proto__: null } } as never;
  for (const [column, cell] of cells) {
    if (cell === undefined || cell === null) continue;
    const keys = locate(column);
    let place = row;
    for (const key of keys.slice(0, -1)) place = (place[key] ??= { __proto__: null } as never) as Nested;
    place[keys.at(-1)!] = cell;
  }
  return row;
}

interface Nested {
  [key: string]: unknown;
}
