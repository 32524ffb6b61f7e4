// Scores continuations: many requests share a forward up to a budget of tokens, each context is computed once, with what
// all of its continuations begin with, the rest of them stands on top of it, and only the positions that are asked for
// reach the head.
// What a request scores does not depend on what shares the forward: every token sees its own spans only.

import { InputError } from "../input-error.ts";
import type { KernelBuffer, Kernels } from "../kernels/kernels.ts";
import type { ContinuationScore, ScoreRequest } from "../language-model.ts";
import { createCache, type KeyValueCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";

/** Scores requests on a decoder, with a cache that it keeps between calls. */
export interface Scorer {
  score(
    requests: readonly ScoreRequest[],
    onProgress?: (tokensDone: number, tokensTotal: number) => void,
  ): Promise<ContinuationScore[][]>;
  release(): void;
}

/** The tokens of several requests one after another, each in the slot of its place. */
interface Batch {
  readonly requests: readonly ScoreRequest[];
  readonly ids: Int32Array; // (tokens)
  readonly positions: Int32Array; // (tokens)
  readonly spans: Int32Array; // (tokens, 4)
  /** What is asked of the head: tokens to score, each with the token whose hidden state predicts it. */
  readonly predictors: Int32Array; // (targets)
  readonly targets: Int32Array; // (targets)
  /** For each scored token of every continuation, one after another, which of these it is. */
  readonly answers: Int32Array; // (scored tokens)
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
    for (const request of requests) checkRequest(request, shape.maxLength, shape.vocabulary);
    const total = requests.reduce((sum, request) => sum + countTokens(request), 0);
    const results: ContinuationScore[][] = [];
    let done = 0;
    for (const group of groupRequests(requests, maxTokens)) {
      const batch = layOut(group);
      const tokens = batch.ids.length;
      if (tokens <= maxTokens) shared ??= createCache(kernels, shape, maxTokens, "forward");
      const cache = tokens <= maxTokens ? shared! : createCache(kernels, shape, tokens, "forwards");
      try {
        const scores = await scoreBatch(batch, cache, (fed) => onProgress?.(done + fed, total));
        results.push(...scores);
      } finally {
        if (cache !== shared) cache.release();
      }
      done += tokens;
    }
    return results;
  }

  async function scoreBatch(batch: Batch, cache: KeyValueCache, onFed: (tokens: number) => void) {
    const { ids, positions, spans, predictors, targets } = batch;
    const logProbs = new Float32Array(targets.length);
    const best = new Int32Array(targets.length);
    for (let start = 0; start < ids.length; start += maxTokens) {
      const end = Math.min(start + maxTokens, ids.length);
      const asked = [...predictors.keys()].filter((i) => predictors[i] >= start && predictors[i] < end);
      const predicting = new Set(asked.map((i) => predictors[i] - start));
      const wanted = Int32Array.from(predicting.size > 0 ? predicting : [0]).sort();
      const feed = {
        ids: ids.subarray(start, end),
        positions: positions.subarray(start, end),
        slots: Int32Array.from({ length: end - start }, (_, t) => start + t),
        spans: spans.subarray(4 * start, 4 * end),
        wanted,
        length: shape.maxLength,
        path: "scoring",
      } as const;
      const hidden = decoder.forward(feed, cache);
      const rowOf = new Map(Array.from(wanted, (token, row) => [token + start, row]));
      const parts = Array.from({ length: Math.ceil(asked.length / maxTokens) }, (_, i) =>
        asked.slice(i * maxTokens, (i + 1) * maxTokens),
      );
      // All parts are asked for before the first is awaited: another call may use the decoder meanwhile.
      const answers = await Promise.all(
        parts.map((part) =>
          scoreRows(
            hidden,
            part.map((i) => rowOf.get(predictors[i])!),
            part.map((i) => targets[i]),
          ),
        ),
      );
      asked.forEach((i, j) => {
        const answer = answers[Math.floor(j / maxTokens)];
        logProbs[i] = answer.logProbs[j % maxTokens];
        best[i] = answer.best[j % maxTokens];
      });
      onFed(end);
    }
    return collectScores(batch, logProbs, best);
  }

  function scoreRows(hidden: KernelBuffer, rows: readonly number[], targets: readonly number[]) {
    // A context that several continuations share predicts the first token of each: its row is needed once for each.
    const inOrder = rows.every((row, i) => row === i);
    if (!inOrder) kernels.gather(gathered, hidden, Int32Array.from(rows), head.columns);
    return decoder.scoreTargets(inOrder ? hidden : gathered, Int32Array.from(targets));
  }

  return {
    score,
    release() {
      kernels.release(gathered);
      shared?.release();
    },
  };
}

