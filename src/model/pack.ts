// Requests laid out as forwards: the tokens of many requests one after another, what several begin with once, the rest of each
// on top of it, and which rows the head is asked for.
// It depends on the requests and three numbers of the model alone, so that a study packs once for many models.

import { InputError } from "../input-error.ts";
import type { ScoreRequest } from "../language-model.ts";
import type { Feed } from "./decoder.ts";
import { buildTree, findPath, type Segment } from "./prefix-tree.ts";

/** The numbers of a decoder that packing depends on. */
export interface PackShape {
  /** Most tokens of one forward. */
  readonly maxTokens: number;
  /** Tokens of the longest sequence. */
  readonly maxLength: number;
  readonly vocabulary: number;
}

/** The tokens of several requests one after another, each in a slot of the cache. */
export interface Batch {
  readonly requests: readonly ScoreRequest[];
  readonly ids: Int32Array; // (tokens)
  readonly positions: Int32Array; // (tokens)
  readonly slots: Int32Array; // (tokens)
  readonly spans: Int32Array; // (tokens, 4)
  /** Slots that are taken, those of copies included. */
  readonly slotCount: number;
  /** Slots that hold the same as others, which are filled when the `at`-th token is fed. */
  readonly copies: readonly { readonly at: number; readonly from: number; readonly to: number }[];
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
  const batches = groups
    .flatMap((group) => layOutWithin(group, shape.maxTokens))
    .map((batch) => cutBatch(batch, shape));
  if (Object.isFrozen(requests)) packed.set(requests, { shape, batches });
  return batches;
}

function equals(a: PackShape, b: PackShape): boolean {
  return a.maxTokens === b.maxTokens && a.maxLength === b.maxLength && a.vocabulary === b.vocabulary;
}

/** A group as one batch, or as several where less is shared than its size was told by. */
function layOutWithin(group: readonly ScoreRequest[], maxTokens: number): Batch[] {
  const batch = layOut(group);
  if (batch.ids.length <= maxTokens || group.length === 1) return [batch];
  const half = group.length >> 1;
  return [group.slice(0, half), group.slice(half)].flatMap((part) => layOutWithin(part, maxTokens));
}

function cutBatch(batch: Batch, { maxTokens, maxLength }: PackShape): PackedBatch {
  const { ids, positions, slots, spans, copies, predictors, targets } = batch;
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
      // A token that several continuations share predicts the next of each: its row is needed once for each.
      const rows = places.map((i) => rowOf.get(predictors[i])!);
      const isInOrder = rows.every((row, i) => row === i);
      questions.push({ rows: isInOrder ? undefined : rows, targets: places.map((i) => targets[i]), places });
    }
    const due = copies.filter(({ at }) => at >= start && at < end);
    const feed = {
      ids: ids.subarray(start, end),
      positions: positions.subarray(start, end),
      slots: slots.subarray(start, end),
      spans: spans.subarray(4 * start, 4 * end),
      ...(due.length > 0 && {
        copies: { from: Int32Array.from(due, ({ from }) => from), to: Int32Array.from(due, ({ to }) => to) },
      }),
      wanted,
      length: maxLength,
      path: "scoring",
    } as const;
    forwards.push({ feed, questions });
  }
  return { ...batch, forwards };
}

