// One sequence as the feed of a forward: each token in the slot of its position, seeing all before it.

import type { Path } from "../kernels/kernels.ts";
import type { Feed } from "./decoder.ts";

/**
 * Tokens `start .. start + count - 1` of a sequence whose earlier tokens are in the cache.
 *
 * @param wanted - tokens of the feed whose hidden states are wanted; absent: all
 */
export function feedSequence(
  tokens: readonly number[],
  start: number,
  count: number,
  path: Path,
  wanted?: Int32Array,
): Feed {
  const positions = Int32Array.from({ length: count }, (_, t) => start + t);
  const spans = new Int32Array(4 * count);
  for (let t = 0; t < count; t++) spans.set([0, 0, 0, start + t + 1], 4 * t);
  const ids = Int32Array.from(tokens.slice(start, start + count));
  // Text that is being written is as long as it is so far.
  const length = path === "generation" ? start + count : tokens.length;
  return { ids, positions, slots: positions, spans, wanted, length, path };
}
