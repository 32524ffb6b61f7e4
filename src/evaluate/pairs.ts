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
 * The requests of pairs, in the order given. Too long a pair loses tokens from the left, so that `maxLength` are fed;
 * neighbours whose contexts are one (the endings of a HellaSwag item) or begin alike (WinoGrande) share a request: what
 * they begin with is computed once.
 *
 * @param describe - names a pair in an error: "document 3 of piqa"
 * @throws InputError if a context or continuation is empty
 */
export function preparePairs(
  model: LanguageModel,
  pairs: readonly TokenPair[],
  describe: (index: number) => string,
): PreparedPairs {
  const pieces: TokenPair[] = [];
  const owners: number[] = [];
  pairs.forEach((pair, index) => {
    checkPair(pair, model, () => describe(index));
    for (const piece of fitPair(pair, model.maxLength)) {
      pieces.push(piece);
      owners.push(index);
    }
  });
  return { pairs: pairs.length, requests: Object.freeze(groupPieces(pieces)), owners };
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

/** Fewest tokens that a request must save to be worth sharing, and most tokens of one that is shared. */
const leastSaved = 4;
const mostShared = 1024;

/**
 * Requests of neighbouring pieces, in order. With k pieces on a common beginning of P tokens, another that shares q of
 * them saves q and makes the k feed the other P - q each, so it joins if `k q - (k - 1) P` is worth it.
 */
export function groupPieces(pieces: readonly TokenPair[]): ScoreRequest[] {
  const requests: ScoreRequest[] = [];
  let members: TokenPair[] = [];
  let common: readonly number[] = [];
  let tokens = 0;
  const finish = () => {
    if (members.length === 0) return;
    const skips = members.map(({ context }) => context.length - common.length);
    const continuations = members.map(({ context, continuation }) =>
      context.length === common.length ? continuation : [...context.slice(common.length), ...continuation],
    );
    requests.push({ context: common, continuations, ...(skips.some((skip) => skip > 0) && { skips }) });
  };
  for (const piece of pieces) {
    const length = piece.context.length + piece.continuation.length;
    const shared = countCommon(common, piece.context);
    const saved = members.length * shared - (members.length - 1) * common.length;
    const isOne = shared === common.length && shared === piece.context.length;
    if (members.length > 0 && (isOne || (saved >= leastSaved && tokens + length - shared <= mostShared))) {
      members.push(piece);
      tokens += length - shared + (members.length - 1) * (common.length - shared);
      if (shared < common.length) common = common.slice(0, shared);
    } else {
      finish();
      members = [piece];
      common = piece.context;
      tokens = length;
    }
  }
  finish();
  return requests;
}

/** Tokens that two contexts begin with. */
function countCommon(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  if (a === b) return most;
  let same = 0;
  while (same < most && a[same] === b[same]) same++;
  return same;
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
