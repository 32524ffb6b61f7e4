// Vector constants that stand in memory. Engines build a vector constant anew at each use, in several instructions;
// loading it is one, and before a loop it is needed once.

const words = memory.data<u32>([
  0x0fffe000, 0x77800000, 0x0f800000, 0x7f800000, 0x80000000, 7, 31, 0x03030303, 0x0f0f0f0f, 0x10101010, 0xfffff000, 127,
]);
// Places in `words`.
export const HALF_MAGNITUDE: usize = 0; // exponent and mantissa of a float16 where a float32 has them
export const HALF_FACTOR: usize = 1; // 2^112 as a float32
export const HALF_SPECIAL: usize = 2; // from here on a moved magnitude is infinity or NaN
export const INFINITY: usize = 3;
export const SIGN: usize = 4;
export const MASK_3_BITS: usize = 5;
export const MASK_5_BITS: usize = 6;
export const BYTES_OF_3: usize = 7;
export const BYTES_OF_15: usize = 8;
export const BYTES_OF_16: usize = 9;
export const UPPER_12_BITS: usize = 10; // of a float32's mantissa, and sign and exponent
export const EXPONENT_BIAS: usize = 11;

const floats = memory.data<f32>([
  1, 1, 0.5, 0.16666666666666666, 0.041666666666666664, 0.008333333333333333, 0.001388888888888889,
  0.0001984126984126984, 89, -104, 1.4426950408889634, 0.693359375, 2.1219444005469058e-4, 12582912,
  0.09974632915891421, 0.0995214661630263, 0.09528779302563761, 0.07301311171281162, 0.08385033677392621,
  0.01773637705519194, 0.02260889638838234, 0.05588097992616684, -0.06453780944558635, 0.01689252355128843,
  15, 0.25, -0.5, 0.044715, 1.5957691216057308,
]);
// Places in `floats`.
export const INVERSE_FACTORIAL: usize = 0; // of 0 to 7
export const ONE: usize = 0;
export const LARGEST_EXPONENT: usize = 8; // beyond it exp is infinite
export const SMALLEST_EXPONENT: usize = 9; // below it exp is 0
export const LOG2_E: usize = 10;
export const LN2_UPPER: usize = 11; // few enough bits that its product with a small whole number is exact
export const LN2_REST: usize = 12; // LN2_UPPER - ln 2
export const ROUNDER: usize = 13; // 1.5 * 2^23: adding it rounds to a whole number and leaves that in the low bits
export const TAIL: usize = 14; // 10 coefficients, constant first: exp(x^2 / 2) P(Z > x) / t, t = 1 / (1 + x / 4)
export const TAIL_END: usize = 24; // the largest x of that fit
export const QUARTER: usize = 25;
export const MINUS_HALF: usize = 26;
export const GELU_CUBE: usize = 27;
export const GELU_FACTOR: usize = 28; // 2 sqrt(2 / pi)

const turned = memory.data<u8>([0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);

/** A word of the table in all lanes. */
// @ts-ignore: decorator
@inline
export function word4(place: usize): v128 {
  return v128.load_splat<u32>(words + place * 4);
}

/** A float of the table in all lanes. */
// @ts-ignore: decorator
@inline
export function float4(place: usize): v128 {
  return v128.load_splat<f32>(floats + place * 4);
}

/** Byte order of a vector of words seen as [byte][lane]. */
// @ts-ignore: decorator
@inline
export function turnedBytes(): v128 {
  return v128.load(turned);
}
