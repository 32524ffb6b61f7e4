// THE HEART. A matrix to k-bit codes and back: everything that makes a quantized weight stands on this page.
//
//   take the outlier columns out -> subtract the centers -> absmax of each block, rounded as stored
//   -> the nearest value of the codebook to weight / absmax -> k bits a code
//
// data-types.ts has the codebooks, blocks.ts the scales, nearest.ts the search, pack.ts the bit layout.

import { InputError } from "../input-error.ts";
import { blockSizeOf, expandAbsmax, expandScales, measureAbsmax, storeScales } from "./blocks.ts";
import { measureCenters } from "./centers.ts";
import { buildCodebook, dataTypes } from "./data-types.ts";
import { createNearestTable, encodeNearest } from "./nearest.ts";
import { dropColumns, keepColumns } from "./outliers.ts";
import { groupSize, packCodes, packedBytes, unpackCodes } from "./pack.ts";
import type { OutlierColumns, QuantizedTensor } from "./quantized.ts";
import type { QuantizedSpec } from "./spec.ts";

/** What quantization may be told besides the spec. */
export interface QuantizeOptions {
  /** Name of the tensor, for messages and for the result. */
  readonly name?: string;
  /** Input columns that stay in float16, ascending; `pickOutliers` finds them. */
  readonly outlierColumns?: Uint32Array;
  /** Take NaN and infinite weights as 0, in every respect, instead of refusing them. */
  readonly allowNonfinite?: boolean;
}

/**
 * Quantizes a matrix: `codes[i] = argmin_c |codebook[c] - (weights[i] - center) / absmax[floor(i / blockSize)]|`, the lower
 * of two equally near values, where center and absmax are the rounded ones that are stored.
 *
 * @param weights - row-major, `(rows, columns)` = (out, in)
 * @throws InputError naming the tensor: a weight that is not finite, or a scale, center or outlier beyond float16
 * @see Dettmers and Zettlemoyer (arXiv 2212.09720), sections 2.3 and 3, appendices A and B
 */
export function quantize(
  weights: Float32Array,
  shape: readonly [number, number],
  spec: QuantizedSpec,
  options: QuantizeOptions = {},
): QuantizedTensor {
  const { tensor, rest, coding } = prepareBlocks(weights, shape, spec, options);
  return { ...tensor, codes: quantizeBlocks(rest, 0, rest.length, coding) };
}

/** Everything of a quantized matrix but its codes, and what `quantizeBlocks` makes those of. */
export interface PreparedBlocks {
  readonly tensor: Omit<QuantizedTensor, "codes">;
  /** The weights less outlier columns and centers; `weights` itself where there are none. */
  readonly rest: Float32Array; // (rows, columns)
  readonly coding: BlockCoding;
}

/** `quantize` up to its last step, which workers can share. */
export function prepareBlocks(
  weights: Float32Array,
  shape: readonly [number, number],
  spec: QuantizedSpec,
  options: QuantizeOptions = {},
): PreparedBlocks {
  const { name = "weights", outlierColumns, allowNonfinite = false } = options;
  const [rows, columns] = shape;
  if (weights.length !== rows * columns || weights.length === 0) {
    throw new InputError(
      `tensor "${name}": ${weights.length} weights cannot be quantized as a matrix of ${rows} x ${columns}`,
    );
  }
  const finite = checkFinite(weights, columns, name, allowNonfinite);
  const blockSize = blockSizeOf(spec.block, shape);

  const outliers = outlierColumns?.length ? keepColumns(finite, shape, outlierColumns, name) : null;
  const centers = measureCenters(finite, columns, spec.center, blockSize, outliers, name);
  const rest = subtractKept(finite, columns, blockSize, centers, outliers);

  const dependsOnData = dataTypes[spec.type].stored;
  const codebook = buildCodebook(spec, outliers && dependsOnData ? dropColumns(rest, columns, outliers.columns) : rest);
  const absmax = storeScales(measureAbsmax(rest, blockSize), spec.scales, name);
  const coding = { bits: spec.bits, codebook, blockSize, absmax: expandScales(absmax) };
  return { tensor: { name, shape, spec, codebook, blockSize, absmax, centers, outliers }, rest, coding };
}

