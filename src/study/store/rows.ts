// Between a ResultRow and its place in the tables: columns for what is queried, metrics apart, JSON for the rest.

import type { Metric, ResultRow } from "../../result.ts";
import { packDocuments, unpackDocuments } from "./documents.ts";
import type { DocumentTable, MetricTable, ResultTable } from "./schema.ts";

/** What of a row has no column of its own. */
interface RestOfRow {
  readonly key: Omit<ResultRow["key"], "spec" | "task">;
  readonly model: Omit<ResultRow["model"], "name" | "family">;
  readonly bits: Omit<ResultRow["bits"], "total">;
  readonly paths?: ResultRow["paths"];
  readonly kernels: string;
  readonly seconds: number;
  readonly machine: string;
  readonly kbit: string;
  readonly imported?: string;
}

/** The table rows of a result. */
export function splitRow(row: ResultRow): {
  result: Omit<ResultTable, "added">;
  metrics: MetricTable[];
  documents: DocumentTable[];
} {
  const { spec, task, ...key } = row.key;
  const { name, family, ...model } = row.model;
  const { total, ...bits } = row.bits;
  const { paths, kernels, seconds, machine, kbit, documents, imported } = row;
  const rest: RestOfRow = { key, model, bits, paths, kernels, seconds, machine, kbit, imported };
  return {
    result: {
      id: row.id,
      model: name,
      family,
      spec,
      bits_per_weight: row.bitsPerWeight,
      total_bits: total,
      task,
      date: row.date,
      rest: JSON.stringify(rest),
    },
    metrics: Object.entries(row.metrics).map(([metric, { value, standardError, n, chance }]) => ({
      result_id: row.id,
      name: metric,
      value,
      standard_error: standardError ?? null,
      n,
      chance: chance ?? null,
    })),
    documents: documents === undefined ? [] : [{ result_id: row.id, packed: packDocuments(documents) }],
  };
}

/** The result of table rows; the inverse of `splitRow`. Documents are unpacked each time they are read. */
export function joinRow(
  result: Omit<ResultTable, "added">,
  metrics: readonly MetricTable[],
  packed?: Uint8Array,
): ResultRow {
  const rest: RestOfRow = JSON.parse(result.rest);
  const row: ResultRow = {
    id: result.id,
    key: { ...rest.key, spec: result.spec, task: result.task },
    model: { name: result.model, family: result.family, ...restoreUnknown(rest.model) },
    bitsPerWeight: Number(result.bits_per_weight),
    bits: { total: Number(result.total_bits), ...restoreUnknown(rest.bits) },
    metrics: Object.fromEntries(metrics.map((metric) => [metric.name, joinMetric(metric)])),
    ...(rest.paths && { paths: rest.paths }),
    kernels: rest.kernels,
    seconds: rest.seconds ?? Number.NaN,
    machine: rest.machine,
    kbit: rest.kbit,
    date: result.date,
    ...(rest.imported !== undefined && { imported: rest.imported }),
  };
  if (packed === undefined) return row;
  return Object.defineProperty(row, "documents", { enumerable: true, get: () => unpackDocuments(packed) });
}

/** Numbers that an imported row does not know are NaN, for which JSON has null. */
function restoreUnknown<T extends object>(numbers: T): T {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, value ?? Number.NaN])) as T;
}

function joinMetric({ value, standard_error, n, chance }: MetricTable): Metric {
  return {
    value: Number(value),
    n: Number(n),
    ...(standard_error !== null && { standardError: Number(standard_error) }),
    ...(chance !== null && { chance: Number(chance) }),
  };
}
