// How long a token takes to write: one forward of one token for each sequence, on a full cache, and the logits after it.
// Choosing the token is left out, and so is reading the prompt: neither depends on the bits of weights in the same way.

import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { createRandom } from "../tensor/random.ts";
import { createCache } from "./cache.ts";
import type { Decoder, Feed } from "./decoder.ts";

/** How a model is timed. */
export interface LatencyOptions {
  /** Tokens that each sequence holds already; default 128. */
  readonly context?: number;
  /** Sequences at a time; default 1. */
  readonly batch?: number;
  /** How long to measure; default 1. */
  readonly seconds?: number;
  /** Called with the share that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** The time of a token of every sequence. */
export interface Latency {
  /** Median over steps. */
  readonly milliseconds: number;
  /** Of the median: from medians of consecutive tenths, since a busy machine slows down neighbouring steps alike. */
  readonly standardError: number;
  readonly steps: number;
}

/** Consecutive parts of the steps, for the standard error. */
const parts = 10;
const leastSteps = 5 * parts;
/** Steps before the first that counts: memory is touched, threads are awake. */
const warmUpSteps = 5;

/**
 * Times steps of generation: each feeds one token to every sequence after `context` others and forms its logits.
 *
 * @throws InputError if the model does not take that many tokens, or as many sequences at once
 */
export async function measureLatency(
  kernels: Kernels,
  decoder: Decoder,
  options: LatencyOptions = {},
): Promise<Latency> {
  const { context = 128, batch = 1, seconds = 1, onProgress = () => {} } = options;
  const { maxLength, vocabulary } = decoder.shape;
  if (context + 1 > maxLength)
    throw new InputError(`A context of ${context} tokens and one more do not fit; the model takes ${maxLength}.`);
  if (batch > decoder.maxTokens)
    throw new InputError(`A batch of ${batch} is too large; ${decoder.maxTokens} sequences are fed at most.`);
  const random = createRandom(0);
  const length = context + 1;
  const cache = createCache(kernels, decoder.shape, batch * length, "forwards");
  const logits = kernels.createBuffer(batch * decoder.head.rows);
  const feedStep = (): Feed => {
    const spans = new Int32Array(4 * batch);
    for (let sequence = 0; sequence < batch; sequence++) spans.set([0, 0, sequence * length, length], 4 * sequence);
    return {
      ids: Int32Array.from({ length: batch }, () => random.integer(vocabulary)),
      positions: new Int32Array(batch).fill(context),
      slots: Int32Array.from({ length: batch }, (_, sequence) => sequence * length + context),
      spans,
      length,
      path: "generation",
    };
  };
  const times: number[] = [];
  try {
    // What the cache holds does not change the time, as long as it is ordinary numbers.
    for (const buffer of [...cache.keys, ...cache.values])
      kernels.write(
        buffer,
        Float32Array.from({ length: buffer.length }, () => random.normal()),
      );
    let started = performance.now();
    for (let step = -warmUpSteps; ; step++) {
      if (step === 0) started = performance.now();
      const share = step < 0 ? 0 : Math.min(step / leastSteps, (performance.now() - started) / (1000 * seconds));
      if (share >= 1 && step % parts === 0) break;
      onProgress(Math.min(1, share));
      const feed = feedStep();
      const start = performance.now();
      await decoder.readLogits(logits, decoder.forward(feed, cache), batch, "generation");
      if (step >= 0) times.push(performance.now() - start);
    }
  } finally {
    kernels.release(logits);
    cache.release();
  }
  return summarizeTimes(times);
}

/** Median of times in their order with its standard error. */
export function summarizeTimes(times: readonly number[]): Latency {
  const size = times.length / parts;
  const medians = Array.from({ length: parts }, (_, i) => medianOf(times.slice(i * size, (i + 1) * size)));
  const mean = medians.reduce((sum, one) => sum + one, 0) / parts;
  const variance = medians.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (parts - 1);
  return { milliseconds: medianOf(times), standardError: Math.sqrt(variance / parts), steps: times.length };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
