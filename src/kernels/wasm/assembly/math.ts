// Elementwise functions, four values at a time; relative errors stay below 1e-6. Constants stand in constants.ts.

import { float4, word4 } from "./constants";

// @ts-ignore: decorator
@inline
function step(p: v128, x: v128, constant: usize): v128 {
  return f32x4.add(f32x4.mul(p, x), float4(constant));
}

/** exp(hi + lo), where lo is a small correction of hi. Overflows to infinity, underflows through subnormals to 0. */
// @ts-ignore: decorator
@inline
export function exp4(hi: v128, lo: v128): v128 {
  // pmin and pmax are single instructions; with x first they keep a NaN.
  const x = f32x4.pmax(f32x4.pmin(hi, float4(0)), float4(1));
  // Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits.
  const shifted = f32x4.add(f32x4.mul(x, float4(2)), float4(27));
  const n = f32x4.sub(shifted, float4(27));
  // n ln 2 in two parts; the first has so few bits that its product is exact.
  let r = f32x4.sub(x, f32x4.mul(n, float4(3)));
  r = f32x4.add(f32x4.add(r, f32x4.mul(n, float4(4))), lo);
  // The Taylor series to r^7, even and odd powers apart so that both halves proceed at once.
  const square = f32x4.mul(r, r);
  let odd = step(float4(5), square, 7);
  let even = step(float4(6), square, 8);
  odd = step(odd, square, 9);
  even = step(even, square, 10);
  odd = step(odd, square, 11);
  even = step(even, square, 11);
  const p = f32x4.add(even, f32x4.mul(odd, r));
  // 2^n as the product of two powers, so that neither leaves the normal range.
  const whole = i32x4.sub(shifted, float4(27));
  const half = i32x4.shr_s(whole, 1);
  const first = i32x4.shl(i32x4.add(half, word4(13)), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(whole, half), word4(13)), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** P(Z > |x|) of the normal distribution. */
// @ts-ignore: decorator
@inline
function tail4(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), float4(22));
  const t = f32x4.div(float4(11), step(a, float4(23), 11));
  const square = f32x4.mul(t, t);
  let odd = step(float4(21), square, 19);
  let even = step(float4(20), square, 18);
  odd = step(odd, square, 17);
  even = step(even, square, 16);
  odd = step(odd, square, 15);
  even = step(even, square, 14);
  odd = step(odd, square, 13);
  even = step(even, square, 12);
  const p = f32x4.add(even, f32x4.mul(odd, t));
  // a^2 in two parts: the square of its upper 12 bits is exact.
  const top = v128.and(a, word4(12));
  const rest = f32x4.mul(f32x4.sub(a, top), f32x4.add(a, top));
  const e = exp4(f32x4.mul(f32x4.mul(top, top), float4(24)), f32x4.mul(rest, float4(24)));
  return f32x4.mul(f32x4.mul(p, t), e);
}

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const e = exp4(f32x4.neg(x), f32x4.splat(0));
  return f32x4.div(float4(11), f32x4.add(float4(11), e));
}

// @ts-ignore: decorator
@inline
export function relu4(x: v128): v128 {
  return f32x4.pmax(x, f32x4.splat(0));
}

/** x P(Z <= x). */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  const tail = tail4(x);
  const share = v128.bitselect(tail, f32x4.sub(float4(11), tail), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.mul(x, share);
}

/** x (1 + tanh u) / 2 = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3). */
// @ts-ignore: decorator
@inline
export function geluTanh4(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  const inner = f32x4.add(x, f32x4.mul(cube, float4(25)));
  return f32x4.mul(x, sigmoid4(f32x4.mul(inner, float4(26))));
}

// @ts-ignore: decorator
@inline
export function silu4(x: v128): v128 {
  return f32x4.mul(x, sigmoid4(x));
}

/** The sum of the four values, (0 + 2) + (1 + 3). */
// @ts-ignore: decorator
@inline
export function sum4(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 2) + (f32x4.extract_lane(v, 1) + f32x4.extract_lane(v, 3));
}

/** The largest of the four values. */
// @ts-ignore: decorator
@inline
export function max4(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** The sums of four vectors, each as `sum4` has it. */
// @ts-ignore: decorator
@inline
export function sums4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}
