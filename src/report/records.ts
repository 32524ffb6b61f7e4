// Rows as columns of plain values, the form in which the page carries them: for its table, its filter and its CSV.
// Repeated texts are kept once; 35,000 rows stay a few megabytes.

import type { ResultRow } from "../result.ts";
import { defaultMetric, readMetric } from "../scaling/metrics.ts";

/** One column: its values, or indices into the distinct ones. */
export interface RecordColumn {
  readonly name: string;
  readonly values: readonly (string | number | null)[];
  /** Present: `values` are indices into this list. */
  readonly distinct?: readonly (string | number)[];
}

/** All rows by column. */
export interface Records {
  readonly count: number;
  readonly columns: readonly RecordColumn[];
}

const fields: readonly (readonly [string, (row: ResultRow) => string | number | null])[] = [
  ["model", (row) => row.model.name],
  ["family", (row) => row.model.family],
  ["parameters", (row) => row.model.parameters],
  ["nonEmbeddingParameters", (row) => row.model.nonEmbeddingParameters],
  ["quantizedParameters", (row) => row.model.quantizedParameters],
  ["spec", (row) => row.key.spec],
  ["bitsPerWeight", (row) => row.bitsPerWeight],
  ["task", (row) => row.key.task],
  ["measure", (row) => readMain(row)?.label ?? ""],
  ["value", (row) => readMain(row)?.value ?? null],
  ["standardError", (row) => readMain(row)?.standardError ?? null],
  ["totalBits", (row) => row.bits.total],
  ["nonEmbeddingBits", (row) => row.bits.nonEmbedding],
  ["quantizedBits", (row) => row.bits.quantized],
  ["nominalBitsPerParameter", (row) => row.bits.nominalPerParameter],
  ["seconds", (row) => row.seconds],
  ["date", (row) => row.date],
  ["taskVersion", (row) => row.key.taskVersion],
  ["profile", (row) => row.key.profile],
  ["limit", (row) => row.key.limit],
  ["computeType", (row) => row.key.computeType],
  ["kernels", (row) => row.kernels],
  ["machine", (row) => row.machine],
  ["kbit", (row) => row.kbit],
  ["codeVersions", ({ key: { versions } }) => `${versions.quantizer}.${versions.model}.${versions.task}`],
  ["dataHash", (row) => row.key.dataHash],
  ["weightsHash", (row) => row.key.weightsHash],
  ["configHash", (row) => row.key.configHash],
  ["tokenizerHash", (row) => row.key.tokenizerHash],
  ["modelPath", (row) => row.paths?.model ?? null],
  ["dataPath", (row) => row.paths?.data ?? null],
  ["taskPath", (row) => row.paths?.task ?? null],
  ["id", (row) => row.id],
];

/**
 * The rows by column: what they are, their main value, sizes, provenance, and every metric with error and n.
 *
 * @param unstable - why a row is unstable
 */
export function tabulateRecords(
  rows: readonly ResultRow[],
  unstable: ReadonlyMap<ResultRow, string> = new Map(),
): Records {
  const columns = fields.map(([name, read]) => makeColumn(name, rows.map(read)));
  const reasons = rows.map((row) => unstable.get(row) ?? null);
  columns.push(makeColumn("unstable", reasons));
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))].sort();
  for (const name of names) {
    const metricsOf = rows.map((row) => (Object.hasOwn(row.metrics, name) ? row.metrics[name] : undefined));
    columns.push(
      makeColumn(
        `metrics.${name}`,
        metricsOf.map((metric) => metric?.value ?? null),
      ),
    );
    columns.push(
      makeColumn(
        `metrics.${name}.standardError`,
        metricsOf.map((metric) => metric?.standardError ?? null),
      ),
    );
    columns.push(
      makeColumn(
        `metrics.${name}.n`,
        metricsOf.map((metric) => metric?.n ?? null),
      ),
    );
  }
  return { count: rows.length, columns };
}

/** The one value that a table shows of a row, and its name; undefined where it has none that tables know. */
export function readMain(
  row: ResultRow,
): { readonly label: string; readonly value: number; readonly standardError: number | null } | undefined {
  const metric = defaultMetric([row]);
  if (metric !== undefined) return { label: metric.label, ...readMetric(row, metric)! };
  const time = row.metrics["msPerToken"];
  return time && { label: "ms a token", value: time.value, standardError: time.standardError ?? null };
}

// What repeats becomes an index; numbers that are not finite become texts, since JSON has none. A column of nothing is short.
function makeColumn(name: string, values: readonly (string | number | null)[]): RecordColumn {
  const plain = values.map((value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value));
  if (plain.every((value) => value === null)) return { name, values: [] };
  const index = new Map<string | number, number>();
  for (const value of plain) if (value !== null && !index.has(value)) index.set(value, index.size);
  const isText = plain.some((value) => typeof value === "string");
  if (index.size > plain.length / (isText ? 2 : 8)) return { name, values: plain };
  return {
    name,
    values: plain.map((value) => (value === null ? null : index.get(value)!)),
    distinct: [...index.keys()],
  };
}
