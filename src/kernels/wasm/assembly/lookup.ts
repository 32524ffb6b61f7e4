// Groups of 2 to 5 bits a code (codes.ts): codebooks of at most 16 entries by one swizzle a byte plane, of 32 by two.

import { BYTES_OF_15, BYTES_OF_16, BYTES_OF_3, MASK_3_BITS, MASK_5_BITS, turnedBytes, word4 } from "./constants";

const PLANES: usize = 1024;

/** Half of one byte plane of the codebook: 16 entries. */
// @ts-ignore: decorator
@inline
function plane(table: usize, byte: usize, half: usize): v128 {
  return v128.load(table + PLANES + byte * 32 + half * 16);
}

/** The code at bit `shift` of each word. */
// @ts-ignore: decorator
@inline
function pick(word: v128, shift: i32, mask: v128): v128 {
  return v128.and(i32x4.shr_u(word, shift), mask);
}

/** Codes of four positions, one a word, as bytes [position][lane]. */
// @ts-ignore: decorator
@inline
function join(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(a, b), i16x8.narrow_i32x4_u(c, d));
}

/**
 * Stores 16 values given as byte planes [position][lane], positions `step` apart, each times the scale of its position:
 * `scales` points at the first one's.
 */
// @ts-ignore: decorator
@inline
function emit(to: usize, scales: usize, step: usize, a: v128, b: v128, c: v128, d: v128): void {
  const abLow = v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const abHigh = v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const cdLow = v128.shuffle<u8>(c, d, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const cdHigh = v128.shuffle<u8>(c, d, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  const first = v128.shuffle<u16>(abLow, cdLow, 0, 8, 1, 9, 2, 10, 3, 11);
  const second = v128.shuffle<u16>(abLow, cdLow, 4, 12, 5, 13, 6, 14, 7, 15);
  const third = v128.shuffle<u16>(abHigh, cdHigh, 0, 8, 1, 9, 2, 10, 3, 11);
  const fourth = v128.shuffle<u16>(abHigh, cdHigh, 4, 12, 5, 13, 6, 14, 7, 15);
  v128.store(to, f32x4.mul(first, v128.load_splat<f32>(scales)));
  v128.store(to + 64 * step, f32x4.mul(second, v128.load_splat<f32>(scales + 4 * step)));
  v128.store(to + 128 * step, f32x4.mul(third, v128.load_splat<f32>(scales + 8 * step)));
  v128.store(to + 192 * step, f32x4.mul(fourth, v128.load_splat<f32>(scales + 12 * step)));
}

// 2 bits: 16 positions a word, four in each byte.
export function decode2(codes: usize, to: usize, table: usize, scales: usize): void {
  const p = plane(table, 0, 0), q = plane(table, 1, 0), r = plane(table, 2, 0), s = plane(table, 3, 0);
  const mask = word4(BYTES_OF_3), order = turnedBytes();
  for (let word: usize = 0; word < 2; word++, to += 960, scales += 64) {
    for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
      const v = i8x16.swizzle(v128.load(codes), order);
      const a = v128.and(v, mask);
      emit(to, scales, 4, i8x16.swizzle(p, a), i8x16.swizzle(q, a), i8x16.swizzle(r, a), i8x16.swizzle(s, a));
      const b = v128.and(i16x8.shr_u(v, 2), mask);
      emit(to + 64, scales + 4, 4, i8x16.swizzle(p, b), i8x16.swizzle(q, b), i8x16.swizzle(r, b), i8x16.swizzle(s, b));
      const c = v128.and(i16x8.shr_u(v, 4), mask);
      emit(to + 128, scales + 8, 4, i8x16.swizzle(p, c), i8x16.swizzle(q, c), i8x16.swizzle(r, c), i8x16.swizzle(s, c));
      const d = v128.and(i16x8.shr_u(v, 6), mask);
      emit(to + 192, scales + 12, 4, i8x16.swizzle(p, d), i8x16.swizzle(q, d), i8x16.swizzle(r, d), i8x16.swizzle(s, d));
    }
  }
}

// 4 bits: 8 positions a word, two in each byte.
export function decode4(codes: usize, to: usize, table: usize, scales: usize): void {
  const p = plane(table, 0, 0), q = plane(table, 1, 0), r = plane(table, 2, 0), s = plane(table, 3, 0);
  const mask = word4(BYTES_OF_15), order = turnedBytes();
  for (let word: usize = 0; word < 4; word++, to += 448, scales += 32) {
    for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
      const v = i8x16.swizzle(v128.load(codes), order);
      const a = v128.and(v, mask);
      emit(to, scales, 2, i8x16.swizzle(p, a), i8x16.swizzle(q, a), i8x16.swizzle(r, a), i8x16.swizzle(s, a));
      const b = v128.and(i16x8.shr_u(v, 4), mask);
      emit(to + 64, scales + 4, 2, i8x16.swizzle(p, b), i8x16.swizzle(q, b), i8x16.swizzle(r, b), i8x16.swizzle(s, b));
    }
  }
}

/** Positions `place` to `place + 3` of four lanes, 3 bits each. */
// @ts-ignore: decorator
@inline
function emit3(to: usize, scales: usize, place: usize, index: v128, p: v128, q: v128, r: v128, s: v128): void {
  const at = to + 64 * place, by = scales + 4 * place;
  emit(at, by, 1, i8x16.swizzle(p, index), i8x16.swizzle(q, index), i8x16.swizzle(r, index), i8x16.swizzle(s, index));
}

