// The decoder, read top to bottom: embedding, blocks of attention and feed-forward, the last norm.
// One for every architecture; what differs is in DecoderShape. It leaves out which tokens are fed together (score.ts,
// generate.ts) and all arithmetic (kernels/).

import type { KernelBuffer, Kernels, KernelWeight, Path, TargetScores } from "../kernels/kernels.ts";
import type { DecoderShape, HeadPlace } from "./architecture.ts";
import { copySlots, type KeyValueCache, type SlotCopies } from "./cache.ts";
import type { Block, DecoderWeights, Linear, Norm } from "./weights.ts";

/** The tokens of one forward, of any number of sequences. */
export interface Feed {
  readonly ids: Int32Array; // (tokens)
  /** Place of each token in its sequence, from 0. */
  readonly positions: Int32Array; // (tokens)
  /** Cache slot of each token. */
  readonly slots: Int32Array; // (tokens)
  /** What each token sees: prefixStart, prefixLength, ownStart, ownLength; the last slot of own is its own. */
  readonly spans: Int32Array; // (tokens, 4)
  /** Slots that take the keys and values of other slots, once those of this feed are placed. */
  readonly copies?: SlotCopies;
  /** The tokens whose hidden states are wanted, ascending; absent: all. */
  readonly wanted?: Int32Array;
  /** Tokens of the longest sequence, for rotary positions that depend on it. */
  readonly length: number;
  readonly path: Path;
}

/** Sees what a linear layer is about to read, `(tokens, layer.weight.columns)`; the buffer is its own only until it returns. */
export type InputWatcher = (layer: Linear, x: KernelBuffer, tokens: number) => void;

/** A decoder with its working memory. */
export interface Decoder {
  readonly shape: DecoderShape;
  /** Most tokens of one forward. */
  readonly maxTokens: number;
  readonly head: KernelWeight;
  /** Hidden states before the head, `(wanted, head.columns)`, valid until the next forward. */
  forward(feed: Feed, cache: KeyValueCache, watch?: InputWatcher): KernelBuffer;
  /** The logits of `rows` hidden states, formed in `out`: `(rows, vocabulary)`. */
  readLogits(out: KernelBuffer, hidden: KernelBuffer, rows: number, path: Path): Promise<Float32Array>;
  /** Log-probabilities of targets after hidden states. */
  scoreTargets(hidden: KernelBuffer, targets: Int32Array): Promise<TargetScores>;
  release(): void;
}

