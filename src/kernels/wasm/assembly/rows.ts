// Operations on rows of activations: norms, head placement with rotary positions, gathering, and elementwise ones.

import { gelu4, geluTanh4, relu4, silu4, sum4, tanh4 } from "./math";

/** `(x - mean) / sqrt(variance + epsilon) * gain + bias` of one row; a null bias is 0. */
export function layerNormRow(out: usize, x: usize, width: usize, gain: usize, bias: usize, epsilon: f32): void {
  const mean = <f32>(sumShifted(x, width, 0, false) / <f64>width);
  const variance = sumShifted(x, width, mean, true) / <f64>width;
  normalize(out, x, width, mean, <f32>(1 / Math.sqrt(variance + <f64>epsilon)), gain, bias);
}

/** `x / sqrt(mean(x^2) + epsilon) * gain` of one row. */
export function rmsNormRow(out: usize, x: usize, width: usize, gain: usize, epsilon: f32): void {
  const square = sumShifted(x, width, 0, true) / <f64>width;
  normalize(out, x, width, 0, <f32>(1 / Math.sqrt(square + <f64>epsilon)), gain, 0);
}

/** Sum of x - shift, or of its square, in four partial sums. */
function sumShifted(x: usize, width: usize, shift: f32, squared: bool): f64 {
  const s = f32x4.splat(shift);
  let sums = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 4 <= width; i += 4) {
    const d = f32x4.sub(v128.load(x + i * 4), s);
    sums = f32x4.add(sums, squared ? f32x4.mul(d, d) : d);
  }
  let sum = <f64>sum4(sums);
  for (; i < width; i++) {
    const d = <f64>(load<f32>(x + i * 4) - shift);
    sum += squared ? d * d : d;
  }
  return sum;
}

function normalize(out: usize, x: usize, width: usize, mean: f32, scale: f32, gain: usize, bias: usize): void {
  let i: usize = 0;
  for (; i + 4 <= width; i += 4) {
    let v = f32x4.mul(f32x4.sub(v128.load(x + i * 4), f32x4.splat(mean)), f32x4.splat(scale));
    v = f32x4.mul(v, v128.load(gain + i * 4));
    if (bias) v = f32x4.add(v, v128.load(bias + i * 4));
    v128.store(out + i * 4, v);
  }
  for (; i < width; i++) {
    const v = (load<f32>(x + i * 4) - mean) * scale * load<f32>(gain + i * 4);
    store<f32>(out + i * 4, bias ? v + load<f32>(bias + i * 4) : v);
  }
}

/**
 * Copies one token's heads from a fused row to its slot; the first `rotary` values of each head turn by `turns`,
 * the token's cosines (rotary / 2), then its sines (rotary / 2).
 */
export function placeRow(out: usize, x: usize, heads: usize, headSize: usize, stride: usize, rotary: usize, turns: usize): void {
  const half = rotary >> 1;
  for (let h: usize = 0; h < heads; h++, x += stride * 4, out += headSize * 4) {
    let i: usize = 0;
    for (; i + 4 <= half; i += 4) {
      const cos = v128.load(turns + i * 4), sin = v128.load(turns + (half + i) * 4);
      const a = v128.load(x + i * 4), b = v128.load(x + (half + i) * 4);
      v128.store(out + i * 4, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
      v128.store(out + (half + i) * 4, f32x4.add(f32x4.mul(b, cos), f32x4.mul(a, sin)));
    }
    for (; i < half; i++) {
      const cos = load<f32>(turns + i * 4), sin = load<f32>(turns + (half + i) * 4);
      const a = load<f32>(x + i * 4), b = load<f32>(x + (half + i) * 4);
      store<f32>(out + i * 4, a * cos - b * sin);
      store<f32>(out + (half + i) * 4, b * cos + a * sin);
    }
    memory.copy(out + rotary * 4, x + rotary * 4, (headSize - rotary) * 4);
  }
}

/** `x[i] = f(x[i])` in place; `which`: 0 relu, 1 gelu, 2 geluTanh, 3 silu. The last few pass through a padded vector. */
export function activateSpan(x: usize, count: usize, which: u32): void {
  const end = x + (count & ~3) * 4;
  if (which == 0) for (let at = x; at < end; at += 16) v128.store(at, relu4(v128.load(at)));
  else if (which == 1) for (let at = x; at < end; at += 16) v128.store(at, gelu4(v128.load(at)));
  else if (which == 2) for (let at = x; at < end; at += 16) v128.store(at, geluTanh4(v128.load(at)));
  else for (let at = x; at < end; at += 16) v128.store(at, silu4(v128.load(at)));
  for (let at = end; at < x + count * 4; at += 4) {
    const v = v128.load_splat<f32>(at);
    const y = which == 0 ? relu4(v) : which == 1 ? gelu4(v) : which == 2 ? geluTanh4(v) : silu4(v);
    store<f32>(at, f32x4.extract_lane(y, 0));
  }
}

/** `out = a + b`. */
export function addSpan(out: usize, a: usize, b: usize, count: usize): void {
  let i: usize = 0;
  for (; i + 4 <= count; i += 4) v128.store(out + i * 4, f32x4.add(v128.load(a + i * 4), v128.load(b + i * 4)));
  for (; i < count; i++) store<f32>(out + i * 4, load<f32>(a + i * 4) + load<f32>(b + i * 4));
}

/** `out = a * b`. */
export function multiplySpan(out: usize, a: usize, b: usize, count: usize): void {
  let i: usize = 0;
  for (; i + 4 <= count; i += 4) v128.store(out + i * 4, f32x4.mul(v128.load(a + i * 4), v128.load(b + i * 4)));
  for (; i < count; i++) store<f32>(out + i * 4, load<f32>(a + i * 4) * load<f32>(b + i * 4));
}

/** `x = cap * tanh(x / cap)`. */
export function capSpan(x: usize, count: usize, cap: f32): void {
  const c = f32x4.splat(cap);
  const end = x + count * 4;
  for (; x + 16 <= end; x += 16) v128.store(x, f32x4.mul(c, tanh4(f32x4.div(v128.load(x), c))));
  for (; x < end; x += 4) store<f32>(x, f32x4.extract_lane(f32x4.mul(c, tanh4(f32x4.div(v128.load_splat<f32>(x), c))), 0));
}
