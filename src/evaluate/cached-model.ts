// A model that remembers what it has scored: a request is looked up before it is computed, and kept as soon as it is.
// Where scores are kept, and that they are this model's, is the store's business.

import type { ContinuationScore, LanguageModel, ScoreRequest } from "../language-model.ts";

/** Scores of one model under everything that changes them; it may forget, but never answers for another. */
export interface ScoreStore {
  find(request: ScoreRequest): readonly ContinuationScore[] | undefined;
  keep(requests: readonly ScoreRequest[], scores: readonly (readonly ContinuationScore[])[]): void;
}

/** Tokens that are scored before what they gave is kept: so much is lost by an interrupt, at most. */
const tokensAtOnce = 16384;

/** The model with `score` through the store; results are the same to the bit. */
export function cacheScores<M extends LanguageModel>(model: M, store: ScoreStore): M {
  const score: LanguageModel["score"] = async (requests, onProgress) => {
    const results = requests.map((request) => store.find(request)?.slice());
    const missing = [...results.keys()].filter((i) => results[i] === undefined);
    const total = requests.reduce((tokens, request) => tokens + countTokens(request), 0);
    let done = total - missing.reduce((tokens, i) => tokens + countTokens(requests[i]), 0);
    if (missing.length < requests.length) onProgress?.(done, total);
    for (let start = 0; start < missing.length; ) {
      let tokens = 0;
      let end = start;
      while (end < missing.length && (end === start || tokens + countTokens(requests[missing[end]]) <= tokensAtOnce)) {
        tokens += countTokens(requests[missing[end++]]);
      }
      const part = missing.slice(start, end);
      const asked = part.map((i) => requests[i]);
      const scores = await model.score(asked, onProgress && ((fed) => onProgress(Math.min(done + fed, total), total)));
      store.keep(asked, scores);
      part.forEach((i, j) => {
        results[i] = scores[j];
      });
      done += tokens;
      start = end;
    }
    return results as ContinuationScore[][];
  };
  return { ...model, score };
}

/** Tokens that a request feeds. */
function countTokens({ context, continuations }: ScoreRequest): number {
  return continuations.reduce((count, continuation) => count + continuation.length - 1, context.length);
}
