// Log-likelihoods of many (context, continuation) pairs: cut to the model's length, grouped by shared context, scored.
// Between tasks, which make pairs, and the model; it knows nothing of metrics.

import { InputError } from "../input-error.ts";
import type { LanguageModel, ScoreRequest } from "../language-model.ts";
import type { TokenPair } from "./profiles.ts";
import { sum } from "./sum.ts";

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
 * @throws InputError if a context or continuation is empty, a continuation is longer than the model's window, or a
 *   log-probability is not finite
 */
export async function scorePairs(
  model: LanguageModel,
  pairs: readonly TokenPair[],
  describe: (index: number) => string,
  onProgress?: (tokensDone: number, tokensTotal: number) => void,
): Promise<PairScore[]> {
  const requests: { context: readonly number[]; continuations: (readonly number[])[] }[] = [];
  pairs.forEach((pair, index) => {
    const context = cutContext(pair, model, () => describe(index));
    const last = requests.at(-1);
    if (last && haveSameTokens(last.context, context)) last.continuations.push(pair.continuation);
    else requests.push({ context, continuations: [pair.continuation] });
  });
  if (requests.length === 0) return [];
  const scores = (await model.score(requests satisfies ScoreRequest[], onProgress)).flat();
  return scores.map(({ logProbs, greedy }, index) => {
    const logLikelihood = sum(logProbs);
    if (!Number.isFinite(logLikelihood)) throw createNotFiniteError(model, describe(index));
    return { logLikelihood, greedy };
  });
}

/** The error for log-probabilities that are NaN or infinite. */
export function createNotFiniteError(model: LanguageModel, where: string): InputError {
  return new InputError(
    `${model.name} gives a log-probability that is not a finite number at ${where}: its weights, or the spec they are quantized to, overflow.`,
  );
}

/** The end of the context that fits: `(context + continuation)` keeps its last `maxLength + 1` tokens. */
function cutContext(pair: TokenPair, model: LanguageModel, where: () => string): readonly number[] {
  const { context, continuation } = pair;
  if (context.length === 0) {
    throw new InputError(`The context of ${where()} has no tokens in the vocabulary of ${model.name}.`);
  }
  if (continuation.length === 0) {
    throw new InputError(
      `The continuation of ${where()} has no tokens of its own in the vocabulary of ${model.name}, so nothing can be scored.`,
    );
  }
  const room = model.maxLength + 1 - continuation.length;
  if (room < 1) {
    throw new InputError(
      `The continuation of ${where()} has ${continuation.length} tokens, more than the ${model.maxLength} that ${model.name} can take.`,
    );
  }
  return context.length > room ? context.slice(context.length - room) : context;
}

function haveSameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((token, i) => token === b[i]));
}
