// Elementwise functions, four values at a time; relative errors stay below 1e-6. Constants stand in constants.ts.

import {
  EXPONENT_BIAS,
  float4,
  GELU_CUBE,
  GELU_FACTOR,
  INVERSE_FACTORIAL,
  LARGEST_EXPONENT,
  LN2_REST,
  LN2_UPPER,
  LOG2_E,
  MINUS_HALF,
  ONE,
  QUARTER,
  ROUNDER,
  SMALLEST_EXPONENT,
  TAIL,
  TAIL_END,
  UPPER_12_BITS,
  word4,
} from "./constants";

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
  const x = f32x4.pmax(f32x4.pmin(hi, float4(LARGEST_EXPONENT)), float4(SMALLEST_EXPONENT));
  const shifted = f32x4.add(f32x4.mul(x, float4(LOG2_E)), float4(ROUNDER));
  const n = f32x4.sub(shifted, float4(ROUNDER));
  let r = f32x4.sub(x, f32x4.mul(n, float4(LN2_UPPER)));
  r = f32x4.add(f32x4.add(r, f32x4.mul(n, float4(LN2_REST))), lo);
  // The Taylor series to r^7, even and odd powers apart so that both halves proceed at once.
  const square = f32x4.mul(r, r);
  let odd = step(float4(INVERSE_FACTORIAL + 7), square, INVERSE_FACTORIAL + 5);
  let even = step(float4(INVERSE_FACTORIAL + 6), square, INVERSE_FACTORIAL + 4);
  odd = step(odd, square, INVERSE_FACTORIAL + 3);
  even = step(even, square, INVERSE_FACTORIAL + 2);
  odd = step(odd, square, INVERSE_FACTORIAL + 1);
  even = step(even, square, INVERSE_FACTORIAL);
  const p = f32x4.add(even, f32x4.mul(odd, r));
  // 2^n as the product of two powers, so that neither leaves the normal range.
  const whole = i32x4.sub(shifted, float4(ROUNDER));
  const half = i32x4.shr_s(whole, 1);
  const first = i32x4.shl(i32x4.add(half, word4(EXPONENT_BIAS)), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(whole, half), word4(EXPONENT_BIAS)), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** P(Z > |x|) of the normal distribution. */
// @ts-ignore: decorator
@inline
function tail4(x: v128): v128 {
  const a = f32x4.pmin(f32x4.abs(x), float4(TAIL_END));
  const t = f32x4.div(float4(ONE), step(a, float4(QUARTER), ONE));
  const square = f32x4.mul(t, t);
  let odd = step(float4(TAIL + 9), square, TAIL + 7);
  let even = step(float4(TAIL + 8), square, TAIL + 6);
  odd = step(odd, square, TAIL + 5);
  even = step(even, square, TAIL + 4);
  odd = step(odd, square, TAIL + 3);
  even = step(even, square, TAIL + 2);
  odd = step(odd, square, TAIL + 1);
  even = step(even, square, TAIL);
  const p = f32x4.add(even, f32x4.mul(odd, t));
  // a^2 in two parts: the square of its upper 12 bits is exact.
  const top = v128.and(a, word4(UPPER_12_BITS));
  const rest = f32x4.mul(f32x4.sub(a, top), f32x4.add(a, top));
  const e = exp4(f32x4.mul(f32x4.mul(top, top), float4(MINUS_HALF)), f32x4.mul(rest, float4(MINUS_HALF)));
  return f32x4.mul(f32x4.mul(p, t), e);
}

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const e = exp4(f32x4.neg(x), f32x4.splat(0));
  return f32x4.div(float4(ONE), f32x4.add(float4(ONE), e));
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
  const share = v128.bitselect(tail, f32x4.sub(float4(ONE), tail), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.mul(x, share);
}

/** x (1 + tanh u) / 2 = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3). */
// @ts-ignore: decorator
@inline
export function geluTanh4(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  const inner = f32x4.add(x, f32x4.mul(cube, float4(GELU_CUBE)));
  return f32x4.mul(x, sigmoid4(f32x4.mul(inner, float4(GELU_FACTOR))));
}

// @ts-ignore: decorator
@inline
export function silu4(x: v128): v128 {
  return f32x4.mul(x, sigmoid4(x));
}

/** tanh x = 2 sigmoid(2 x) - 1, to 2^-23 of 1. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const s = sigmoid4(f32x4.add(x, x));
  return f32x4.sub(f32x4.add(s, s), float4(ONE));
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
