// Log softmax at targets over tiles of the vocabulary: each tile's logits live in scratch for a moment, and only its
// largest logit, the sum of exponentials and the arg max are kept. The host joins the tiles in their order.

import { multiplyTile } from "./gemm";
import { exp4, max4, sum4 } from "./math";
import { capSpan } from "./rows";
import { Weight } from "./weight";

/** Rows of the head a tile. */
export const TILE: usize = 64;

/**
 * Tile `tile` of the head for all tokens. `partials` gets (largest, sum of exp(logit - largest), arg max as i32, 0) at
 * `(tile, token)`; `chosen (tokens)` the logit of each target in this tile. `logits` holds tokens * 64 values.
 */
export function scoreTile(
  partials: usize,
  chosen: usize,
  x: usize,
  head: Weight,
  bias: usize,
  targets: usize,
  tokens: usize,
  cap: f32,
  tile: usize,
  logits: usize,
  scratch: usize,
): void {
  const first = tile * TILE;
  const last = min(first + TILE, <usize>head.rows);
  multiplyTile(logits, TILE * 4, x, head, bias ? bias + first * 4 : 0, tokens, first, last, scratch);
  partials += tile * tokens * 16;
  for (let t: usize = 0; t < tokens; t++, partials += 16, logits += TILE * 4) {
    if (cap != 0) capSpan(logits, last - first, cap);
    const target = <usize>load<u32>(targets + t * 4);
    if (target >= first && target < last) store<f32>(chosen + t * 4, load<f32>(logits + (target - first) * 4));
    // Places past the vocabulary count as exp(-infinity).
    const end = logits + (last - first) * 4;
    for (let at = end; at < logits + ((last - first + 3) & ~3) * 4; at += 4) store<f32>(at, -Infinity);
    let largest4 = f32x4.splat(-Infinity);
    for (let at = logits; at < end; at += 16) largest4 = f32x4.pmax(v128.load(at), largest4);
    const largest = max4(largest4);
    const m = f32x4.splat(largest);
    let sums = f32x4.splat(0);
    for (let at = logits; at < end; at += 16) {
      sums = f32x4.add(sums, exp4(f32x4.sub(v128.load(at), m), f32x4.splat(0)));
    }
    let best = logits;
    while (best < end && load<f32>(best) != largest) best += 4;
    store<f32>(partials, largest);
    store<f32>(partials, sum4(sums), 4);
    store<u32>(partials, <u32>(first + ((best - logits) >> 2)), 8);
  }
}
