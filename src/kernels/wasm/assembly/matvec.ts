// The matrix product while generating: every row of the weight is read once and multiplied with each token.
// One output is summed in one order: stretches of 2048 columns, each in 4 x 2 interleaved partial sums; or as fused.ts has it.

import { isFused, multiplyFused } from "./fused";
import { sum4, sums4 } from "./math";
import { DENSE_F32, GROUP_SCRATCH, readRows, Weight } from "./weight";

const STRETCH: usize = 2048; // columns at a time
const VALUES: usize = 4096; // float32 weights at a time, unless four rows are more: at most 32 KiB

/** Rows `first` to `last - 1` of `out (tokens, rows) = x (tokens, columns) . weight + bias`. */
export function multiplyRows(
  out: usize,
  x: usize,
  weight: Weight,
  bias: usize,
  tokens: usize,
  first: usize,
  last: usize,
  scratch: usize,
): void {
  if (isFused(weight)) {
    multiplyFused(out, x, weight, bias, tokens, first, last);
    return;
  }
  const rows = <usize>weight.rows;
  const columns = <usize>weight.columns;
  const perTurn = max((VALUES / min(columns, STRETCH)) & ~3, 4);
  for (let row = first; row < last; row += perTurn) {
    const count = min(perTurn, last - row);
    for (let from: usize = 0; from < columns; from += STRETCH) {
      const width = min(STRETCH, columns - from);
      let w = scratch + GROUP_SCRATCH;
      let stride = width * 4;
      if (weight.kind == DENSE_F32) {
        w = weight.data + (row * columns + from) * 4;
        stride = columns * 4;
      } else {
        readRows(weight, row, count, from, width, w, scratch);
      }
      for (let t: usize = 0; t < tokens; t++) {
        const vector = x + (t * columns + from) * 4;
        const to = out + (t * rows + row) * 4;
        addProducts(to, w, stride, count, vector, width, from > 0 ? to : bias ? bias + row * 4 : 0);
      }
    }
  }
}

/** `out[r] = w[r] . x + start[r]` for `count` rows; a null `start` is 0. */
function addProducts(out: usize, w: usize, stride: usize, count: usize, x: usize, width: usize, start: usize): void {
  let r: usize = 0;
  for (; r + 4 <= count; r += 4) {
    let sums = dot4(w + r * stride, stride, x, width);
    if (start) sums = f32x4.add(sums, v128.load(start + r * 4));
    v128.store(out + r * 4, sums);
  }
  for (; r < count; r++) {
    const sum = dot(w + r * stride, x, width);
    store<f32>(out + r * 4, start ? sum + load<f32>(start + r * 4) : sum);
  }
}

/** Products of four rows with x; each in the order of `dot`. */
function dot4(w: usize, stride: usize, x: usize, width: usize): v128 {
  let w1 = w + stride;
  let w2 = w1 + stride;
  let w3 = w2 + stride;
  let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  const end = x + width * 4;
  for (; x + 32 <= end; x += 32, w += 32, w1 += 32, w2 += 32, w3 += 32) {
    const low = v128.load(x);
    a = f32x4.add(a, f32x4.mul(low, v128.load(w)));
    b = f32x4.add(b, f32x4.mul(low, v128.load(w1)));
    c = f32x4.add(c, f32x4.mul(low, v128.load(w2)));
    d = f32x4.add(d, f32x4.mul(low, v128.load(w3)));
    const high = v128.load(x, 16);
    e = f32x4.add(e, f32x4.mul(high, v128.load(w, 16)));
    f = f32x4.add(f, f32x4.mul(high, v128.load(w1, 16)));
    g = f32x4.add(g, f32x4.mul(high, v128.load(w2, 16)));
    h = f32x4.add(h, f32x4.mul(high, v128.load(w3, 16)));
  }
  if (x + 16 <= end) {
    const low = v128.load(x);
    a = f32x4.add(a, f32x4.mul(low, v128.load(w)));
    b = f32x4.add(b, f32x4.mul(low, v128.load(w1)));
    c = f32x4.add(c, f32x4.mul(low, v128.load(w2)));
    d = f32x4.add(d, f32x4.mul(low, v128.load(w3)));
    x += 16; w += 16; w1 += 16; w2 += 16; w3 += 16;
  }
  let sums = sums4(f32x4.add(a, e), f32x4.add(b, f), f32x4.add(c, g), f32x4.add(d, h));
  for (; x < end; x += 4, w += 4, w1 += 4, w2 += 4, w3 += 4) {
    const column = f32x4(load<f32>(w), load<f32>(w1), load<f32>(w2), load<f32>(w3));
    sums = f32x4.add(sums, f32x4.mul(v128.load_splat<f32>(x), column));
  }
  return sums;
}

/** Sum of products of two vectors. */
function dot(w: usize, x: usize, width: usize): f32 {
  let a = f32x4.splat(0), e = a;
  const end = x + width * 4;
  for (; x + 32 <= end; x += 32, w += 32) {
    a = f32x4.add(a, f32x4.mul(v128.load(x), v128.load(w)));
    e = f32x4.add(e, f32x4.mul(v128.load(x, 16), v128.load(w, 16)));
  }
  if (x + 16 <= end) {
    a = f32x4.add(a, f32x4.mul(v128.load(x), v128.load(w)));
    x += 16; w += 16;
  }
  let sum = sum4(f32x4.add(a, e));
  for (; x < end; x += 4, w += 4) sum += load<f32>(x) * load<f32>(w);
  return sum;
}
