// The metrics that curves can be drawn of: one table row each, and how a result row is read as one.
// First step of the laws. Perplexities are read as their logarithm, as the paper reports them.

import { findNearest, InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";

/** A metric's facts. */
export interface MetricFacts {
  readonly name: string;
  /** How an axis or a table names it. */
  readonly label: string;
  /** Unit of a value as it is read; empty for a share. */
  readonly unit: string;
  readonly better: "lower" | "higher";
  /** True: the value read is the natural logarithm of the stored one. */
  readonly logarithm: boolean;
  /** True: only models of one tokenizer can be compared by it. */
  readonly perToken: boolean;
}

const lower = { better: "lower", logarithm: false, perToken: false } as const;
const higher = { better: "higher", logarithm: false, perToken: false } as const;

/** The table of metrics, in the order in which a default is chosen. */
export const metrics: readonly MetricFacts[] = [
  { ...higher, name: "acc", label: "accuracy", unit: "" },
  { ...lower, name: "nll", label: "loss", unit: "nats a token", perToken: true },
  { ...lower, name: "perplexity", label: "ln perplexity", unit: "nats a token", logarithm: true, perToken: true },
  { ...lower, name: "bitsPerByte", label: "loss a byte", unit: "bits" },
  { ...lower, name: "word_perplexity", label: "ln word perplexity", unit: "nats a word", logarithm: true },
  { ...lower, name: "byte_perplexity", label: "ln byte perplexity", unit: "nats a byte", logarithm: true },
  { ...higher, name: "acc_norm", label: "accuracy by character", unit: "" },
  { ...higher, name: "acc_bytes", label: "accuracy by byte", unit: "" },
  { ...higher, name: "topAgreement", label: "top-1 agreement with 16 bits", unit: "" },
  { ...lower, name: "klDivergence", label: "KL divergence from 16 bits", unit: "nats a token", perToken: true },
  { ...lower, name: "flips", label: "answers flipped", unit: "" },
];

/** A metric of one row as curves use it. */
export interface MetricReading {
  readonly value: number;
  /** Null where the row has none. */
  readonly standardError: number | null;
}

/**
 * The facts of a metric by its name.
 *
 * @throws InputError for a name that the table lacks, with the nearest one
 */
export function findMetric(name: string): MetricFacts {
  const facts = metrics.find((metric) => metric.name === name);
  if (facts) return facts;
  const names = metrics.map((metric) => metric.name);
  const near = findNearest(name, names);
  const hint = near ? `did you mean ${near}?` : `choose one of ${names.join(", ")}.`;
  throw new InputError(`Metric "${name}" is not one that curves can be drawn of; ${hint}`);
}

/** The metric that `rows` are compared by when none is asked for: the first of the table that any row has. */
export function defaultMetric(rows: readonly ResultRow[]): MetricFacts | undefined {
  return metrics.find((metric) => rows.some((row) => readMetric(row, metric) !== undefined));
}

/** The metrics that curves of these rows can be drawn of. */
export function listMetrics(rows: readonly ResultRow[]): MetricFacts[] {
  return metrics.filter((metric) => rows.some((row) => readMetric(row, metric) !== undefined));
}

/**
 * Reads a metric of a row: `ln v` with standard error `s / v` for perplexities, `v` with `s` for all others.
 * `nll` falls back on the logarithm of `perplexity`, `bitsPerByte` on the harness's `bits_per_byte`. A value that is not finite is returned as it is.
 */
export function readMetric(row: ResultRow, metric: MetricFacts): MetricReading | undefined {
  let logarithm = metric.logarithm;
  let stored = row.metrics[metric.name];
  if (stored === undefined && metric.name === "nll") {
    stored = row.metrics["perplexity"];
    logarithm = true;
  }
  if (metric.name === "bitsPerByte") stored ??= row.metrics["bits_per_byte"];
  if (stored === undefined) return undefined;
  const { value, standardError } = stored;
  const known = standardError !== undefined && Number.isFinite(standardError) && standardError >= 0;
  if (!logarithm) return { value, standardError: known ? standardError : null };
  return { value: Math.log(value), standardError: known ? standardError / value : null };
}

/** `a` is better than `b` by this much; negative where it is worse. */
export function advantage(metric: MetricFacts, a: number, b: number): number {
  return metric.better === "lower" ? b - a : a - b;
}
