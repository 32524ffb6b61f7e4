// Writes text token by token: the prompt fills the cache, then each chosen token is fed and the next one chosen.

import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { createRandom } from "../tensor/random.ts";
import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { feedSequence } from "./feed.ts";
import { chooseToken, type SamplingOptions } from "./sample.ts";

/** Choices of generation; without any it is greedy. */
export interface GenerateOptions extends SamplingOptions {
  /** Most tokens to write; default 256. */
  readonly maxTokens?: number;
  /** Equal seeds give equal text; default 0. */
  readonly seed?: number;
}

/**
 * Yields the tokens after `tokens`; ends at a stop token (not yielded), at `maxTokens`, or when the model's length is full.
 *
 * @throws InputError if the prompt is empty or leaves no room, or an option has no meaning
 */
export async function* generateTokens(
  kernels: Kernels,
  decoder: Decoder,
  tokens: readonly number[],
  stopTokens: ReadonlySet<number>,
  options: GenerateOptions,
): AsyncGenerator<number, void, undefined> {
  const { maxTokens = 256, seed = 0 } = options;
  const { maxLength } = decoder.shape;
  checkGenerateOptions(options);
  if (tokens.length === 0) throw new InputError("The prompt is empty and the model has no token to begin with.");
  if (tokens.length > maxLength) {
    throw new InputError(`The prompt has ${tokens.length} tokens; the model takes at most ${maxLength}.`);
  }
  const sequence = [...tokens];
  const limit = Math.min(tokens.length + maxTokens, maxLength + 1);
  if (limit === tokens.length) return;
  const random = createRandom(seed);
  const cache = createCache(kernels, decoder.shape, limit - 1, "forwards");
  const logits = kernels.createBuffer(decoder.head.rows);
  try {
    let fed = 0;
    while (sequence.length < limit) {
      // The prompt is fed in large steps, each written token alone.
      const count = Math.min(decoder.maxTokens, sequence.length - fed);
      const path = fed < tokens.length ? "scoring" : "generation";
      const hidden = decoder.forward(feedSequence(sequence, fed, count, path, Int32Array.of(count - 1)), cache);
      fed += count;
      if (fed < sequence.length) continue;
      const values = await decoder.readLogits(logits, hidden, 1, "generation");
      const next = chooseToken(values, sequence, options, random);
      if (stopTokens.has(next)) return;
      sequence.push(next);
      yield next;
    }
  } finally {
    kernels.release(logits);
    cache.release();
  }
}

/**
 * @param nameOf - how an option is called where it was given
 * @throws InputError if an option has no meaning
 */
export function checkGenerateOptions(options: GenerateOptions, nameOf = (name: string) => name): void {
  const check = (name: keyof GenerateOptions, ok: (value: number) => boolean, expected: string) => {
    const value = options[name];
    if (value !== undefined && !ok(value))
      throw new InputError(`${nameOf(name)} is ${value}; ${expected} is expected.`);
  };
  check("maxTokens", (n) => Number.isInteger(n) && n >= 0, "a whole number from 0");
  check("temperature", (t) => t >= 0 && Number.isFinite(t), "a number from 0");
  check("topK", (k) => Number.isInteger(k) && k >= 0, "a whole number from 0");
  check("topP", (p) => p > 0 && p <= 1, "a number above 0, at most 1");
  check("minP", (p) => p >= 0 && p <= 1, "a number from 0 to 1");
  check("repetitionPenalty", (p) => p > 0 && Number.isFinite(p), "a number above 0");
  check("seed", (s) => Number.isInteger(s), "a whole number");
}
