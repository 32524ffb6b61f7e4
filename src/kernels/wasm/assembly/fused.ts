// The matrix product while generating, by 4-bit weights: codes become float32 in registers and meet the activations there.
// For rows of whole groups in blocks of multiples of 64, without centers or outliers; matvec.ts has all others.
//
// A vector of four words holds eight positions of four lanes (codes.ts). Its bytes, turned to [byte][lane], have positions
// 0, 2, 4, 6 in their low halves and 1, 3, 5, 7 in the high ones; the first four are one block of 64, the others the next.

import { absmaxOf, K_BIT, Weight } from "./weight";
import { BYTES_OF_15, turnedBytes, word4 } from "./constants";
import { lookUp, multiplyAdd } from "./relaxed";
import { sum4 } from "./math";

const PLANES: usize = 1024;

/** Whether `multiplyFused` takes a matrix; it depends on nothing else, so that its products are always summed alike. */
export function isFused(weight: Weight): bool {
  return (
    weight.kind == K_BIT && weight.bits == 4 && weight.columns % 512 == 0 && weight.blockSize % 64 == 0 &&
    weight.centerKind == 0 && weight.outlierCount == 0
  );
}

// @ts-ignore: decorator
@inline
function lowBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function highBytes(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// @ts-ignore: decorator
@inline
function lowPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function highPairs(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** Sum of products of a row with one vector. `index` is the row's first weight. */
function dotOne(weight: Weight, index: usize, x: usize): f32 {
  const table = weight.table + PLANES;
  const p = v128.load(table), q = v128.load(table, 32), r = v128.load(table, 64), s = v128.load(table, 96);
  const mask = word4(BYTES_OF_15), order = turnedBytes();
  const end = index + weight.columns;
  let codes = weight.data + (index >> 1);
  let sums = f32x4.splat(0);
  for (; index < end; index += 128, x += 512) {
    // Of the lower and the upper block, even and odd positions apart, as sums wait for one another.
    let low = f32x4.splat(0), high = low, lowOdd = low, highOdd = low;
    for (let lanes = 0; lanes < 4; lanes++, codes += 16, x += 16) {
      const v = i8x16.swizzle(v128.load(codes), order);
      let i = v128.and(v, mask);
      let a = lookUp(p, i), b = lookUp(q, i), c = lookUp(r, i), d = lookUp(s, i);
      let ab = lowBytes(a, b), cd = lowBytes(c, d);
      low = multiplyAdd(lowPairs(ab, cd), v128.load(x), low);
      low = multiplyAdd(highPairs(ab, cd), v128.load(x, 128), low);
      ab = highBytes(a, b), cd = highBytes(c, d);
      high = multiplyAdd(lowPairs(ab, cd), v128.load(x, 256), high);
      high = multiplyAdd(highPairs(ab, cd), v128.load(x, 384), high);
      i = v128.and(i16x8.shr_u(v, 4), mask);
      a = lookUp(p, i), b = lookUp(q, i), c = lookUp(r, i), d = lookUp(s, i);
      ab = lowBytes(a, b), cd = lowBytes(c, d);
      lowOdd = multiplyAdd(lowPairs(ab, cd), v128.load(x, 64), lowOdd);
      lowOdd = multiplyAdd(highPairs(ab, cd), v128.load(x, 192), lowOdd);
      ab = highBytes(a, b), cd = highBytes(c, d);
      highOdd = multiplyAdd(lowPairs(ab, cd), v128.load(x, 320), highOdd);
      highOdd = multiplyAdd(highPairs(ab, cd), v128.load(x, 448), highOdd);
    }
    x -= 64;
    sums = multiplyAdd(f32x4.add(low, lowOdd), f32x4.splat(absmaxOf(weight, index / weight.blockSize)), sums);
    sums = multiplyAdd(f32x4.add(high, highOdd), f32x4.splat(absmaxOf(weight, (index + 64) / weight.blockSize)), sums);
  }
  return sum4(sums);
}

/** Rows `first` to `last - 1` of `out (tokens, rows) = x (tokens, columns) . weight + bias`, row by row for each token. */
export function multiplyFused(out: usize, x: usize, weight: Weight, bias: usize, tokens: usize, first: usize, last: usize): void {
  const rows = <usize>weight.rows;
  const columns = <usize>weight.columns;
  for (let row = first; row < last; row++) {
    for (let t: usize = 0; t < tokens; t++) {
      const sum = dotOne(weight, row * columns, x + t * columns * 4);
      store<f32>(out + (t * rows + row) * 4, bias ? sum + load<f32>(bias + row * 4) : sum);
    }
  }
}
