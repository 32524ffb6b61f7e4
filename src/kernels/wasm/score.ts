// The end of `scoreTargets`: what each tile of the vocabulary found, joined in the order of the tiles.

import type { TargetScores } from "../kernels.ts";

/** Rows of the head a tile (assembly/score.ts). */
export const tileRows = 64;
/** Words that a tile leaves for each token: largest logit, sum of exp(logit - largest), arg max, nothing. */
export const partialWords = 4;

/**
 * log softmax at the target: `chosen - largest - log(sum over tiles of sum * exp(tile's largest - largest))`.
 *
 * @param partials - `(tiles, tokens, 4)`; `words` are the same bytes as integers
 * @param chosen - logit of each target, `(tokens)`
 * @param start - where these tokens stand in `scores`
 */
export function joinTiles(
  partials: Float32Array,
  words: Uint32Array,
  chosen: Float32Array,
  scores: TargetScores,
  start: number,
): void {
  const tokens = chosen.length;
  for (let t = 0; t < tokens; t++) {
    let largest = Number.NEGATIVE_INFINITY;
    let best = 0;
    for (let at = t * partialWords; at < partials.length; at += tokens * partialWords) {
      if (partials[at] <= largest) continue;
      largest = partials[at];
      best = words[at + 2];
    }
    let sum = 0;
    for (let at = t * partialWords; at < partials.length; at += tokens * partialWords) {
      sum += partials[at + 1] * Math.exp(partials[at] - largest);
    }
    scores.logProbs[start + t] = chosen[t] - largest - Math.log(sum);
    scores.best[start + t] = best;
  }
}
