// A weight matrix in memory, dense or k-bit, and how stretches of it become float32.
// Every product goes through `readRows`: a few rows at a time, into a scratch that stays in the first caches.

import { decodeGroup, decodeTail } from "./codes";
import { half, widenBrains, widenHalves } from "./half";

/** Scratch to decode a group in. */
export const GROUP_SCRATCH: usize = 64 + 128 + 2048;

export const DENSE_F32 = 0;
export const DENSE_F16 = 1;
export const DENSE_BF16 = 2;
export const K_BIT = 3;

/** What the host writes for a weight; the fields are 32 bits each, in the order of weight.ts on the host's side. */
@unmanaged
export class Weight {
  rows: u32;
  columns: u32;
  kind: u32;
  bits: u32;
  data: usize; // dense values, or codes
  table: usize; // codebook and its planes, as codes.ts has them
  blockSize: u32;
  scaleKind: u32; // 0: float16, 1: float32
  scales: usize; // (blocks)
  centerKind: u32; // 0: none, 1: one for the tensor, 2: one a block
  centers: usize; // float32 (1 or blocks)
  outlierCount: u32;
  outlierColumns: usize; // u32 (outlierCount), ascending
  outlierValues: usize; // float16 (rows, outlierCount)
}

/** Writes weights `index` to `index + count - 1` of the flattened matrix to `to`; outlier columns are not put in. */
function readSpan(weight: Weight, index: usize, count: usize, to: usize, scratch: usize): void {
  if (weight.kind == DENSE_F32) memory.copy(to, weight.data + index * 4, count * 4);
  else if (weight.kind == DENSE_F16) widenHalves(weight.data + index * 2, to, count);
  else if (weight.kind == DENSE_BF16) widenBrains(weight.data + index * 2, to, count);
  else readCodes(weight, index, count, to, scratch);
}

/**
 * The same of a k-bit matrix, group by group. A group that the span covers in part is decoded in `scratch`. Blocks of
 * whole 16 weights are scaled while they are decoded, others and the ragged tail afterwards.
 */
function readCodes(weight: Weight, index: usize, count: usize, to: usize, scratch: usize): void {
  const grouped = (<usize>weight.rows * weight.columns) & ~511;
  const groupBytes: usize = 64 * <usize>weight.bits;
  const scales = scratch + 64;
  const decoded = scratch + 64 + 128;
  const scaled = weight.blockSize % 16 == 0 && weight.centerKind == 0;
  if (!scaled) for (let run: usize = 0; run < 128; run += 16) v128.store(scales + run, f32x4.splat(1));
  while (count > 0) {
    const group = index >> 9;
    const first = index & 511;
    let taken = count;
    if (index >= grouped) {
      decodeTail(weight.data + (grouped >> 9) * groupBytes, weight.bits, index - grouped, count, to, weight.table);
      scaleBlocks(weight, index, count, to);
    } else {
      taken = min<usize>(512 - first, count);
      const place = taken == 512 ? to : decoded;
      if (scaled) fillScales(weight, group << 9, scales);
      decodeGroup(weight.data + group * groupBytes, weight.bits, place, weight.table, scales, scratch);
      if (place != to) memory.copy(to, place + first * 4, taken * 4);
      if (!scaled) scaleBlocks(weight, index, taken, to);
    }
    index += taken;
    count -= taken;
    to += taken * 4;
  }
}

/** The absmax of a block. */
// @ts-ignore: decorator
@inline
export function absmaxOf(weight: Weight, block: usize): f32 {
  return weight.scaleKind == 0 ? half(load<u16>(weight.scales + block * 2)) : load<f32>(weight.scales + block * 4);
}

/** Absmax of each 16 weights of the group that begins at `index`, where blocks are whole 16 weights. */
function fillScales(weight: Weight, index: usize, scales: usize): void {
  const size = <usize>weight.blockSize;
  const end = scales + 128;
  let block = index / size;
  let left = (block + 1) * size - index; // weights until the next block
  while (scales < end) {
    const absmax = absmaxOf(weight, block);
    const last = min(scales + (left >> 2), end);
    for (; scales < last; scales += 4) store<f32>(scales, absmax);
    block++;
    left = size;
  }
}

/** `value * absmax + center`, block by block, in place. */
function scaleBlocks(weight: Weight, index: usize, count: usize, to: usize): void {
  const size = <usize>weight.blockSize;
  let block = index / size;
  let left = size - (index - block * size); // weights until the next block
  while (count > 0) {
    const taken = min(left, count);
    const absmax = absmaxOf(weight, block);
    const end = to + taken * 4;
    const a = f32x4.splat(absmax);
    const center: f32 =
      weight.centerKind == 0 ? 0 : load<f32>(weight.centers + (weight.centerKind == 1 ? 0 : block * 4));
    if (weight.centerKind == 0) {
      for (; to + 64 <= end; to += 64) {
        v128.store(to, f32x4.mul(v128.load(to), a));
        v128.store(to, f32x4.mul(v128.load(to, 16), a), 16);
        v128.store(to, f32x4.mul(v128.load(to, 32), a), 32);
        v128.store(to, f32x4.mul(v128.load(to, 48), a), 48);
      }
    } else {
      const c = f32x4.splat(center);
      for (; to + 16 <= end; to += 16) v128.store(to, f32x4.add(f32x4.mul(v128.load(to), a), c));
    }
    for (; to < end; to += 4) store<f32>(to, load<f32>(to) * absmax + center);
    count -= taken;
    left = size;
    block++;
  }
}

/** Overwrites outlier columns `from` to `from + count - 1` of one row with their float16 weights. */
function putOutliers(weight: Weight, row: usize, from: usize, count: usize, to: usize): void {
  const outliers = <usize>weight.outlierCount;
  const values = weight.outlierValues + row * outliers * 2;
  for (let j: usize = 0; j < outliers; j++) {
    const column = <usize>load<u32>(weight.outlierColumns + j * 4);
    if (column >= from + count) return;
    if (column >= from) store<f32>(to + (column - from) * 4, half(load<u16>(values + j * 2)));
  }
}

/**
 * Columns `from` to `from + count - 1` of rows `row` to `row + rows - 1` as float32 at `to`, `(rows, count)`.
 * `scratch` holds GROUP_SCRATCH bytes.
 */
export function readRows(weight: Weight, row: usize, rows: usize, from: usize, count: usize, to: usize, scratch: usize): void {
  const columns = <usize>weight.columns;
  if (count == columns) {
    readSpan(weight, row * columns, rows * columns, to, scratch);
  } else {
    for (let r: usize = 0; r < rows; r++) {
      readSpan(weight, (row + r) * columns + from, count, to + r * count * 4, scratch);
    }
  }
  if (weight.outlierCount == 0) return;
  for (let r: usize = 0; r < rows; r++) putOutliers(weight, row + r, from, count, to + r * count * 4);
}
