// Two instructions that relaxed SIMD makes cheaper. The kernels are compiled with it and without; module.ts picks the
// binary that the engine takes.

/** The bytes of a table of 16 at indices below 16. */
// @ts-ignore: decorator
@inline
export function lookUp(table: v128, index: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(table, index) : i8x16.swizzle(table, index);
}

/** `a * b + c`, rounded once or twice as the processor likes. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}
