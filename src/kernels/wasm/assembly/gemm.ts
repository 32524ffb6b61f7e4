// The matrix product while scoring: eight rows are decoded into a panel that stays in the first cache and meets every
// token. One output is summed in one order, column by column in stretches of 512, so no tiling shows in its bits.

import { DENSE_F32, GROUP_SCRATCH, readRows, Weight } from "./weight";

const STRETCH: usize = 512; // columns at a time
const STRIP: usize = 8; // rows at a time
const PANEL: usize = GROUP_SCRATCH; // place in scratch of the panel, (512, 8), after the group being decoded
const DECODED: usize = PANEL + STRETCH * STRIP * 4; // place of the decoded rows, (8, 512)

/**
 * Rows `first` to `last - 1` of `x (tokens, columns) . weight + bias`; row r of token t goes to
 * `out + t * outStride + (r - first) * 4`, strides in bytes. Bias is null or points at the value of row `first`.
 */
export function multiplyTile(
  out: usize,
  outStride: usize,
  x: usize,
  weight: Weight,
  bias: usize,
  tokens: usize,
  first: usize,
  last: usize,
  scratch: usize,
): void {
  const columns = <usize>weight.columns;
  const panel = scratch + PANEL;
  for (let row = first; row < last; row += STRIP, out += STRIP * 4) {
    const count = min(STRIP, last - row);
    for (let from: usize = 0; from < columns; from += STRETCH) {
      const width = min(STRETCH, columns - from);
      fillPanel(weight, row, count, from, width, scratch);
      const start = bias ? bias + (row - first) * 4 : 0;
      const vectors = x + from * 4;
      if (count == STRIP) multiplyPanel(out, outStride, vectors, columns * 4, panel, width, tokens, from > 0, start);
      else multiplyNarrow(out, outStride, vectors, columns * 4, panel, width, tokens, from > 0, start, count);
    }
  }
}

/** Puts `count` rows of `width` columns into the panel, `(width, 8)`; missing rows are 0. */
function fillPanel(weight: Weight, row: usize, count: usize, from: usize, width: usize, scratch: usize): void {
  let rows = scratch + DECODED;
  let stride = width * 4;
  if (weight.kind == DENSE_F32 && count == STRIP) {
    rows = weight.data + (row * weight.columns + from) * 4;
    stride = <usize>weight.columns * 4;
  } else {
    readRows(weight, row, count, from, width, rows, scratch);
    memory.fill(rows + count * stride, 0, (STRIP - count) * stride);
  }
  transpose(rows, stride, scratch + PANEL, width);
  transpose(rows + 4 * stride, stride, scratch + PANEL + 16, width);
}

/** Four rows to columns of four, 32 bytes apart. */
function transpose(row: usize, stride: usize, to: usize, width: usize): void {
  let row1 = row + stride;
  let row2 = row1 + stride;
  let row3 = row2 + stride;
  const end = row + width * 4;
  for (; row + 16 <= end; row += 16, row1 += 16, row2 += 16, row3 += 16, to += 128) {
    const a = v128.load(row), b = v128.load(row1), c = v128.load(row2), d = v128.load(row3);
    const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5), abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5), cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(abLow, cdLow, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(abLow, cdLow, 2, 3, 6, 7), 32);
    v128.store(to, v128.shuffle<f32>(abHigh, cdHigh, 0, 1, 4, 5), 64);
    v128.store(to, v128.shuffle<f32>(abHigh, cdHigh, 2, 3, 6, 7), 96);
  }
  for (; row < end; row += 4, row1 += 4, row2 += 4, row3 += 4, to += 32) {
    v128.store(to, f32x4(load<f32>(row), load<f32>(row1), load<f32>(row2), load<f32>(row3)));
  }
}

/** Sums of a full strip: to `out`, on top of `start` (null: 0), or of what `out` holds (`more`). */
function multiplyPanel(
  out: usize,
  outStride: usize,
  x: usize,
  xStride: usize,
  panel: usize,
  width: usize,
  tokens: usize,
  more: bool,
  start: usize,
): void {
  let t: usize = 0;
  for (; t + 4 <= tokens; t += 4, x += 4 * xStride) {
    let x0 = x;
    let x1 = x0 + xStride;
    let x2 = x1 + xStride;
    let x3 = x2 + xStride;
    let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
    const end = panel + width * 32;
    for (let p = panel; p < end; p += 32, x0 += 4, x1 += 4, x2 += 4, x3 += 4) {
      const low = v128.load(p);
      const high = v128.load(p, 16);
      const s0 = v128.load_splat<f32>(x0);
      a = f32x4.add(a, f32x4.mul(s0, low));
      b = f32x4.add(b, f32x4.mul(s0, high));
      const s1 = v128.load_splat<f32>(x1);
      c = f32x4.add(c, f32x4.mul(s1, low));
      d = f32x4.add(d, f32x4.mul(s1, high));
      const s2 = v128.load_splat<f32>(x2);
      e = f32x4.add(e, f32x4.mul(s2, low));
      f = f32x4.add(f, f32x4.mul(s2, high));
      const s3 = v128.load_splat<f32>(x3);
      g = f32x4.add(g, f32x4.mul(s3, low));
      h = f32x4.add(h, f32x4.mul(s3, high));
    }
    put(out, a, b, more, start);
    out += outStride;
    put(out, c, d, more, start);
    out += outStride;
    put(out, e, f, more, start);
    out += outStride;
    put(out, g, h, more, start);
    out += outStride;
  }
  for (; t < tokens; t++, x += xStride, out += outStride) multiplyOne(out, x, panel, width, more, start);
}

/** The same for one token. */
function multiplyOne(out: usize, x: usize, panel: usize, width: usize, more: bool, start: usize): void {
  let a = f32x4.splat(0), b = a;
  const end = panel + width * 32;
  for (let p = panel; p < end; p += 32, x += 4) {
    const s = v128.load_splat<f32>(x);
    a = f32x4.add(a, f32x4.mul(s, v128.load(p)));
    b = f32x4.add(b, f32x4.mul(s, v128.load(p, 16)));
  }
  put(out, a, b, more, start);
}

// @ts-ignore: decorator
@inline
function put(out: usize, low: v128, high: v128, more: bool, start: usize): void {
  const from = more ? out : start;
  if (from) {
    low = f32x4.add(low, v128.load(from));
    high = f32x4.add(high, v128.load(from, 16));
  }
  v128.store(out, low);
  v128.store(out, high, 16);
}

/** A strip of fewer than eight rows: computed whole, beside `out`, and copied. */
function multiplyNarrow(
  out: usize,
  outStride: usize,
  x: usize,
  xStride: usize,
  panel: usize,
  width: usize,
  tokens: usize,
  more: bool,
  start: usize,
  count: usize,
): void {
  const strip = panel - PANEL; // the group being decoded is no longer needed
  const addend = strip + 32;
  const bytes = count * 4;
  for (let t: usize = 0; t < tokens; t++, x += xStride, out += outStride) {
    memory.fill(addend, 0, 32);
    if (more) memory.copy(addend, out, bytes);
    else if (start) memory.copy(addend, start, bytes);
    multiplyOne(strip, x, panel, width, false, addend);
    memory.copy(out, strip, bytes);
  }
}
