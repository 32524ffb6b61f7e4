// Standard errors of differences between rows that were measured on the same documents: hard documents are hard for
// both sides, so their differences vary far less than either. Formulas: docs/scaling.md, Noise.

import type { DocumentValues, ResultRow } from "../result.ts";
import { isMean } from "./mean-row.ts";
import type { MetricFacts } from "./metrics.ts";
import type { TrainingNoise } from "./training.ts";

/** A row in a linear combination, such as an end of the line between two points. */
export interface Part {
  readonly row: ResultRow;
  readonly factor: number;
  /** What chance in training does to the value that the part belongs to. */
  readonly training?: TrainingNoise;
}

/**
 * The standard error of `sum_j factor_j * metric_j`, document by document: `sqrt(sum_i (sum_j factor_j u_ij)^2)` with
 * `u` of `readDeviations`. Null where a row has no documents, or rows have different ones.
 */
export function computePairedError(parts: readonly Part[], metric: MetricFacts): number | null {
  const total = combineDeviations(parts, metric);
  if (total === null) return null;
  const error = Math.sqrt(total.reduce((sum, value) => sum + value * value, 0));
  return Number.isFinite(error) ? error : null;
}

/** `sum_j factor_j u_ij` of each document i. Null where a row has no documents, or rows have different ones. */
export function combineDeviations(parts: readonly Part[], metric: MetricFacts): Float64Array | null {
  const [first] = parts;
  const total = first && readDeviations(first.row, metric)?.map((value) => value * first.factor);
  if (!total) return null;
  const documents = nameDocuments(first.row);
  for (const { row, factor } of parts.slice(1)) {
    const deviations = nameDocuments(row) === documents ? readDeviations(row, metric) : null;
    if (deviations?.length !== total.length) return null;
    for (let i = 0; i < total.length; i++) total[i] += factor * deviations[i];
  }
  return total;
}

/**
 * The variance that chance in training adds to `sum_j factor_j * metric_j`: what parts of one model have in common cancels.
 * Null where it is not known.
 */
export function computeTrainingVariance(parts: readonly Part[]): { variance: number; degrees: number } | null {
  const factors = new Map<string, { factor: number; noise: TrainingNoise }>();
  for (const { factor, training } of parts) {
    if (training === undefined) return null;
    const before = factors.get(training.key)?.factor ?? 0;
    factors.set(training.key, { factor: before + factor, noise: training });
  }
  let variance = 0;
  for (const { factor, noise } of factors.values()) variance += factor ** 2 * noise.variance;
  return { variance, degrees: Math.min(...[...factors.values()].map(({ noise }) => noise.degrees)) };
}

/**
 * How far each document pulls a row's metric from what it is, scaled so that the squares sum to its variance:
 * `u_i = sqrt(n / (n - 1)) * (v_i - m w_i) / sum(w)` with `m = sum(v) / sum(w)`, the delta method for a ratio of sums.
 * Windows of a text are summed to blocks first. A mean of T tasks has those of each task by 1 / T, one after the other.
 * Null for fewer than two documents or blocks, or none at all.
 */
export function readDeviations(row: ResultRow, metric: MetricFacts): Float64Array | null {
  let ofRow = known.get(row);
  if (!ofRow) known.set(row, (ofRow = new Map()));
  let deviations = ofRow.get(metric.name);
  if (deviations === undefined) {
    deviations = deriveDeviations(row, metric);
    if ((deviations?.length ?? 0) <= longestKept) ofRow.set(metric.name, deviations);
  }
  return deviations;
}

const known = new WeakMap<ResultRow, Map<string, Float64Array | null>>(); // asked for in hundreds of comparisons a row
/** Longer lists, those of tasks of many documents, are derived each time: thousands of them would not fit in memory. */
const longestKept = 256;

function deriveDeviations(row: ResultRow, metric: MetricFacts): Float64Array | null {
  if (isMean(row)) {
    const { members } = row;
    const lists = members.map((member) => readDeviations(member, metric));
    if (lists.includes(null)) return null;
    return Float64Array.from(lists.flatMap((list) => Array.from(list!, (value) => value / members.length)));
  }
  const found = findDocuments(row, metric);
  return found && computeDeviations(found.documents, found.factor, isText(row) ? sizeBlocks : () => 1);
}

/**
 * Windows a block: `n / 30`, at most 16. Windows side by side are a little alike, so that windows taken as independent
 * would understate the error; 30 blocks are enough to know their spread.
 */
export function sizeBlocks(windows: number): number {
  return Math.max(1, Math.min(16, Math.floor(windows / 30)));
}

function computeDeviations(
  { values, weights }: DocumentValues,
  factor: number,
  sizeOf: (count: number) => number,
): Float64Array | null {
  const size = sizeOf(values.length);
  const blocks = Math.ceil(values.length / size);
  if (blocks < 2 || (weights && weights.length !== values.length)) return null;
  let total = 0;
  let weight = 0;
  for (let i = 0; i < values.length; i++) {
    total += values[i];
    weight += weights ? weights[i] : 1;
  }
  const mean = total / weight;
  const scale = (factor * Math.sqrt(blocks / (blocks - 1))) / weight;
  const deviations = new Float64Array(blocks);
  for (let i = 0; i < values.length; i++) {
    deviations[Math.floor(i / size)] += scale * (values[i] - mean * (weights ? weights[i] : 1));
  }
  return deviations;
}

// The documents that a metric is the mean of as curves read it (perplexities as logarithms), up to a factor: of a text,
// loss, perplexity and bits a byte have the same ones.
function findDocuments(row: ResultRow, metric: MetricFacts): { documents: DocumentValues; factor: number } | null {
  const { documents } = row;
  if (documents === undefined) return null;
  const has = (name: string) => Object.hasOwn(documents, name);
  if (has(metric.name)) return { documents: documents[metric.name], factor: 1 };
  if (metric.name === "nll" && has("perplexity")) return { documents: documents["perplexity"], factor: 1 };
  if (metric.name === "perplexity" && has("nll")) return { documents: documents["nll"], factor: 1 };
  if (metric.name === "bitsPerByte" && has("bits_per_byte"))
    return { documents: documents["bits_per_byte"], factor: 1 };
  const [bits, loss] = [row.metrics["bitsPerByte"], row.metrics["nll"]];
  if (metric.name !== "bitsPerByte" || !has("nll") || !bits || !loss) return null;
  return { documents: documents["nll"], factor: bits.value / loss.value };
}

// What must agree for documents to be the same; windows of a text are by tokens, so they depend on the tokenizer too.
function nameDocuments(row: ResultRow): string {
  const before = names.get(row);
  if (before !== undefined) return before;
  const { task, taskVersion, dataHash, limit, profile, tokenizerHash } = row.key;
  const name = JSON.stringify([task, taskVersion, dataHash, limit, profile, isText(row) ? tokenizerHash : ""]);
  names.set(row, name);
  return name;
}

const names = new WeakMap<ResultRow, string>();

function isText(row: ResultRow): boolean {
  return row.key.task === "perplexity";
}