/** Tokens after the context that all continuations begin with, and that each of them feeds. */
function countShared(continuations: readonly (readonly number[])[]): number {
  const [first, ...others] = continuations;
  if (others.length === 0) return 0;
  let shared = Math.min(...continuations.map(({ length }) => length)) - 1;
  for (const other of others) {
    let same = 0;
    while (same < shared && other[same] === first[same]) same++;
    shared = same;
  }
  return shared;
}

/** Tokens that a request feeds: context and shared beginning once, each continuation without its last token. */
function countTokens({ context, continuations }: ScoreRequest): number {
  const shared = countShared(continuations);
  return continuations.reduce((sum, continuation) => sum + continuation.length - 1 - shared, context.length + shared);
}

/** @throws InputError if a token is not in the vocabulary; a programming error if the request is empty or too long */
export function checkRequest(request: ScoreRequest, maxLength: number, vocabulary: number): void {
  const { context, continuations, skips } = request;
  if (context.length === 0) throw new Error("score: an empty context");
  if (skips && !continuations.every(({ length }, i) => skips[i] >= 0 && skips[i] < length)) {
    throw new Error("score: a continuation of which nothing is scored");
  }
  for (const continuation of continuations) {
    if (continuation.length === 0) throw new Error("score: an empty continuation");
    const length = context.length + continuation.length - 1;
    if (length > maxLength) throw new Error(`score: ${length} tokens for a model of at most ${maxLength}`);
  }
  for (const tokens of [context, ...continuations]) {
    const wrong = tokens.find((token) => !(token >= 0 && token < vocabulary));
    if (wrong !== undefined) {
      throw new InputError(
        `Token ${wrong} is outside the model's vocabulary of ${vocabulary}: is the tokenizer its own?`,
      );
    }
  }
}

/** Requests in groups of at most `maxTokens` tokens; one that alone has more is a group of its own. */
export function groupRequests(requests: readonly ScoreRequest[], maxTokens: number): ScoreRequest[][] {
  const groups: ScoreRequest[][] = [];
  let room = 0;
  for (const request of requests) {
    const tokens = countTokens(request);
    if (groups.length === 0 || tokens > room) {
      groups.push([]);
      room = maxTokens;
    }
    groups[groups.length - 1].push(request);
    room -= tokens;
  }
  return groups;
}

/** The tokens of all requests in one row of slots. */
export function layOut(requests: readonly ScoreRequest[]): Batch {
  const tokens = requests.reduce((sum, request) => sum + countTokens(request), 0);
  const ids = new Int32Array(tokens);
  const positions = new Int32Array(tokens);
  const spans = new Int32Array(4 * tokens);
  const predictors: number[] = [];
  const targets: number[] = [];
  const answers: number[] = [];
  let slot = 0;
  for (const { context, continuations, skips } of requests) {
    const start = slot;
    const shared = countShared(continuations);
    const trunk = [...context, ...continuations[0].slice(0, shared)];
    trunk.forEach((id, t) => {
      ids[slot] = id;
      positions[slot] = t;
      spans.set([start, 0, start, t + 1], 4 * slot++);
    });
    const askedInTrunk = new Map<number, number>(); // by place in the shared beginning
    continuations.forEach((continuation, i) => {
      const own = slot;
      continuation.forEach((id, t) => {
        if (t >= (skips?.[i] ?? 0)) {
          let answer = t < shared ? askedInTrunk.get(t) : undefined;
          if (answer === undefined) {
            answer = targets.length;
            predictors.push(t <= shared ? start + context.length - 1 + t : slot - 1);
            targets.push(id);
            if (t < shared) askedInTrunk.set(t, answer);
          }
          answers.push(answer);
        }
        if (t < shared || t === continuation.length - 1) return;
        ids[slot] = id;
        positions[slot] = context.length + t;
        spans.set([start, trunk.length, own, t - shared + 1], 4 * slot++);
      });
    });
  }
  return {
    requests,
    ids,
    positions,
    spans,
    predictors: Int32Array.from(predictors),
    targets: Int32Array.from(targets),
    answers: Int32Array.from(answers),
  };
}

function collectScores({ requests, targets, answers }: Batch, logProbs: Float32Array, best: Int32Array) {
  let from = 0;
  return requests.map(({ continuations, skips }): ContinuationScore[] =>
    continuations.map((continuation, i) => {
      const to = from + continuation.length - (skips?.[i] ?? 0);
      const own = answers.subarray(from, to);
      from = to;
      return {
        logProbs: Float32Array.from(own, (answer) => logProbs[answer]),
        greedy: own.every((answer) => best[answer] === targets[answer]),
      };
    }),
  );
}