/** The matrix that a quantized tensor stands for: products and sums in float64, rounded once. `(rows, columns)` */
export function dequantize(tensor: QuantizedTensor): Float32Array {
  const { shape, spec, codebook, blockSize, centers, outliers } = tensor;
  const [rows, columns] = shape;
  const codes = unpackCodes(tensor.codes, spec.bits, rows * columns);
  const absmax = expandAbsmax(tensor);
  const weights = new Float32Array(rows * columns);
  for (let block = 0; block < absmax.length; block++) {
    const scale = absmax[block];
    const center = centers === null ? 0 : centers[centers.length === 1 ? 0 : block];
    const end = Math.min((block + 1) * blockSize, weights.length);
    for (let i = block * blockSize; i < end; i++) weights[i] = codebook[codes[i]] * scale + center;
  }
  if (outliers) {
    for (let row = 0, at = 0; row < rows; row++) {
      for (const column of outliers.columns) weights[row * columns + column] = outliers.values[at++];
    }
  }
  return weights;
}

/** What the codes of a range depend on besides its weights. */
export interface BlockCoding {
  readonly bits: number;
  readonly codebook: Float32Array;
  readonly blockSize: number;
  /** One stored absmax a block of the whole matrix, as `expandScales` gives it. */
  readonly absmax: Float32Array;
}

/**
 * Packed codes of the weights `[from, to)`, outliers and centers taken out before. Ranges may be done apart, as in
 * workers: their bytes, one after another, are the same whatever the split.
 *
 * @param from - a multiple of 512
 * @param to - a multiple of 512, or the end
 * @returns `(packedBytes(to - from, bits))`
 */
export function quantizeBlocks(weights: Float32Array, from: number, to: number, coding: BlockCoding): Uint8Array {
  if (from % groupSize !== 0 || (to % groupSize !== 0 && to !== weights.length)) {
    throw new Error(`the range [${from}, ${to}) does not fall on groups of ${groupSize} weights`);
  }
  const { bits, codebook, blockSize, absmax } = coding;
  const table = createNearestTable(codebook);
  const packed = new Uint8Array(packedBytes(to - from, bits));
  const codes = new Uint8Array(Math.min(to - from, 16 * groupSize)); // of one piece, small enough for the cache
  for (let piece = from; piece < to; piece += codes.length) {
    const pieceEnd = Math.min(piece + codes.length, to);
    for (let start = piece; start < pieceEnd; ) {
      const block = Math.floor(start / blockSize);
      const end = Math.min((block + 1) * blockSize, pieceEnd);
      encodeNearest(weights, start, end, absmax[block], table, codes, start - piece);
      start = end;
    }
    packed.set(packCodes(codes.subarray(0, pieceEnd - piece), bits), packedBytes(piece - from, bits));
  }
  return packed;
}

/** The weights, or if that is allowed a copy with 0 for those that are not finite. */
function checkFinite(weights: Float32Array, columns: number, name: string, allowNonfinite: boolean): Float32Array {
  let first = 0;
  while (first < weights.length && Number.isFinite(weights[first])) first++;
  if (first === weights.length) return weights;
  if (allowNonfinite) return weights.map((weight) => (Number.isFinite(weight) ? weight : 0));
  throw new InputError(
    `tensor "${name}": the weight at [${Math.floor(first / columns)}, ${first % columns}] is ${weights[first]}; ` +
      "repair the checkpoint, or take such weights as 0 with --allow-nonfinite",
  );
}

/** The weights less their centers, and 0 in the outlier columns: what is left to be coded. A copy if anything changes. */
function subtractKept(
  weights: Float32Array,
  columns: number,
  blockSize: number,
  centers: Float16Array | null,
  outliers: OutlierColumns | null,
): Float32Array {
  if (!centers && !outliers) return weights;
  const rest = weights.slice();
  if (centers) {
    const perBlock = centers.length > 1;
    for (let i = 0; i < rest.length; i++) rest[i] -= centers[perBlock ? Math.floor(i / blockSize) : 0];
  }
  if (outliers) {
    for (let start = 0; start < rest.length; start += columns) {
      for (const column of outliers.columns) rest[start + column] = 0;
    }
  }
  return rest;
}
