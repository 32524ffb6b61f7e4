// From log-likelihoods to scores: of one document, then of a task with standard errors.
// The definitions are lm-eval's: ties go to the first choice, lengths are code points (acc_norm) or bytes (acc_bytes).

import type { DocumentValues, Metric } from "../result.ts";
import { bootstrapPerplexityError } from "./bootstrap.ts";
import type { PairScore } from "./pairs.ts";
import { countBytes, countCodePoints } from "./python-text.ts";
import { mean, meanError, sum } from "./sum.ts";

/** Every metric that a task may report, and in which direction it improves. */
export const metricDirections = {
  acc: "up",
  acc_norm: "up",
  acc_bytes: "up",
  perplexity: "down",
  word_perplexity: "down",
  byte_perplexity: "down",
  bits_per_byte: "down",
} as const;

/** Name of a metric. */
export type MetricName = keyof typeof metricDirections;

/** The metrics of each kind of task. */
export const metricsOf = {
  continuation: ["acc", "perplexity"],
  choice: ["acc", "acc_norm", "acc_bytes"],
  rolling: ["word_perplexity", "byte_perplexity", "bits_per_byte"],
} as const satisfies Record<string, readonly MetricName[]>;

/** What one document scored. */
export interface DocumentScore {
  /** Sum of log-probabilities of each continuation (or of the whole text), nats: `(choices)`. */
  readonly logLikelihoods: readonly number[];
  /** Of a choice: which of them is right. */
  readonly gold?: number;
  /** 1 if right, else 0. */
  readonly acc?: number;
  readonly acc_norm?: number;
  readonly acc_bytes?: number;
  /** Accuracy of guessing. */
  readonly chance?: number;
  /** Of rolling tasks. */
  readonly words?: number;
  readonly bytes?: number;
}

/** A free continuation: right if every token is the arg max. */
export function scoreContinuation(scores: readonly PairScore[]): DocumentScore {
  const [{ logLikelihood, greedy }] = scores;
  return { logLikelihoods: [logLikelihood], acc: greedy ? 1 : 0, chance: 0 };
}

/**
 * A choice: the likeliest continuation, as it is (`acc`), per code point (`acc_norm`) and per byte (`acc_bytes`).
 *
 * @param choices - the texts whose lengths normalize, without the space before them: `(choices)`
 */
export function scoreChoices(scores: readonly PairScore[], choices: readonly string[], gold: number): DocumentScore {
  const logLikelihoods = scores.map((score) => score.logLikelihood);
  const isGold = (values: number[]) => (indexOfLargest(values) === gold ? 1 : 0);
  return {
    logLikelihoods,
    gold,
    acc: isGold(logLikelihoods),
    acc_norm: isGold(logLikelihoods.map((value, i) => value / countCodePoints(choices[i]))),
    acc_bytes: isGold(logLikelihoods.map((value, i) => value / countBytes(choices[i]))),
    chance: 1 / choices.length,
  };
}

/** A whole text in windows: its log-likelihood, and the units that it is divided by. */
export function scoreRolling(scores: readonly PairScore[], words: number, bytes: number): DocumentScore {
  return { logLikelihoods: [sum(scores.map((score) => score.logLikelihood))], words, bytes };
}

/** The first of the largest values, as NumPy's `argmax`. */
export function indexOfLargest(values: readonly number[]): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * A task's metrics. Accuracies: mean and `deviation / sqrt(n)`. Perplexity: `exp(-mean(ll))` and its bootstrap error.
 * Rolling perplexities: `exp(-sum(ll) / sum(units))`, without an error, as in lm-eval.
 *
 * @param iterations - resamples of the bootstrap
 */
export async function summarize(
  names: readonly MetricName[],
  documents: readonly DocumentScore[],
  iterations: number,
  onProgress?: (done: number, total: number) => void,
): Promise<Record<string, Metric>> {
  const metrics: Record<string, Metric> = {};
  const n = documents.length;
  const logLikelihoods = documents.map((document) => document.logLikelihoods[0]);
  for (const name of names) {
    switch (name) {
      case "acc":
      case "acc_norm":
      case "acc_bytes": {
        const values = documents.map((document) => document[name]!);
        metrics[name] = { value: mean(values), standardError: meanError(values), n };
        break;
      }
      case "perplexity": {
        const standardError = await bootstrapPerplexityError(logLikelihoods, iterations, onProgress);
        metrics[name] = { value: Math.exp(-mean(logLikelihoods)), standardError, n };
        break;
      }
      default: {
        const units = documents.map((document) => (name === "word_perplexity" ? document.words! : document.bytes!));
        const perUnit = sum(logLikelihoods) / sum(units);
        metrics[name] = { value: name === "bits_per_byte" ? -perUnit / Math.LN2 : Math.exp(-perUnit), n };
      }
    }
  }
  return metrics;
}

/** What each metric is the mean of, document by document: `sum(values) / sum(weights)`, of perplexities the logarithm. */
export function listDocumentValues(
  names: readonly MetricName[],
  documents: readonly DocumentScore[],
): Record<string, DocumentValues> {
  const read = (value: (document: DocumentScore) => number) => Float32Array.from(documents, value);
  const loss = (document: DocumentScore) => -document.logLikelihoods[0];
  const list: Record<string, DocumentValues> = {};
  for (const name of names) {
    if (name === "perplexity") list[name] = { values: read(loss) };
    else if (name === "word_perplexity") list[name] = { values: read(loss), weights: read(({ words }) => words!) };
    else if (name === "byte_perplexity") list[name] = { values: read(loss), weights: read(({ bytes }) => bytes!) };
    else if (name === "bits_per_byte")
      list[name] = { values: read((one) => loss(one) / Math.LN2), weights: read(({ bytes }) => bytes!) };
    else list[name] = { values: read((document) => document[name]!) };
  }
  return list;
}
