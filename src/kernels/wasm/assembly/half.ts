// float16 and bfloat16 to float32, exactly, subnormals, infinities and NaN included. WASM has neither type.
//
// Exponent and mantissa of a float16, moved to their float32 places, make a float32 that is 2^112 too small.

import { HALF_FACTOR, HALF_MAGNITUDE, HALF_SPECIAL, INFINITY, SIGN, word4 } from "./constants";

/** One float16 value. */
// @ts-ignore: decorator
@inline
export function half(bits: u32): f32 {
  const magnitude = (bits & 0x7fff) << 13;
  const value = reinterpret<f32>(magnitude) * reinterpret<f32>(0x77800000);
  const special: u32 = magnitude >= 0x0f800000 ? 0x7f800000 : 0;
  return reinterpret<f32>(reinterpret<u32>(value) | special | ((bits & 0x8000) << 16));
}

/** `count` float16 values at `from` as float32 at `to`. */
export function widenHalves(from: usize, to: usize, count: usize): void {
  const end = to + (count & ~3) * 4;
  const magnitudes = word4(HALF_MAGNITUDE), factor = word4(HALF_FACTOR), firstSpecial = word4(HALF_SPECIAL);
  const infinity = word4(INFINITY), sign = word4(SIGN);
  for (; to < end; to += 16, from += 8) {
    const bits = v128.load_ext<i16>(from); // sign-extended
    const magnitude = v128.and(i32x4.shl(bits, 13), magnitudes);
    const value = f32x4.mul(magnitude, factor);
    const special = v128.and(i32x4.ge_s(magnitude, firstSpecial), infinity);
    v128.store(to, v128.or(v128.or(value, special), v128.and(bits, sign)));
  }
  for (let i: usize = 0; i < (count & 3); i++) store<f32>(to + 4 * i, half(load<u16>(from + 2 * i)));
}

/** `count` bfloat16 values at `from` as float32 at `to`. */
export function widenBrains(from: usize, to: usize, count: usize): void {
  const end = to + (count & ~3) * 4;
  for (; to < end; to += 16, from += 8) v128.store(to, i32x4.shl(v128.load_ext<u16>(from), 16));
  for (let i: usize = 0; i < (count & 3); i++) store<u32>(to + 4 * i, (<u32>load<u16>(from + 2 * i)) << 16);
}
