// What running a model takes beside its weights: the cache of keys and values, and room for activations.
// The shape of a model is no part of result rows; whoever has its config passes it in.

/** What memory and speed depend on. */
export interface ModelShape {
  readonly layers: number;
  readonly keyHeads: number;
  readonly heads: number;
  readonly headSize: number;
  readonly width: number;
  readonly ffnWidth: number;
  readonly vocabulary: number;
  /** The longest input in tokens. */
  readonly maxLength: number;
  /** Sliding window of each layer that has one. */
  readonly windows?: readonly (number | undefined)[];
}

/** How a model is run. */
export interface Workload {
  /** Tokens that are held of each sequence. */
  readonly context: number;
  /** Sequences at a time. */
  readonly batch: number;
  /** Of a key or value in the cache. */
  readonly kvBits: number;
}

/** Bytes of keys and values: `2 * key heads * head size * tokens * batch * bits / 8` summed over layers; a window holds no more. */
export function countCacheBytes(shape: ModelShape, { context, batch, kvBits }: Workload): number {
  const { layers, keyHeads, headSize, windows = [] } = shape;
  let tokens = 0;
  for (let layer = 0; layer < layers; layer++) tokens += Math.min(context, windows[layer] ?? context);
  return Math.ceil((2 * keyHeads * headSize * tokens * batch * kvBits) / 8);
}

/**
 * Bytes of activations in float32 while one token of each sequence is computed: the residual stream and its norm, queries,
 * keys and values, the feed-forward units (twice for a gate), attention scores of one layer, and logits.
 */
export function countWorkspaceBytes(shape: ModelShape, { context, batch }: Workload): number {
  const { width, heads, keyHeads, headSize, ffnWidth, vocabulary } = shape;
  const values = 4 * width + (heads + 2 * keyHeads) * headSize + 2 * ffnWidth + heads * context + vocabulary;
  return 4 * batch * values;
}
