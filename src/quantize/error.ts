// How far a quantized matrix is from the weights it came of, and how well its codes are used.

import { unpackCodes } from "./pack.ts";
import { dequantize } from "./quantize.ts";
import type { QuantizedTensor } from "./quantized.ts";

/** The error of a quantized matrix and the use of its codes. */
export interface QuantizationError {
  /** `sum (w - w')^2 / sum w^2`; 0 for a matrix of zeros that stayed so. */
  readonly normalizedMse: number;
  /** `max |w - w'|`. */
  readonly maxError: number;
  /** Share of the 2^k codes that occur, outlier columns apart. */
  readonly codesUsed: number;
  /** Entropy of the codes in bits, at most k, outlier columns apart. */
  readonly entropy: number;
}

/**
 * Compares a quantized matrix with its weights. A weight that is not finite counts as the 0 it was taken for.
 *
 * @param weights - as they were given to `quantize`
 */
export function measureError(weights: Float32Array, tensor: QuantizedTensor): QuantizationError {
  const restored = dequantize(tensor);
  let [squares, errorSquares, maxError] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    const weight = Number.isFinite(weights[i]) ? weights[i] : 0;
    const error = Math.abs(weight - restored[i]);
    squares += weight * weight;
    errorSquares += error * error;
    if (error > maxError) maxError = error;
  }
  const normalizedMse = errorSquares === 0 ? 0 : errorSquares / squares;
  return { normalizedMse, maxError, ...measureCodeUse(tensor) };
}

function measureCodeUse({ shape, spec, codes, outliers }: QuantizedTensor): { codesUsed: number; entropy: number } {
  const [rows, columns] = shape;
  const all = unpackCodes(codes, spec.bits, rows * columns);
  const counts = new Float64Array(2 ** spec.bits);
  for (const code of all) counts[code]++;
  for (const column of outliers?.columns ?? []) {
    for (let row = 0; row < rows; row++) counts[all[row * columns + column]]--;
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  const used = counts.filter((count) => count > 0);
  // log2(total / count) of a single code is exactly 0.
  const entropy = used.reduce((sum, count) => sum + (count / total) * Math.log2(total / count), 0);
  return { codesUsed: used.length / counts.length, entropy };
}
