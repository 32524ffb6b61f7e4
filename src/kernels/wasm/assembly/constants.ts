// Vector constants that stand in memory. Engines build a vector constant anew at each use, in several instructions;
// loading it is one, and before a loop it is needed once.

const words = memory.data<u32>([
  0x0fffe000, 0x77800000, 0x0f800000, 0x7f800000, 0x80000000, // float16 to float32
  3, 7, 15, 31, 0x03030303, 0x0f0f0f0f, 0x10101010, // code masks and the size of a swizzle's table
  0xfffff000, 127, // exp4 and tail4
]);
const floats = memory.data<f32>([
  89, -104, 1.4426950408889634, 0.693359375, 2.1219444005469058e-4, // exp4
  0.0001984126984126984, 0.001388888888888889, 0.008333333333333333, 0.041666666666666664, 0.16666666666666666, 0.5, 1,
  // tail4: polynomial fitted to exp(x^2 / 2) P(Z > x) / t for t = 1 / (1 + x / 4), constant first
  0.09974632915891421, 0.0995214661630263, 0.09528779302563761, 0.07301311171281162, 0.08385033677392621,
  0.01773637705519194, 0.02260889638838234, 0.05588097992616684, -0.06453780944558635, 0.01689252355128843,
  15, 0.25, -0.5, 0.044715, 1.5957691216057308,
  12582912,
]);
const turned = memory.data<u8>([0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]);

/** Word `index` of the table above in all lanes. */
// @ts-ignore: decorator
@inline
export function word4(index: usize): v128 {
  return v128.load_splat<u32>(words + index * 4);
}

/** Float `index` of the table above in all lanes. */
// @ts-ignore: decorator
@inline
export function float4(index: usize): v128 {
  return v128.load_splat<f32>(floats + index * 4);
}

/** Byte order of a vector of words seen as [byte][lane]. */
// @ts-ignore: decorator
@inline
export function turnedBytes(): v128 {
  return v128.load(turned);
}
