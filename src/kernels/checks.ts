// Do the sizes of a kernel call fit together? Shared by every kernel set, so that all refuse the same calls.
// These are programming errors, never bad input: they throw plain Errors.

import type { AttentionSpans, HeadLayout, KernelBuffer, KernelWeight } from "./kernels.ts";

/** Throws unless `buffer` holds at least `count` values. */
export function checkLength(what: string, buffer: KernelBuffer, count: number): void {
  if (!Number.isInteger(count) || count < 0) throw new Error(`${what}: ${count} is not a number of values`);
  if (buffer.length < count) throw new Error(`${what} holds ${buffer.length} values, ${count} are needed`);
}

/** Throws unless every index lies in `0 .. limit - 1`. */
export function checkIndices(what: string, indices: Int32Array, limit: number): void {
  for (const index of indices) {
    if (index < 0 || index >= limit) throw new Error(`${what} ${index} is outside 0 to ${limit - 1}`);
  }
}

/** Throws unless `out`, `x` and `bias` fit a product with `weight`. */
export function checkMatmul(
  out: KernelBuffer,
  x: KernelBuffer,
  weight: KernelWeight,
  tokens: number,
  bias: KernelBuffer | undefined,
): void {
  checkLength("matmul: out", out, tokens * weight.rows);
  checkLength("matmul: x", x, tokens * weight.columns);
  if (bias) checkLength("matmul: bias", bias, weight.rows);
  if (out === x) throw new Error("matmul: out must not be x");
}

/** Throws unless `layout` describes places inside `x` and `out`. */
export function checkHeads(out: KernelBuffer, x: KernelBuffer, layout: HeadLayout): void {
  const { tokens, heads, headSize, width, offset, stride, slots, rotary } = layout;
  checkLength("placeHeads: x", x, tokens * width);
  if (offset < 0 || offset + (heads - 1) * stride + headSize > width) {
    throw new Error(`placeHeads: ${heads} heads of ${headSize} do not fit a row of ${width}`);
  }
  if (slots.length < tokens) throw new Error(`placeHeads: ${slots.length} slots for ${tokens} tokens`);
  checkIndices("placeHeads: slot", slots.subarray(0, tokens), Math.floor(out.length / (heads * headSize)));
  if (!rotary) return;
  if (rotary.size % 2 !== 0 || rotary.size > headSize) throw new Error(`placeHeads: rotary size ${rotary.size}`);
  if (rotary.positions.length < tokens || rotary.frequencies.length < rotary.size / 2) {
    throw new Error("placeHeads: too few rotary positions or frequencies");
  }
}

/** Throws unless every span lies inside the cache and every token has at least its own key. */
export function checkSpans(
  out: KernelBuffer,
  query: KernelBuffer,
  keys: KernelBuffer,
  values: KernelBuffer,
  spans: AttentionSpans,
): void {
  const { tokens, heads, keyHeads, headSize } = spans;
  if (heads % keyHeads !== 0) throw new Error(`attend: ${heads} heads on ${keyHeads} key heads`);
  checkLength("attend: out", out, tokens * heads * headSize);
  checkLength("attend: query", query, tokens * heads * headSize);
  if (spans.slopes && spans.slopes.length < heads) throw new Error("attend: too few slopes");
  if (spans.spans.length < tokens * 4) throw new Error("attend: too few spans");
  const slots = Math.floor(Math.min(keys.length, values.length) / (keyHeads * headSize));
  for (let t = 0; t < tokens; t++) {
    const [prefixStart, prefixLength, ownStart, ownLength] = spans.spans.subarray(t * 4, t * 4 + 4);
    const fits = (start: number, length: number) => start >= 0 && length >= 0 && start + length <= slots;
    if (!fits(prefixStart, prefixLength) || !fits(ownStart, ownLength) || prefixLength + ownLength === 0) {
      throw new Error(`attend: span of token ${t} is empty or leaves the cache of ${slots} slots`);
    }
  }
}

/** Throws unless `x`, `targets` and `bias` fit the head. */
export function checkTargets(
  x: KernelBuffer,
  head: KernelWeight,
  targets: Int32Array,
  bias: KernelBuffer | undefined,
): void {
  checkLength("scoreTargets: x", x, targets.length * head.columns);
  if (bias) checkLength("scoreTargets: bias", bias, head.rows);
  checkIndices("scoreTargets: target", targets, head.rows);
}
