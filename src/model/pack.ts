// Requests laid out as forwards: the tokens of many requests one after another in slots, each context once, with what all
// of its continuations begin with, the rest of them on top of it, and which rows the head is asked for.
// It depends on the requests and three numbers of the model alone, so that a study packs once for many models.

import { InputError } from "../input-error.ts";
import type { ScoreRequest } from "../language-model.ts";
import type { Feed } from "./decoder.ts";

/** The numbers of a decoder that packing depends on. */
export interface PackShape {
  /** Most tokens of one forward. */
  readonly maxTokens: number;
  /** Tokens of the longest sequence. */
  readonly maxLength: number;
  readonly vocabulary: number;
}

/** The tokens of several requests one after another, each in the slot of its place. */
export interface Batch {
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

/** A batch cut into what the decoder takes at once. */
export interface PackedBatch extends Batch {
  readonly forwards: readonly Forward[];
}

/** One forward, and what is asked of the head after it. */
export interface Forward {
  readonly feed: Feed;
  readonly questions: readonly Question[];
}

/** Targets after hidden states, at most `maxTokens`. */
export interface Question {
  /** Row of the wanted hidden states that predicts each target; undefined: row i predicts target i. */
  readonly rows: Int32Array | undefined; // (asked)
  readonly targets: Int32Array; // (asked)
  /** Which target of the batch each of these is. */
  readonly places: Int32Array; // (asked)
}

/** What was packed of lists of requests that nobody can change any more. */
const packed = new WeakMap<readonly ScoreRequest[], { shape: PackShape; batches: PackedBatch[] }>();

/**
 * The forwards of all requests, in order; those of a frozen list are kept as long as the list.
 *
 * @throws InputError if a token is not in the vocabulary; a programming error if a request is empty or too long
 */
export function packRequests(requests: readonly ScoreRequest[], shape: PackShape): readonly PackedBatch[] {
  const known = packed.get(requests);
  if (known && equals(known.shape, shape)) return known.batches;
  for (const request of requests) checkRequest(request, shape.maxLength, shape.vocabulary);
  const groups = groupRequests(requests, shape.maxTokens);
  const batches = groups.map((group) => cutBatch(layOut(group), shape));
  if (Object.isFrozen(requests)) packed.set(requests, { shape, batches });
  return batches;
}

function equals(a: PackShape, b: PackShape): boolean {
  return a.maxTokens === b.maxTokens && a.maxLength === b.maxLength && a.vocabulary === b.vocabulary;
}

function cutBatch(batch: Batch, { maxTokens, maxLength }: PackShape): PackedBatch {
  const { ids, positions, spans, predictors, targets } = batch;
  const forwards: Forward[] = [];
  for (let start = 0; start < ids.length; start += maxTokens) {
    const end = Math.min(start + maxTokens, ids.length);
    const asked = [...predictors.keys()].filter((i) => predictors[i] >= start && predictors[i] < end);
    const predicting = new Set(asked.map((i) => predictors[i] - start));
    const wanted = Int32Array.from(predicting.size > 0 ? predicting : [0]).sort();
    const rowOf = new Map(Array.from(wanted, (token, row) => [token + start, row]));
    const questions: Question[] = [];
    for (let from = 0; from < asked.length; from += maxTokens) {
      const places = Int32Array.from(asked.slice(from, from + maxTokens));
      // A context that several continuations share predicts the first token of each: its row is needed once for each.
      const rows = places.map((i) => rowOf.get(predictors[i])!);
      const isInOrder = rows.every((row, i) => row === i);
      questions.push({ rows: isInOrder ? undefined : rows, targets: places.map((i) => targets[i]), places });
    }
    const feed = {
      ids: ids.subarray(start, end),
      positions: positions.subarray(start, end),
      slots: Int32Array.from({ length: end - start }, (_, t) => start + t),
      spans: spans.subarray(4 * start, 4 * end),
      wanted,
      length: maxLength,
      path: "scoring",
    } as const;
    forwards.push({ feed, questions });
  }
  return { ...batch, forwards };
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
    const place = (id: number, position: number, prefix: number, own: number, ownLength: number) => {
      ids[slot] = id;
      positions[slot] = position;
      spans[4 * slot] = start;
      spans[4 * slot + 1] = prefix;
      spans[4 * slot + 2] = own;
      spans[4 * slot + 3] = ownLength;
      slot++;
    };
    const trunk = [...context, ...continuations[0].slice(0, shared)];
    trunk.forEach((id, t) => {
      place(id, t, 0, start, t + 1);
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
        place(id, context.length + t, trunk.length, own, t - shared + 1);
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