/** A decoder over loaded weights that takes up to `maxTokens` tokens at once. */
export function createDecoder(
  kernels: Kernels,
  shape: DecoderShape,
  weights: DecoderWeights,
  maxTokens: number,
): Decoder {
  const { width, heads, keyHeads, headSize, ffnWidth } = shape;
  const widest = Math.max(width, weights.embedding.columns, heads * headSize);
  const create = (columns: number) => kernels.createBuffer(maxTokens * columns);
  const streams = [create(widest), create(widest), create(widest), create(widest)] as const;
  const projected = weights.blocks[0].projections.map(({ weight }) => create(weight.rows));
  const query = create(heads * headSize);
  const attended = create(heads * headSize);
  const up = create(ffnWidth);
  const gate = weights.blocks[0].gate || weights.blocks[0].gateInUp ? create(ffnWidth) : undefined;
  const gateUp = weights.blocks[0].gateInUp ? create(2 * ffnWidth) : undefined;
  const embeddingScales = shape.embeddingScale ? create(width) : undefined;
  if (embeddingScales) kernels.write(embeddingScales, new Float32Array(maxTokens * width).fill(shape.embeddingScale!));

  let watcher: InputWatcher | undefined; // of the forward that is running
  function applyLinear(out: KernelBuffer, x: KernelBuffer, layer: Linear, tokens: number, path: Path): void {
    watcher?.(layer, x, tokens);
    kernels.matmul(out, x, layer.weight, tokens, path, layer.bias);
  }
  function applyNorm(out: KernelBuffer, x: KernelBuffer, { gain, bias }: Norm, tokens: number): void {
    if (shape.norm.kind === "rms") kernels.rmsNorm(out, x, tokens, gain, shape.norm.epsilon);
    else kernels.layerNorm(out, x, tokens, gain, bias, shape.norm.epsilon);
  }

  function forward(feed: Feed, cache: KeyValueCache, watch?: InputWatcher): KernelBuffer {
    watcher = watch;
    const { path } = feed;
    let tokens = feed.ids.length;
    if (tokens > maxTokens) throw new Error(`${tokens} tokens in a forward of at most ${maxTokens}`);
    // x: the residual stream; normed, branch: what enters and leaves a branch; spare: room to move things to.
    let [x, normed, branch, spare] = streams;
    [x, spare] = embed(feed, x, spare);

    const attend = prepareAttention(feed, cache);
    weights.blocks.forEach((block, layer) => {
      const readsNormed = block.attentionNorm && shape.residual !== "after";
      if (readsNormed) applyNorm(normed, x, block.attentionNorm!, tokens);
      attend(block, layer, readsNormed ? normed : x);
      let heard = attended;
      if (layer === weights.blocks.length - 1 && feed.wanted && feed.wanted.length < tokens) {
        // Behind the last attention only the wanted tokens matter.
        tokens = feed.wanted.length;
        heard = query;
        kernels.gather(heard, attended, feed.wanted, heads * headSize);
        kernels.gather(spare, x, feed.wanted, width);
        kernels.gather(branch, normed, feed.wanted, width);
        [x, normed, branch, spare] = [spare, branch, normed, x];
      }
      applyLinear(branch, heard, block.out, tokens, path);

      switch (shape.residual) {
        case "before":
          if (block.attentionOutNorm) applyNorm(branch, branch, block.attentionOutNorm, tokens);
          kernels.add(x, x, branch, tokens * width);
          if (block.ffnNorm) applyNorm(normed, x, block.ffnNorm, tokens);
          feedForward(block, block.ffnNorm ? normed : x, branch, tokens, path);
          if (block.ffnOutNorm) applyNorm(branch, branch, block.ffnOutNorm, tokens);
          kernels.add(x, x, branch, tokens * width);
          break;
        case "after":
          kernels.add(branch, x, branch, tokens * width);
          applyNorm(x, branch, block.attentionNorm!, tokens);
          feedForward(block, x, branch, tokens, path);
          kernels.add(branch, x, branch, tokens * width);
          applyNorm(x, branch, block.ffnNorm!, tokens);
          break;
        case "normed":
          kernels.add(branch, normed, branch, tokens * width);
          applyNorm(normed, branch, block.ffnNorm!, tokens);
          feedForward(block, normed, branch, tokens, path);
          kernels.add(x, normed, branch, tokens * width);
          break;
        case "parallel":
          if (block.ffnNorm) applyNorm(normed, x, block.ffnNorm, tokens);
          kernels.add(x, x, branch, tokens * width);
          feedForward(block, normed, branch, tokens, path);
          kernels.add(x, x, branch, tokens * width);
          break;
      }
    });

    if (weights.finalNorm) {
      applyNorm(normed, x, weights.finalNorm, tokens);
      [x, normed] = [normed, x];
    }
    if (weights.projectOut) {
      applyLinear(spare, x, weights.projectOut, tokens, path);
      x = spare;
    }
    return x;
  }

  /** Embeds the tokens into `x` and returns it; the other buffer, which may have been used, comes second. */
  function embed(feed: Feed, x: KernelBuffer, spare: KernelBuffer): [KernelBuffer, KernelBuffer] {
    const tokens = feed.ids.length;
    kernels.embed(x, weights.embedding, feed.ids);
    if (embeddingScales) kernels.multiply(x, x, embeddingScales, tokens * width);
    if (weights.projectIn) {
      applyLinear(spare, x, weights.projectIn, tokens, feed.path);
      [x, spare] = [spare, x];
    }
    if (shape.positions.kind === "learned") {
      const { offset } = shape.positions;
      kernels.embed(spare, weights.positions!, offset === 0 ? feed.positions : feed.positions.map((p) => p + offset));
      kernels.add(x, x, spare, tokens * width);
    }
    if (weights.embeddingNorm) {
      applyNorm(spare, x, weights.embeddingNorm, tokens);
      [x, spare] = [spare, x];
    }
    return [x, spare];
  }

  /** Attention of any block for the tokens of `feed`, from normed states to `attended`. */
  function prepareAttention(feed: Feed, cache: KeyValueCache) {
    const tokens = feed.ids.length;
    const own = inOrder(tokens); // queries lie in the order of the feed
    const rotaries = shape.positions.kind === "rotary" ? shape.positions.rotaries : [];
    const turns = new Map(
      [...new Set(rotaries)].map((rotary) => [
        rotary,
        {
          size: rotary.size,
          positions: feed.positions,
          frequencies: rotary.frequencies(feed.length),
          magnitude: rotary.magnitude,
        },
      ]),
    );
    const slopes = shape.positions.kind === "alibi" ? shape.positions.slopes : undefined;
    const spansOf = new Map<number | undefined, Int32Array>([[undefined, feed.spans]]);
    for (const window of shape.windows) {
      if (!spansOf.has(window)) spansOf.set(window, narrowSpans(feed.spans, window!));
    }

    return (block: Block, layer: number, normed: KernelBuffer): void => {
      block.projections.forEach((projection, i) => {
        applyLinear(projected[i], normed, projection, tokens, feed.path);
      });
      const normHeads = (norm: Norm | undefined, { projection }: HeadPlace) => {
        const rows = block.projections[projection].weight.rows;
        const x = projected[projection];
        if (norm) applyNorm(x, x, norm, (tokens * rows) / norm.gain.length);
      };
      normHeads(block.queryNorm, block.query);
      normHeads(block.keyNorm, block.key);
      const turn = turns.get(rotaries[layer]);
      const place = (out: KernelBuffer, from: HeadPlace, count: number, slots: Int32Array, rotary?: typeof turn) =>
        kernels.placeHeads(out, projected[from.projection], {
          tokens,
          heads: count,
          headSize,
          width: block.projections[from.projection].weight.rows,
          offset: from.offset,
          stride: from.stride,
          slots,
          rotary,
        });
      place(query, block.query, heads, own, turn);
      place(cache.keys[layer], block.key, keyHeads, feed.slots, turn);
      place(cache.values[layer], block.value, keyHeads, feed.slots);
      // What was projected has been placed, so that its memory is free.
      if (feed.copies)
        for (const kept of [cache.keys[layer], cache.values[layer]])
          copySlots(kernels, kept, feed.copies, keyHeads * headSize, projected[0], maxTokens);
      kernels.attend(attended, query, cache.keys[layer], cache.values[layer], {
        tokens,
        heads,
        keyHeads,
        headSize,
        scale: shape.attentionScales[layer],
        spans: spansOf.get(shape.windows[layer])!,
        slopes,
        cap: shape.scoreCap,
      });
    };
  }

  /** Part 0 or 1 of every row of `gateUp`. */
  function takeHalf(out: KernelBuffer, part: 0 | 1, tokens: number): void {
    kernels.placeHeads(out, gateUp!, {
      tokens,
      heads: 1,
      headSize: ffnWidth,
      width: 2 * ffnWidth,
      offset: part * ffnWidth,
      stride: ffnWidth,
      slots: inOrder(tokens),
    });
  }

  /** `out = down(activation(up x))`, or `down(activation(gate x) * up x)`. */
  function feedForward(block: Block, x: KernelBuffer, out: KernelBuffer, tokens: number, path: Path): void {
    applyLinear(gateUp ?? up, x, block.up, tokens, path);
    if (block.gate) applyLinear(gate!, x, block.gate, tokens, path);
    if (gateUp) {
      takeHalf(gate!, 0, tokens);
      takeHalf(up, 1, tokens);
    }
    if (gate) {
      kernels.activate(gate, shape.activation, tokens * ffnWidth);
      kernels.multiply(up, gate, up, tokens * ffnWidth);
    } else {
      kernels.activate(up, shape.activation, tokens * ffnWidth);
    }
    applyLinear(out, up, block.down, tokens, path);
  }

  async function readLogits(out: KernelBuffer, hidden: KernelBuffer, rows: number, path: Path): Promise<Float32Array> {
    kernels.matmul(out, hidden, weights.head, rows, path, weights.headBias);
    const logits = await kernels.read(out, 0, rows * weights.head.rows);
    const cap = shape.logitCap;
    return cap ? logits.map((logit) => cap * Math.tanh(logit / cap)) : logits;
  }

  function scoreTargets(hidden: KernelBuffer, targets: Int32Array): Promise<TargetScores> {
    return kernels.scoreTargets(hidden, weights.head, targets, weights.headBias, shape.logitCap);
  }

  function release(): void {
    for (const buffer of [...streams, ...projected, query, attended, up, gate, gateUp, embeddingScales]) {
      if (buffer) kernels.release(buffer);
    }
  }

  return { shape, maxTokens, head: weights.head, forward, readLogits, scoreTargets, release };
}

/** 0, 1, .. count - 1; to be read only. */
function inOrder(count: number): Int32Array {
  if (ordered.length < count) ordered = Int32Array.from({ length: 2 * count }, (_, i) => i);
  return ordered.subarray(0, count);
}
let ordered = new Int32Array();

/** The spans that a sliding window leaves: the last `window` tokens of prefix and own together. */
export function narrowSpans(spans: Int32Array, window: number): Int32Array {
  const narrow = spans.slice(); // (tokens, 4)
  for (let t = 0; t < narrow.length; t += 4) {
    const fromOwn = Math.min(narrow[t + 3], window);
    const fromPrefix = Math.min(narrow[t + 1], window - fromOwn);
    narrow[t] += narrow[t + 1] - fromPrefix;
    narrow[t + 1] = fromPrefix;
    narrow[t + 2] += narrow[t + 3] - fromOwn;
    narrow[t + 3] = fromOwn;
  }
  return narrow;
}
