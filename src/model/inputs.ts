// What the linear layers of a model read, token by token: the hidden states of which outliers are told.
// It leaves out what is made of them, and the head, which is no layer of a block.

import type { Kernels } from "../kernels/kernels.ts";
import { createCache } from "./cache.ts";
import type { Decoder } from "./decoder.ts";
import { feedSequence } from "./feed.ts";

/** Inputs of one layer for some tokens. */
export interface LayerInputs {
  /** Tensor name of the layer's weight. */
  readonly name: string;
  readonly tokens: number;
  readonly values: Float32Array; // (tokens, columns)
}

/** Tokens of one forward: so many inputs of every layer are in memory at once. */
const tokensAtOnce = 128;

/** Inputs of every linear layer for one sequence, some tokens after the others, in the order of computation. */
export async function* readInputs(
  kernels: Kernels,
  decoder: Decoder,
  tokens: readonly number[],
): AsyncGenerator<LayerInputs, void, undefined> {
  const step = Math.min(decoder.maxTokens, tokensAtOnce);
  const cache = createCache(kernels, decoder.shape, tokens.length, "forwards");
  try {
    for (let start = 0; start < tokens.length; start += step) {
      const count = Math.min(step, tokens.length - start);
      const pending: Promise<LayerInputs>[] = [];
      decoder.forward(feedSequence(tokens, start, count, "scoring"), cache, ({ name, weight }, x, rows) => {
        // Calls take effect in their order, so this reads what the layer is about to read.
        pending.push(kernels.read(x, 0, rows * weight.columns).then((values) => ({ name, tokens: rows, values })));
      });
      yield* await Promise.all(pending);
    }
  } finally {
    cache.release();
  }
}
