// Softmax attention of one query head: scores of its keys, their exponentials, the weighted sum of values.
// Keys count from the prefix on, so the bits do not depend on what is shared and what is the query's own.

import { exp4, max4, sum4, sums4 } from "./math";
import { capSpan } from "./rows";

/** A run of cache slots that one query head reads. */
// @ts-ignore: decorator
@inline
function slotAt(base: usize, slot: usize, stride: usize): usize {
  return base + slot * stride;
}

/**
 * One token and head. `keys` and `values` point at the key head's part of slot 0; slots are `stride` bytes apart.
 * `span` is (prefixStart, prefixLength, ownStart, ownLength); `scores` holds their sum of lengths, rounded up to 4.
 */
export function attendHead(
  out: usize,
  query: usize,
  keys: usize,
  values: usize,
  stride: usize,
  headSize: usize,
  scale: f32,
  slope: f32,
  cap: f32,
  span: usize,
  scores: usize,
): void {
  const prefix = <usize>load<u32>(span, 4);
  const own = <usize>load<u32>(span, 12);
  const count = prefix + own;
  const prefixKeys = slotAt(keys, load<u32>(span), stride);
  const ownKeys = slotAt(keys, load<u32>(span, 8), stride);
  scoreKeys(scores, query, prefixKeys, stride, prefix, headSize, scale);
  scoreKeys(scores + prefix * 4, query, ownKeys, stride, own, headSize, scale);
  if (cap != 0) capSpan(scores, count, cap);
  if (slope != 0) {
    for (let j: usize = 0; j < count; j++) {
      store<f32>(scores + j * 4, load<f32>(scores + j * 4) - slope * <f32>(count - 1 - j));
    }
  }
  const total = exponentiate(scores, count);
  const prefixValues = slotAt(values, load<u32>(span), stride);
  const ownValues = slotAt(values, load<u32>(span, 8), stride);
  let i: usize = 0;
  for (; i + 16 <= headSize; i += 16) {
    sumValues16(out + i * 4, scores, prefixValues + i * 4, prefix, ownValues + i * 4, own, stride, total);
  }
  for (; i + 4 <= headSize; i += 4) {
    sumValues4(out + i * 4, scores, prefixValues + i * 4, prefix, ownValues + i * 4, own, stride, total);
  }
  for (; i < headSize; i++) {
    sumValues1(out + i * 4, scores, prefixValues + i * 4, prefix, ownValues + i * 4, own, stride, total);
  }
}

/** `scores[j] = scale * query . key j`, four keys at a time; each in the order of `dot`. */
function scoreKeys(scores: usize, query: usize, key: usize, stride: usize, count: usize, headSize: usize, scale: f32): void {
  let j: usize = 0;
  for (; j + 4 <= count; j += 4, key += 4 * stride) {
    let key0 = key, key1 = key0 + stride, key2 = key1 + stride, key3 = key2 + stride;
    let a = f32x4.splat(0), b = a, c = a, d = a;
    let q = query;
    const end = query + headSize * 4;
    for (; q + 16 <= end; q += 16, key0 += 16, key1 += 16, key2 += 16, key3 += 16) {
      const part = v128.load(q);
      a = f32x4.add(a, f32x4.mul(part, v128.load(key0)));
      b = f32x4.add(b, f32x4.mul(part, v128.load(key1)));
      c = f32x4.add(c, f32x4.mul(part, v128.load(key2)));
      d = f32x4.add(d, f32x4.mul(part, v128.load(key3)));
    }
    let sums = sums4(a, b, c, d);
    for (; q < end; q += 4, key0 += 4, key1 += 4, key2 += 4, key3 += 4) {
      const column = f32x4(load<f32>(key0), load<f32>(key1), load<f32>(key2), load<f32>(key3));
      sums = f32x4.add(sums, f32x4.mul(v128.load_splat<f32>(q), column));
    }
    v128.store(scores + j * 4, f32x4.mul(sums, f32x4.splat(scale)));
  }
  for (; j < count; j++, key += stride) store<f32>(scores + j * 4, dot(query, key, headSize) * scale);
}

function dot(query: usize, key: usize, headSize: usize): f32 {
  let a = f32x4.splat(0);
  const end = query + headSize * 4;
  for (; query + 16 <= end; query += 16, key += 16) a = f32x4.add(a, f32x4.mul(v128.load(query), v128.load(key)));
  let sum = sum4(a);
  for (; query < end; query += 4, key += 4) sum += load<f32>(query) * load<f32>(key);
  return sum;
}

/** `scores[j] = exp(scores[j] - largest)`; gives their sum. */
function exponentiate(scores: usize, count: usize): f32 {
  const end = scores + count * 4;
  for (let at = end; at < scores + ((count + 3) & ~3) * 4; at += 4) store<f32>(at, -Infinity);
  let largest = f32x4.splat(-Infinity);
  for (let at = scores; at < end; at += 16) largest = f32x4.pmax(v128.load(at), largest);
  const m = f32x4.splat(max4(largest));
  let sums = f32x4.splat(0);
  for (let at = scores; at < end; at += 16) {
    const e = exp4(f32x4.sub(v128.load(at), m), f32x4.splat(0));
    v128.store(at, e);
    sums = f32x4.add(sums, e);
  }
  return sum4(sums);
}

// The weighted sums of 16, 4 and 1 columns of the values: key after key, the prefix first.

function sumValues16(out: usize, p: usize, prefixRow: usize, prefix: usize, ownRow: usize, own: usize, stride: usize, total: f32): void {
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let row = prefixRow;
  let left = prefix;
  for (let run = 0; run < 2; run++) {
    for (; left > 0; left--, row += stride, p += 4) {
      const weight = v128.load_splat<f32>(p);
      a = f32x4.add(a, f32x4.mul(weight, v128.load(row)));
      b = f32x4.add(b, f32x4.mul(weight, v128.load(row, 16)));
      c = f32x4.add(c, f32x4.mul(weight, v128.load(row, 32)));
      d = f32x4.add(d, f32x4.mul(weight, v128.load(row, 48)));
    }
    row = ownRow;
    left = own;
  }
  const t = f32x4.splat(total);
  v128.store(out, f32x4.div(a, t));
  v128.store(out, f32x4.div(b, t), 16);
  v128.store(out, f32x4.div(c, t), 32);
  v128.store(out, f32x4.div(d, t), 48);
}

function sumValues4(out: usize, p: usize, prefixRow: usize, prefix: usize, ownRow: usize, own: usize, stride: usize, total: f32): void {
  let a = f32x4.splat(0);
  let row = prefixRow;
  let left = prefix;
  for (let run = 0; run < 2; run++) {
    for (; left > 0; left--, row += stride, p += 4) {
      a = f32x4.add(a, f32x4.mul(v128.load_splat<f32>(p), v128.load(row)));
    }
    row = ownRow;
    left = own;
  }
  v128.store(out, f32x4.div(a, f32x4.splat(total)));
}

function sumValues1(out: usize, p: usize, prefixRow: usize, prefix: usize, ownRow: usize, own: usize, stride: usize, total: f32): void {
  let a: f32 = 0;
  let row = prefixRow;
  let left = prefix;
  for (let run = 0; run < 2; run++) {
    for (; left > 0; left--, row += stride, p += 4) a += load<f32>(p) * load<f32>(row);
    row = ownRow;
    left = own;
  }
  store<f32>(out, a / total);
}
