// What a quantization costs: the bits that are stored, and the paper's nominal bits per parameter.

import { dataTypes } from "./data-types.ts";
import type { BlockScales, QuantizedTensor } from "./quantized.ts";
import type { MatrixSpec } from "./spec.ts";

/** Bits of a quantized matrix by what they hold. */
export interface TensorSize {
  readonly codes: number;
  readonly absmax: number;
  /** 0 where the spec text alone determines the codebook. */
  readonly codebook: number;
  /** Column numbers (32 bits) and weights (16 bits). */
  readonly outliers: number;
  readonly centers: number;
  readonly total: number;
}

/** Bits that a quantized matrix takes: 8 times the bytes of what a packed checkpoint stores of it. */
export function measureSize({ spec, codes, absmax, codebook, outliers, centers }: QuantizedTensor): TensorSize {
  const parts = {
    codes: 8 * codes.length,
    absmax: bitsOfScales(absmax),
    codebook: dataTypes[spec.type].stored ? 16 * codebook.length : 0,
    outliers: outliers ? 32 * outliers.columns.length + 16 * outliers.values.length : 0,
    centers: centers ? 16 * centers.length : 0,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bits) => sum + bits, 0) };
}

/** A double-quantized absmax takes 8 bits a block, 32 for each 256 blocks, and the offset's 32. */
function bitsOfScales(scales: BlockScales): number {
  if (scales.kind === "float16") return 16 * scales.values.length;
  if (scales.kind === "float32") return 32 * scales.values.length;
  return 8 * scales.codes.length + 32 * scales.scales.length + 32;
}

/**
 * Nominal bits per quantized parameter, `k + s / B + p (16 - k)`: s is 16, or 32 for `a32`, 8 + 32 / 256 for `dq`, and 16
 * more for block centers. The costs that do not grow with the matrix are left out, as in the paper; so is a whole
 * tensor's absmax.
 *
 * @param columns - input width of the matrix, for `brow`; without it a row's absmax is left out too
 * @see Dettmers and Zettlemoyer (arXiv 2212.09720), sections 2.3 and 3
 */
export function nominalBits(spec: MatrixSpec, columns = Infinity): number {
  if (spec.kind === "baseline") return spec.type === "fp32" ? 32 : 16;
  const { bits, block, scales, center, proxy } = spec;
  const blockSize = block === "tensor" ? Infinity : block === "row" ? columns : block;
  const scaleBits = { float16: 16, float32: 32, double: 8 + 32 / 256 }[scales] + (center === "block" ? 16 : 0);
  return bits + scaleBits / blockSize + ((proxy?.percent ?? 0) / 100) * (16 - bits);
}
