// Blocks: runs of weights of the row-major matrix that share one absmax, and how that absmax is stored.
// The last block may be shorter; a block of zeros has absmax 0.

import { toFloat16 } from "../tensor/convert.ts";
import { buildDynamic } from "./codebooks/dynamic.ts";
import { createNearestTable, encodeNearest, type NearestTable } from "./nearest.ts";
import type { BlockScales, QuantizedTensor } from "./quantized.ts";
import type { QuantizedSpec } from "./spec.ts";

/** Weights a block. */
export function blockSizeOf(block: QuantizedSpec["block"], [rows, columns]: readonly [number, number]): number {
  if (block === "row") return columns;
  return block === "tensor" ? rows * columns : block;
}

/**
 * The largest magnitude of each block in the weights `[from, to)`.
 *
 * @param from - a multiple of `blockSize`
 * @returns `(ceil((to - from) / blockSize))`
 */
export function measureAbsmax(weights: Float32Array, blockSize: number, from = 0, to = weights.length): Float32Array {
  const absmax = new Float32Array(Math.ceil((to - from) / blockSize));
  for (let block = 0, start = from; start < to; block++, start += blockSize) {
    const end = Math.min(start + blockSize, to);
    let largest = 0;
    for (let i = start; i < end; i++) {
      const magnitude = Math.abs(weights[i]);
      if (magnitude > largest) largest = magnitude;
    }
    absmax[block] = largest;
  }
  return absmax;
}

/**
 * Rounds the absmax of all blocks of a tensor to what is stored. A float16 absmax below 2^-25 becomes 0, and its block
 * zeros.
 *
 * @param name - of the tensor, for messages
 * @throws InputError if an absmax is beyond float16
 */
export function storeScales(absmax: Float32Array, kind: QuantizedSpec["scales"], name: string): BlockScales {
  if (kind === "float32") return { kind, values: absmax };
  if (kind === "double") return doubleQuantize(absmax);
  return {
    kind,
    values: toFloat16(absmax, (block) => `tensor "${name}": the absmax of block ${block} (a32 keeps it in float32)`),
  };
}

/** One float32 absmax a block, as decoding uses it, never negative: `(ceil(rows * columns / blockSize))`. */
export function expandScales(scales: BlockScales): Float32Array {
  if (scales.kind !== "double") return new Float32Array(scales.values);
  const { codes, scales: chunkScales, offset } = scales;
  return Float32Array.from(codes, (code, block) => {
    const scale = chunkScales[Math.floor(block / chunkSize)];
    // Next to much larger blocks that of a nearly empty one can come out below 0.
    return Math.max(0, Math.fround(doubleCodebook[code] * scale) + offset);
  });
}

/** One float32 absmax a block of a quantized tensor. */
export function expandAbsmax(tensor: QuantizedTensor): Float32Array {
  return expandScales(tensor.absmax);
}

const chunkSize = 256; // blocks that share one scale of their absmax
const doubleCodebook = Float32Array.from(buildDynamic(8)).sort();
let doubleTable: NearestTable | undefined;

/**
 * Double quantization: `absmax - mean(absmax)` in the 8-bit dynamic type, blocks of 256 with a float32 scale each.
 *
 * @see QLoRA (arXiv 2305.14314), section 3; `compress_statistics` of bitsandbytes
 */
function doubleQuantize(absmax: Float32Array): BlockScales {
  const offset = Math.fround(absmax.reduce((sum, value) => sum + value, 0) / absmax.length);
  const shifted = absmax.map((value) => value - offset);
  const scales = measureAbsmax(shifted, chunkSize);
  const codes = new Uint8Array(absmax.length);
  doubleTable ??= createNearestTable(doubleCodebook);
  for (let chunk = 0; chunk < scales.length; chunk++) {
    const start = chunk * chunkSize;
    const end = Math.min(start + chunkSize, absmax.length);
    encodeNearest(shifted, start, end, scales[chunk], doubleTable, codes, start);
  }
  return { kind: "double", codes, scales, offset, length: absmax.length };
}
