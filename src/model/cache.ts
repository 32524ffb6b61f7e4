// Keys and values of tokens that were fed, in slots. Whoever feeds tokens decides which slot each one takes and which
// slots it sees (spans), so a context that several continuations share is stored once.

import type { KernelBuffer, Kernels } from "../kernels/kernels.ts";
import type { DecoderShape } from "./architecture.ts";

/** The cache of one decoder. */
export interface KeyValueCache {
  /** Tokens that fit. */
  readonly slots: number;
  /** Of each block, `(slots, keyHeads * headSize)`. */
  readonly keys: readonly KernelBuffer[];
  readonly values: readonly KernelBuffer[];
  release(): void;
}

/**
 * A cache of `slots` tokens.
 *
 * @param lifetime - "forwards": tokens are seen by later forwards; "forward": only within the forward that feeds them,
 *   so that all blocks can share the memory of one
 */
export function createCache(
  kernels: Kernels,
  shape: DecoderShape,
  slots: number,
  lifetime: "forward" | "forwards",
): KeyValueCache {
  const blocks = shape.windows.length;
  const create = () => kernels.createBuffer(slots * shape.keyHeads * shape.headSize);
  const buffers = Array.from({ length: lifetime === "forward" ? 2 : 2 * blocks }, create);
  const of = (part: 0 | 1) =>
    Array.from({ length: blocks }, (_, block) => buffers[lifetime === "forward" ? part : 2 * block + part]);
  return {
    slots,
    keys: of(0),
    values: of(1),
    release() {
      for (const buffer of buffers) kernels.release(buffer);
    },
  };
}

/** Slots and those that take the same keys and values. */
export interface SlotCopies {
  readonly from: Int32Array; // (copies)
  readonly to: Int32Array; // (copies)
}

/** Copies slots of `kept`, `(slots, width)`, through `spare`, which holds `atOnce` of them. */
export function copySlots(
  kernels: Kernels,
  kept: KernelBuffer,
  { from, to }: SlotCopies,
  width: number,
  spare: KernelBuffer,
  atOnce: number,
): void {
  for (let i = 0; i < from.length; i += atOnce) {
    const sources = from.subarray(i, i + atOnce);
    const slots = to.subarray(i, i + atOnce);
    const tokens = sources.length;
    kernels.gather(spare, kept, sources, width);
    kernels.placeHeads(kept, spare, { tokens, heads: 1, headSize: width, width, offset: 0, stride: width, slots });
  }
}