// 3 bits: 10 positions a word; positions 30 and 31 in the 3 x 2 bits left over.
export function decode3(codes: usize, to: usize, table: usize, scales: usize): void {
  const p = plane(table, 0, 0), q = plane(table, 1, 0), r = plane(table, 2, 0), s = plane(table, 3, 0);
  const m = word4(MASK_3_BITS);
  for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
    const a = v128.load(codes), b = v128.load(codes, 64), c = v128.load(codes, 128);
    const ab = v128.or(i32x4.shr_u(a, 30), i32x4.shl(i32x4.shr_u(b, 30), 2));
    const spill = v128.or(ab, i32x4.shl(i32x4.shr_u(c, 30), 4));
    emit3(to, scales, 0, join(v128.and(a, m), pick(a, 3, m), pick(a, 6, m), pick(a, 9, m)), p, q, r, s);
    emit3(to, scales, 4, join(pick(a, 12, m), pick(a, 15, m), pick(a, 18, m), pick(a, 21, m)), p, q, r, s);
    emit3(to, scales, 8, join(pick(a, 24, m), pick(a, 27, m), v128.and(b, m), pick(b, 3, m)), p, q, r, s);
    emit3(to, scales, 12, join(pick(b, 6, m), pick(b, 9, m), pick(b, 12, m), pick(b, 15, m)), p, q, r, s);
    emit3(to, scales, 16, join(pick(b, 18, m), pick(b, 21, m), pick(b, 24, m), pick(b, 27, m)), p, q, r, s);
    emit3(to, scales, 20, join(v128.and(c, m), pick(c, 3, m), pick(c, 6, m), pick(c, 9, m)), p, q, r, s);
    emit3(to, scales, 24, join(pick(c, 12, m), pick(c, 15, m), pick(c, 18, m), pick(c, 21, m)), p, q, r, s);
    emit3(to, scales, 28, join(pick(c, 24, m), pick(c, 27, m), v128.and(spill, m), i32x4.shr_u(spill, 3)), p, q, r, s);
  }
}

/** An entry of a 32-byte plane. A swizzle gives 0 for an index past 15, so one of the two is 0. */
// @ts-ignore: decorator
@inline
function lookUp5(table: usize, byte: usize, index: v128, past: v128): v128 {
  return v128.or(i8x16.swizzle(plane(table, byte, 0), index), i8x16.swizzle(plane(table, byte, 1), past));
}

/** Positions `place` to `place + 3` of four lanes, 5 bits each. */
// @ts-ignore: decorator
@inline
function emit5(to: usize, scales: usize, place: usize, index: v128, sixteen: v128, table: usize): void {
  const past = i8x16.sub(index, sixteen);
  const a = lookUp5(table, 0, index, past), b = lookUp5(table, 1, index, past);
  const c = lookUp5(table, 2, index, past), d = lookUp5(table, 3, index, past);
  emit(to + 64 * place, scales + 4 * place, 1, a, b, c, d);
}

// 5 bits: 6 positions a word; positions 30 and 31 in the 5 x 2 bits left over.
export function decode5(codes: usize, to: usize, table: usize, scales: usize): void {
  const m = word4(MASK_5_BITS), s = word4(BYTES_OF_16);
  for (let lanes = 0; lanes < 4; lanes++, codes += 16, to += 16) {
    const a = v128.load(codes), b = v128.load(codes, 64), c = v128.load(codes, 128);
    const d = v128.load(codes, 192), e = v128.load(codes, 256);
    const ab = v128.or(i32x4.shr_u(a, 30), i32x4.shl(i32x4.shr_u(b, 30), 2));
    const cd = v128.or(i32x4.shl(i32x4.shr_u(c, 30), 4), i32x4.shl(i32x4.shr_u(d, 30), 6));
    const spill = v128.or(v128.or(ab, cd), i32x4.shl(i32x4.shr_u(e, 30), 8));
    emit5(to, scales, 0, join(v128.and(a, m), pick(a, 5, m), pick(a, 10, m), pick(a, 15, m)), s, table);
    emit5(to, scales, 4, join(pick(a, 20, m), pick(a, 25, m), v128.and(b, m), pick(b, 5, m)), s, table);
    emit5(to, scales, 8, join(pick(b, 10, m), pick(b, 15, m), pick(b, 20, m), pick(b, 25, m)), s, table);
    emit5(to, scales, 12, join(v128.and(c, m), pick(c, 5, m), pick(c, 10, m), pick(c, 15, m)), s, table);
    emit5(to, scales, 16, join(pick(c, 20, m), pick(c, 25, m), v128.and(d, m), pick(d, 5, m)), s, table);
    emit5(to, scales, 20, join(pick(d, 10, m), pick(d, 15, m), pick(d, 20, m), pick(d, 25, m)), s, table);
    emit5(to, scales, 24, join(v128.and(e, m), pick(e, 5, m), pick(e, 10, m), pick(e, 15, m)), s, table);
    emit5(to, scales, 28, join(pick(e, 20, m), pick(e, 25, m), v128.and(spill, m), i32x4.shr_u(spill, 5)), s, table);
  }
}
