// Perplexity of a text under a named convention (conventions.ts): its windows scored, and what follows from the scores.

import { InputError } from "../input-error.ts";
import type { LanguageModel, ScoreRequest } from "../language-model.ts";
import type { DocumentValues, Metric } from "../result.ts";
import { type Convention, type ConventionOptions, planText } from "./conventions.ts";
import { createNotFiniteError } from "./pairs.ts";
import type { TokenPair } from "./profiles.ts";
import { countBytes, splitAtSpaces } from "./python-text.ts";
import { sum } from "./sum.ts";

/** How to measure. */
export interface PerplexityOptions extends ConventionOptions {
  readonly onProgress?: (tokensDone: number, tokensTotal: number) => void;
}

/** Perplexity of a text and what it was taken over. */
export interface PerplexityResult {
  /** `exp(nll)`. */
  readonly perplexity: number;
  /** Mean negative log-likelihood of the scored tokens, nats. */
  readonly nll: number;
  /** Scored tokens. */
  readonly tokens: number;
  /** `nll * tokens / (bytes * ln 2)`. */
  readonly bitsPerByte: number;
  /** UTF-8 bytes of the text that the scored tokens spell. */
  readonly bytes: number;
  /** Standard error of `nll`; undefined for a single window. */
  readonly standardError: number | undefined;
  /** Convention and its numbers, such as `windows-256-stride-256`. */
  readonly convention: string;
  /** Sum of negative log-likelihoods and scored tokens of each window, for paired comparisons. */
  readonly windows: readonly { readonly nll: number; readonly tokens: number }[];
  /** `rolling` of a whole text only: `exp(nll * tokens / words)` over white-space words, and per byte. */
  readonly wordPerplexity?: number;
  readonly bytePerplexity?: number;
}

/** A text made ready to score: what depends on tokenizer, text and options, but not on weights. */
export interface PreparedText {
  /** Convention and its numbers. */
  readonly name: string;
  readonly convention: Convention;
  /** One a window; frozen. */
  readonly requests: readonly ScoreRequest[];
  /** UTF-8 bytes that the scored tokens spell. */
  readonly bytes: number;
  /** White-space words; only where all of the text is scored. */
  readonly words: number | undefined;
}

/**
 * Measures perplexity. The standard error takes windows as independent and their lengths as given:
 * `sqrt(W / (W - 1) * sum_w (nll_w - nll * tokens_w)^2) / tokens`; under `llama.cpp` it is over tokens, as printed there.
 *
 * @throws InputError if the text is empty or too short, an option does not fit, or a log-probability is not finite
 */
export async function measurePerplexity(
  model: LanguageModel,
  text: string,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  return scoreText(model, prepareText(model, text, options), options.onProgress);
}

/** The first half of `measurePerplexity`: models of one tokenizer and one maximum length share it. */
export function prepareText(model: LanguageModel, text: string, options: PerplexityOptions = {}): PreparedText {
  if (text === "")
    throw new InputError("The text is empty, so it has no perplexity; give a text with at least two tokens.");
  const { name, windows, whole } = planText(model, text, options);
  return {
    name,
    convention: options.convention ?? "windows",
    requests: Object.freeze(windows.map(({ context, continuation }) => ({ context, continuations: [continuation] }))),
    bytes: whole ? countBytes(text) : sum(windows.map((window) => countScoredBytes(model, window))),
    words: whole ? splitAtSpaces(text).length : undefined,
  };
}

/** The second half of `measurePerplexity`. */
export async function scoreText(
  model: LanguageModel,
  { name, convention, requests, bytes, words }: PreparedText,
  onProgress?: PerplexityOptions["onProgress"],
): Promise<PerplexityResult> {
  const scores = await model.score(requests, onProgress);
  const results = scores.map(([{ logProbs }], index) => {
    const nll = -sum(logProbs);
    if (!Number.isFinite(nll)) throw createNotFiniteError(model, `window ${index + 1} of the text`);
    return { nll, tokens: logProbs.length };
  });
  const total = sum(results.map((result) => result.nll));
  const tokens = results.reduce((count, result) => count + result.tokens, 0);
  const nll = total / tokens;
  const tokenLogProbs = () => scores.flatMap(([{ logProbs }]) => [...logProbs]);
  return {
    perplexity: Math.exp(nll),
    nll,
    tokens,
    bitsPerByte: total / (bytes * Math.LN2),
    bytes,
    standardError: convention === "llama.cpp" ? tokenError(tokenLogProbs(), nll) : windowError(results, nll, tokens),
    convention: name,
    windows: results,
    ...(words !== undefined && {
      wordPerplexity: Math.exp(total / words),
      bytePerplexity: Math.exp(total / bytes),
    }),
  };
}

/** The result as metrics of a result row; the error of the perplexity is `perplexity * standardError` (delta method). */
export function listPerplexityMetrics(result: PerplexityResult): Record<string, Metric> {
  const { perplexity, nll, bitsPerByte, standardError, tokens: n } = result;
  const scale = (factor: number) => (standardError === undefined ? undefined : standardError * factor);
  return {
    perplexity: { value: perplexity, standardError: scale(perplexity), n },
    nll: { value: nll, standardError, n },
    bitsPerByte: { value: bitsPerByte, standardError: scale(bitsPerByte / nll), n },
  };
}

/** The windows as documents of `nll`; the other metrics follow from it. */
export function listPerplexityDocuments({ windows }: PerplexityResult): Record<string, DocumentValues> {
  const values = Float32Array.from(windows, (window) => window.nll);
  return { nll: { values, weights: Float32Array.from(windows, (window) => window.tokens) } };
}

/** Bytes that a window's scored tokens add to its context; a character counts where its last byte is. */
function countScoredBytes(model: LanguageModel, window: TokenPair): number {
  const spell = (tokens: readonly number[]) => countBytes(model.decode(tokens).replace(/\ufffd+$/, ""));
  return spell([...window.context, ...window.continuation]) - spell(window.context);
}

function windowError(windows: PerplexityResult["windows"], nll: number, tokens: number): number | undefined {
  const count = windows.length;
  if (count < 2) return undefined;
  const squares = sum(windows.map((window) => (window.nll - nll * window.tokens) ** 2));
  return Math.sqrt((count / (count - 1)) * squares) / tokens;
}

function tokenError(logProbs: readonly number[], nll: number): number | undefined {
  const count = logProbs.length;
  const squares = sum(logProbs.map((value) => value * value)) / count;
  return Math.sqrt((squares - nll * nll) / (count - 1));
}
