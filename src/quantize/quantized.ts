// A quantized matrix as it lies in memory and in a packed checkpoint: exactly k bits a code, and what scales them.
// Types only: quantize.ts makes it, kernels/ compute on it, checkpoint/ stores it.

import type { QuantizedSpec } from "./spec.ts";

/**
 * A k-bit matrix. Weight `i` of the row-major flattened matrix is
 * `codebook[codes[i]] * absmax[floor(i / blockSize)] + center`, except in outlier columns, which are stored as they are.
 */
export interface QuantizedTensor {
  readonly name: string;
  /** `(rows, columns)` = (out, in). */
  readonly shape: readonly [number, number];
  readonly spec: QuantizedSpec;
  /** Distinct values, ascending, in [-1, 1]: `(at most 2^k)`. Decoding a code is indexing it. */
  readonly codebook: Float32Array;
  /** Codes in the layout of pack.ts, `ceil`-free: exactly k bits each (padded to a whole byte at the end of the tensor). */
  readonly codes: Uint8Array;
  /** Weights a block, a whole number: `spec.block`, `columns` (row) or `rows * columns` (tensor). */
  readonly blockSize: number;
  /** One scale a block, `(ceil(rows * columns / blockSize))`, as stored. */
  readonly absmax: BlockScales;
  /** What centering subtracted: nothing, one value (`mean`, `median`), or one a block, already rounded to float16. */
  readonly centers: Float16Array | null;
  readonly outliers: OutlierColumns | null;
}

/** The scales of the blocks, in the width that is stored and counted. */
export type BlockScales =
  | { readonly kind: "float16"; readonly values: Float16Array }
  | { readonly kind: "float32"; readonly values: Float32Array }
  | {
      /** QLoRA: absmax - offset is 8-bit dynamic-quantized in blocks of 256 with a float32 scale each. */
      readonly kind: "double";
      readonly codes: Uint8Array; // (blocks)
      readonly scales: Float32Array; // (ceil(blocks / 256))
      readonly offset: number;
      /** Number of blocks. */
      readonly length: number;
    };

/** Input columns that stay in 16 bits. */
export interface OutlierColumns {
  /** Ascending. */
  readonly columns: Uint32Array; // (count)
  /** Their weights, row-major. */
  readonly values: Float16Array; // (rows, count)
}

/** Whether a weight of a checkpoint is quantized. */
export function isQuantized(weight: object): weight is QuantizedTensor {
  return "codes" in weight;
}
