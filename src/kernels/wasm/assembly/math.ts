// Elementwise functions, four values at a time; relative errors stay below 1e-6.

/** Polynomial of `tail4`, fitted to exp(x^2 / 2) P(Z > x) / t for t = 1 / (1 + x / 4), constant first. */
const T0: f32 = 0.09974632915891421;
const T1: f32 = 0.0995214661630263;
const T2: f32 = 0.09528779302563761;
const T3: f32 = 0.07301311171281162;
const T4: f32 = 0.08385033677392621;
const T5: f32 = 0.01773637705519194;
const T6: f32 = 0.02260889638838234;
const T7: f32 = 0.05588097992616684;
const T8: f32 = -0.06453780944558635;
const T9: f32 = 0.01689252355128843;

// @ts-ignore: decorator
@inline
function fma4(a: v128, b: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(a, b), f32x4.splat(c));
}

/** exp(hi + lo), where lo is a small correction of hi. Overflows to infinity, underflows through subnormals to 0. */
// @ts-ignore: decorator
@inline
export function exp4(hi: v128, lo: v128): v128 {
  const x = f32x4.max(f32x4.min(hi, f32x4.splat(89)), f32x4.splat(-104));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.4426950408889634)));
  // n ln 2 in two parts; the first has so few bits that its product is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.add(f32x4.add(r, f32x4.mul(n, f32x4.splat(2.1219444005469058e-4))), lo);
  let p = f32x4.splat(1.0 / 5040.0);
  p = fma4(p, r, 1.0 / 720.0);
  p = fma4(p, r, 1.0 / 120.0);
  p = fma4(p, r, 1.0 / 24.0);
  p = fma4(p, r, 1.0 / 6.0);
  p = fma4(p, r, 0.5);
  p = fma4(p, r, 1);
  p = fma4(p, r, 1);
  // 2^n as the product of two powers, so that neither leaves the normal range.
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  const first = i32x4.shl(i32x4.add(half, i32x4.splat(127)), 23);
  const second = i32x4.shl(i32x4.add(i32x4.sub(whole, half), i32x4.splat(127)), 23);
  return f32x4.mul(f32x4.mul(p, first), second);
}

/** P(Z > |x|) of the normal distribution. */
// @ts-ignore: decorator
@inline
function tail4(x: v128): v128 {
  const a = f32x4.min(f32x4.abs(x), f32x4.splat(15));
  const t = f32x4.div(f32x4.splat(1), fma4(a, f32x4.splat(0.25), 1));
  let p = f32x4.splat(T9);
  p = fma4(p, t, T8);
  p = fma4(p, t, T7);
  p = fma4(p, t, T6);
  p = fma4(p, t, T5);
  p = fma4(p, t, T4);
  p = fma4(p, t, T3);
  p = fma4(p, t, T2);
  p = fma4(p, t, T1);
  p = fma4(p, t, T0);
  // a^2 in two parts: the square of its upper 12 bits is exact.
  const top = v128.and(a, i32x4.splat(0xfffff000));
  const rest = f32x4.mul(f32x4.sub(a, top), f32x4.add(a, top));
  const e = exp4(f32x4.mul(f32x4.mul(top, top), f32x4.splat(-0.5)), f32x4.mul(rest, f32x4.splat(-0.5)));
  return f32x4.mul(f32x4.mul(p, t), e);
}

// @ts-ignore: decorator
@inline
function sigmoid4(x: v128): v128 {
  const e = exp4(f32x4.neg(x), f32x4.splat(0));
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), e));
}

// @ts-ignore: decorator
@inline
export function relu4(x: v128): v128 {
  return f32x4.max(x, f32x4.splat(0));
}

/** x P(Z <= x). */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  const tail = tail4(x);
  const share = v128.bitselect(tail, f32x4.sub(f32x4.splat(1), tail), f32x4.lt(x, f32x4.splat(0)));
  return f32x4.mul(x, share);
}

/** x (1 + tanh u) / 2 = x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3). */
// @ts-ignore: decorator
@inline
export function geluTanh4(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  const inner = f32x4.add(x, f32x4.mul(cube, f32x4.splat(0.044715)));
  return f32x4.mul(x, sigmoid4(f32x4.mul(inner, f32x4.splat(1.5957691216057308))));
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

/** The sums of four vectors, each as `sum4` has it. */
// @ts-ignore: decorator
@inline
export function sums4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}
