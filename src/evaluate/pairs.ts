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

/**
 * Scores pairs in the order given. Too long a pair loses tokens from the left, so that `maxLength` are fed; neighbours
 * with one context (the endings of a HellaSwag item) become one request, whose context is computed once.
 *
 * @param describe - names a pair in an error: "document 3 of piqa"
 * @throws InputError if a context or continuation is empty, or a log-probability is not finite
 */
export async function scorePairs(
  model: LanguageModel,
  pairs: readonly TokenPair[],
  describe: (index: number) => string,
  onProgress?: (tokensDone: number, tokensTotal: number) => void,
): Promise<PairScore[]> {
  const requests: { context: readonly number[]; continuations: (readonly number[])[] }[] = [];
  const owners: number[] = []; // pair of each continuation
  pairs.forEach((pair, index) => {
    checkPair(pair, model, () => describe(index));
    for (const { context, continuation } of fitPair(pair, model.maxLength)) {
      const last = requests.at(-1);
      if (last && haveSameTokens(last.context, context)) last.continuations.push(continuation);
      else requests.push({ context, continuations: [continuation] });
      owners.push(index);
    }
  });
  if (requests.length === 0) return [];
  const pieces = (await model.score(requests satisfies ScoreRequest[], onProgress)).flat();
  const scores = pairs.map(() => ({ logLikelihood: 0, greedy: true }));
  pieces.forEach(({ logProbs, greedy }, i) => {
    const logLikelihood = sum(logProbs);
    if (!Number.isFinite(logLikelihood)) throw createNotFiniteError(model, describe(owners[i]));
    const score = scores[owners[i]];
    score.logLikelihood += logLikelihood;
    score.greedy &&= greedy;
  });
  return scores;
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

function haveSameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((token, i) => token === b[i]));
}