/** @throws InputError if a token is not in the vocabulary; a programming error if the request is empty or too long */
export function checkRequest(request: ScoreRequest, maxLength: number, vocabulary: number): void {
  const { context, continuations } = request;
  if (context.length === 0) throw new Error("score: an empty context");
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

/** Tokens of a request by itself: the context once, each continuation without its last token. */
function countTokens({ context, continuations }: ScoreRequest): number {
  return continuations.reduce((sum, { length }) => sum + length - 1, context.length);
}

/**
 * Requests in groups of about `maxTokens` tokens at most; one that alone has more is a group of its own.
 *
 * @param isShared - whether neighbours share what their contexts begin with
 */
export function groupRequests(requests: readonly ScoreRequest[], maxTokens: number, isShared = true): ScoreRequest[][] {
  const groups: ScoreRequest[][] = [];
  let room = 0;
  let last: readonly number[] = [];
  for (const request of requests) {
    const { context } = request;
    let tokens = countTokens(request);
    if (isShared) for (let t = 0; t < context.length && context[t] === last[t]; t++) tokens--;
    if (groups.length === 0 || tokens > room) {
      groups.push([]);
      room = maxTokens;
      tokens = countTokens(request);
    }
    groups[groups.length - 1].push(request);
    room -= tokens;
    last = context;
  }
  return groups;
}

/**
 * The tokens of all requests in slots.
 *
 * @param isShared - whether requests share what they begin with; continuations of one always do
 */
export function layOut(requests: readonly ScoreRequest[], isShared = true): Batch {
  // Of each continuation, what is fed: all but its last token.
  const sequences = requests.map(({ context, continuations }) =>
    continuations.map((continuation) => [...context, ...continuation.slice(0, -1)]),
  );
  const trees = isShared ? [buildTree(sequences.flat())] : sequences.map(buildTree);
  return { requests, ...placeTokens(trees.flat()), ...askTargets(requests, sequences, trees) };
}

/** Gives every token of the trees a place in the feed, a slot, and the spans of slots that it sees. */
function placeTokens(roots: readonly Segment[]) {
  const ids: number[] = [];
  const positions: number[] = [];
  const slots: number[] = [];
  const spans: number[] = [];
  const copies: { at: number; from: number; to: number }[] = [];
  const sources: number[] = []; // of each slot: the slot whose token is computed, itself if it is no copy

  /** `above` is the first of `depth` slots with all that stands before the segment. */
  function place(segment: Segment, above: number, depth: number): void {
    const { tokens, children } = segment;
    segment.at = ids.length;
    // Whether all that a token sees is one span from `start` on: what stands right behind what it follows needs no copy.
    let isWhole = depth === 0 || above + depth === sources.length;
    const start = isWhole ? sources.length - depth : sources.length;
    if (!isWhole && children.length > 0) {
      for (let i = 0; i < depth; i++) {
        copies.push({ at: ids.length, from: sources[above + i], to: sources.length });
        sources.push(sources[above + i]);
      }
      isWhole = true;
    }
    for (const [t, id] of tokens.entries()) {
      ids.push(id);
      positions.push(depth + t);
      slots.push(sources.length);
      sources.push(sources.length);
      if (isWhole) spans.push(start, 0, start, depth + t + 1);
      else spans.push(above, depth, start, t + 1);
    }
    for (const child of children) place(child, start, depth + tokens.length);
  }
  for (const root of roots) place(root, 0, 0);
  return {
    ids: Int32Array.from(ids),
    positions: Int32Array.from(positions),
    slots: Int32Array.from(slots),
    spans: Int32Array.from(spans),
    slotCount: sources.length,
    copies,
  };
}

/** The scored tokens with what predicts them; what several continuations ask is asked once. */
function askTargets(
  requests: readonly ScoreRequest[],
  sequences: readonly (readonly (readonly number[])[])[],
  trees: readonly (readonly Segment[])[],
) {
  const predictors: number[] = [];
  const targets: number[] = [];
  const answers: number[] = [];
  const asked = new Map<number, Map<number, number>>(); // by predictor, then target
  requests.forEach(({ context, continuations }, r) => {
    continuations.forEach((continuation, c) => {
      const fed = findPath(trees[trees.length === 1 ? 0 : r], sequences[r][c]).flatMap(({ at, tokens }) =>
        tokens.map((_, i) => at + i),
      );
      continuation.forEach((target, t) => {
        const predictor = fed[context.length + t - 1];
        let known = asked.get(predictor);
        if (!known) asked.set(predictor, (known = new Map()));
        let answer = known.get(target);
        if (answer === undefined) {
          answer = targets.length;
          known.set(target, answer);
          predictors.push(predictor);
          targets.push(target);
        }
        answers.push(answer);
      });
    });
  });
  return {
    predictors: Int32Array.from(predictors),
    targets: Int32Array.from(targets),
    answers: Int32Array.from(answers),
  };
}
