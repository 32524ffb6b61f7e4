// Scores continuations: many requests share a forward up to a budget of tokens, and only the positions that are asked for
// reach the head. How requests lie in a forward stands in pack.ts.
// What a request scores does not depend on what shares the forward: every token sees its own spans only.

import type { KernelBuffer, Kernels } from "../kernels/kernels.ts";
import type { ContinuationScore, LanguageModel, ScoreRequest } from "../language-model.ts";
import { createCache, type KeyValueCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { type PackedBatch, packRequests, type Question } from "./pack.ts";

/** Scores requests on a decoder, with a cache that it keeps between calls. */
export interface Scorer {
  score: LanguageModel["score"];
  release(): void;
}

/** A scorer over a decoder. */
export function createScorer(kernels: Kernels, decoder: Decoder): Scorer {
  const { maxTokens, head, shape } = decoder;
  const gathered = kernels.createBuffer(maxTokens * head.columns);
  // Within one forward the blocks can share one cache; only a request longer than a forward needs one for each.
  let shared: KeyValueCache | undefined;

  async function score(
    requests: readonly ScoreRequest[],
    onProgress?: (tokensDone: number, tokensTotal: number) => void,
  ): Promise<ContinuationScore[][]> {
    const { maxLength, vocabulary } = shape;
    const batches = packRequests(requests, { maxTokens, maxLength, vocabulary });
    const total = batches.reduce((sum, batch) => sum + batch.ids.length, 0);
    const slots = Math.max(
      maxTokens,
      ...batches.map(({ forwards, slotCount }) => (forwards.length > 1 ? 0 : slotCount)),
    );
    const results: ContinuationScore[][] = [];
    let done = 0;
    for (const batch of batches) {
      const own = batch.forwards.length > 1 ? createCache(kernels, shape, batch.slotCount, "forwards") : undefined;
      try {
        const scores = await scoreBatch(batch, own ?? share(slots), (fed) => onProgress?.(done + fed, total));
        results.push(...scores);
      } finally {
        own?.release();
      }
      done += batch.ids.length;
    }
    return results;
  }

  /** The cache of all single forwards; nobody holds it for longer than one. */
  function share(slots: number): KeyValueCache {
    if (shared && shared.slots >= slots) return shared;
    shared?.release();
    shared = createCache(kernels, shape, slots, "forward");
    return shared;
  }

  async function scoreBatch(batch: PackedBatch, cache: KeyValueCache, onFed: (tokens: number) => void) {
    const logProbs = new Float32Array(batch.targets.length);
    const best = new Int32Array(batch.targets.length);
    let fed = 0;
    for (const { feed, questions } of batch.forwards) {
      const hidden = decoder.forward(feed, cache);
      // All questions are asked before the first is awaited: another call may use the decoder meanwhile.
      const answers = await Promise.all(questions.map((question) => ask(hidden, question)));
      questions.forEach(({ places }, q) => {
        const answer = answers[q];
        for (let j = 0; j < places.length; j++) {
          logProbs[places[j]] = answer.logProbs[j];
          best[places[j]] = answer.best[j];
        }
      });
      fed += feed.ids.length;
      onFed(fed);
    }
    return collectScores(batch, logProbs, best);
  }

  function ask(hidden: KernelBuffer, { rows, targets }: Question) {
    if (rows) kernels.gather(gathered, hidden, rows, head.columns);
    return decoder.scoreTargets(rows ? gathered : hidden, targets);
  }

  return {
    score,
    release() {
      kernels.release(gathered);
      shared?.release();
    },
  };
}

function collectScores({ requests, targets, answers }: PackedBatch, logProbs: Float32Array, best: Int32Array) {
  let from = 0;
  return requests.map(({ continuations }): ContinuationScore[] =>
    continuations.map(({ length }) => {
      const own = new Float32Array(length);
      let greedy = true;
      for (let t = 0; t < own.length; t++) {
        const answer = answers[from + t];
        own[t] = logProbs[answer];
        greedy &&= best[answer] === targets[answer];
      }
      from += own.length;
      return { logProbs: own, greedy };
    }),
  );
}
