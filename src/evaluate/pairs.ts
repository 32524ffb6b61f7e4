// Log-likelihoods of many (context, continuation) pairs: cut to the model's length, grouped by shared context, scored.
// Between tasks, which make pairs, and the model; it knows nothing of metrics.

import { InputError } from "../input-error.ts";
import type { LanguageModel, ScoreRequest } from "../language-model.ts";
import type { TokenPair } from "./profiles.ts";
import { sum } from "./sum.ts";
import { planRolling } from "./windows.ts";

/** The score of one pair. */
export interface PairScore {
  /** Sum of the continuation's log-probabilities, nats. */
  readonly logLikelihood: number;
  /** Whether every token of the continuation is the arg max at its place. */
  readonly greedy: boolean;
}

/** Pairs as requests. */
export interface PreparedPairs {
  readonly pairs: number;
  /** Frozen. */
  readonly requests: readonly ScoreRequest[];
  /** Pair of each continuation of the requests, one after another. */
  readonly owners: readonly number[];
}

/**
 * The requests of pairs, one for each context (that of the endings of a HellaSwag item), in the order of the contexts' tokens:
 * what neighbours begin with, the model computes once. Too long a pair loses tokens from the left, so that `maxLength` are fed.
 *
 * @param describe - names a pair in an error: "document 3 of piqa"
 * @throws InputError if a context or continuation is empty
 */
export function preparePairs(
  model: LanguageModel,
  pairs: readonly TokenPair[],
  describe: (index: number) => string,
): PreparedPairs {
  const pieces = pairs.flatMap((pair, owner) => {
    checkPair(pair, model, () => describe(owner));
    return fitPair(pair, model.maxLength).map((piece) => ({ ...piece, owner }));
  });
  pieces.sort((a, b) => compareTokens(a.context, b.context));
  const requests: { context: readonly number[]; continuations: (readonly number[])[] }[] = [];
  for (const { context, continuation } of pieces) {
    const last = requests.at(-1);
    if (last && compareTokens(last.context, context) === 0) last.continuations.push(continuation);
    else requests.push({ context, continuations: [continuation] });
  }
  return { pairs: pairs.length, requests: Object.freeze(requests), owners: pieces.map(({ owner }) => owner) };
}

/**
 * Scores pairs.
 *
 * @throws InputError if a log-probability is not finite
 */
export async function scorePairs(
  model: LanguageModel,
  { pairs, requests, owners }: PreparedPairs,
  describe: (index: number) => string,
  onProgress?: (tokensDone: number, tokensTotal: number) => void,
): Promise<PairScore[]> {
  if (requests.length === 0) return [];
  const answers = (await model.score(requests, onProgress)).flat();
  const scores = Array.from({ length: pairs }, () => ({ logLikelihood: 0, greedy: true }));
  answers.forEach(({ logProbs, greedy }, i) => {
    const logLikelihood = sum(logProbs);
    if (!Number.isFinite(logLikelihood)) throw createNotFiniteError(model, describe(owners[i]));
    const score = scores[owners[i]];
    score.logLikelihood += logLikelihood;
    score.greedy &&= greedy;
  });
  return scores;
}

/** Lists of tokens as a dictionary has words. */
function compareTokens(a: readonly number[], b: readonly number[]): number {
  if (a === b) return 0;
  const most = Math.min(a.length, b.length);
  for (let t = 0; t < most; t++) if (a[t] !== b[t]) return a[t] - b[t];
  return a.length - b.length;
}

/** Whether a continuation is longer than what the model can take at once. */
export function isOverlong({ continuation }: TokenPair, model: LanguageModel): boolean {
  return continuation.length > model.maxLength;
}

/** Whether a pair loses tokens of its context, or is scored in windows, to fit the model. */
export function isCut({ context, continuation }: TokenPair, model: LanguageModel): boolean {
  return context.length + continuation.length > model.maxLength + 1;
}

/** The error for log-probabilities that are NaN or infinite. */
export function createNotFiniteError(model: LanguageModel, where: string): InputError {
  return new InputError(
    `${model.name} gives a log-probability that is not a finite number at ${where}: its weights, or the spec they are quantized to, overflow.`,
  );
}

function checkPair({ context, continuation }: TokenPair, model: LanguageModel, where: () => string): void {
  if (context.length === 0) {
    throw new InputError(`The context of ${where()} has no tokens in the vocabulary of ${model.name}.`);
  }
  if (continuation.length === 0) {
    throw new InputError(
      `The continuation of ${where()} has no tokens of its own in the vocabulary of ${model.name}, so nothing can be scored.`,
    );
  }
}

/**
 * The end of the pair that fits: `(context + continuation)` keeps its last `maxLength + 1` tokens. A continuation that
 * does not fit by itself, at which lm-eval stops, is scored in full in rolling windows.
 */
function fitPair(pair: TokenPair, maxLength: number): TokenPair[] {
  const { context, continuation } = pair;
  const room = maxLength + 1 - continuation.length;
  if (room < 1) return planRolling(continuation, context[context.length - 1], maxLength);
  return [context.length > room ? { context: context.slice(context.length - room), continuation } : pair];
}
