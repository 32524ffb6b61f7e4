// What quantization does to one matrix, as numbers to draw: how its weights lie between the codebook's values, the error
// block by block, and the deviation of each input column with those that stay in 16 bits. Nothing of a page.

import {
  type Checkpoint,
  columnDeviations,
  dequantize,
  expandAbsmax,
  InputError,
  isQuantized,
  measureError,
  measureSize,
  parseSpec,
  planQuantization,
  type QuantizedTensor,
  quantizeCheckpoint,
  type Spec,
  toFloat32,
  unpackCodes,
} from "../src/index.ts";

/** One matrix at one spec. */
export interface Inspection {
  readonly name: string;
  readonly shape: readonly [number, number];
  readonly blockSize: number;
  /** Weights by their value as a share of their block's absmax, in even bins over [-1, 1]; outlier columns left out. */
  readonly histogram: Uint32Array; // (bins)
  readonly codebook: Float32Array; // (at most 2^k)
  /** Weights that each code stands for, outlier columns left out. */
  readonly codeCounts: Uint32Array; // (codebook)
  /** `sqrt(sum (w - w')^2 / sum w^2)` of each block; 0 for a block of zeros. */
  readonly blockErrors: Float32Array; // (blocks)
  readonly columnDeviations: Float64Array; // (columns)
  readonly outlierColumns: Uint32Array;
  /** Of the whole matrix. */
  readonly normalizedMse: number;
  readonly maxError: number;
  readonly entropy: number;
  readonly bitsPerWeight: number;
}

const bins = 121;

/**
 * Quantizes a matrix as a study would, and measures it.
 *
 * @throws InputError if the spec is a baseline, leaves the matrix as it is, or the checkpoint is quantized already
 */
export async function inspectMatrix(checkpoint: Checkpoint, spec: Spec, name: string): Promise<Inspection> {
  if (checkpoint.spec !== undefined)
    throw new InputError(`${checkpoint.source} is quantized already; look at the original.`);
  if (spec.kind === "baseline")
    throw new InputError(`${spec.type} quantizes nothing; name a k-bit spec such as nf4:b64.`);
  const planned = planQuantization(checkpoint, spec).find(({ role }) => role.name === name);
  if (planned === undefined) throw new InputError(`${checkpoint.source} has no matrix ${name}.`);
  if (!planned.isQuantized) throw new InputError(`This spec leaves ${name} as it is: ${planned.reason}.`);
  const original = await quantizeCheckpoint(checkpoint, parseSpec("stored")).read(name); // every matrix as (out, in)
  const quantized = await quantizeCheckpoint(checkpoint, spec).read(name);
  if (isQuantized(original) || !isQuantized(quantized)) throw new Error(`${name} was not quantized`);
  const weights = toFloat32(original);
  const { normalizedMse, maxError, entropy } = measureError(weights, quantized);
  return {
    name,
    shape: quantized.shape,
    blockSize: quantized.blockSize,
    ...countWeights(weights, quantized),
    codebook: quantized.codebook,
    blockErrors: measureBlocks(weights, quantized),
    columnDeviations: columnDeviations(weights, quantized.shape),
    outlierColumns: quantized.outliers?.columns ?? new Uint32Array(),
    normalizedMse,
    maxError,
    entropy,
    bitsPerWeight: measureSize(quantized).total / weights.length,
  };
}

function countWeights(weights: Float32Array, quantized: QuantizedTensor) {
  const { shape, spec, blockSize, centers, outliers, codebook } = quantized;
  const codes = unpackCodes(quantized.codes, spec.bits, weights.length);
  const absmax = expandAbsmax(quantized);
  const isOutlier = new Uint8Array(shape[1]);
  for (const column of outliers?.columns ?? []) isOutlier[column] = 1;
  const histogram = new Uint32Array(bins);
  const codeCounts = new Uint32Array(codebook.length);
  for (let i = 0; i < weights.length; i++) {
    if (isOutlier[i % shape[1]]) continue;
    const block = Math.floor(i / blockSize);
    const center = centers === null ? 0 : centers[centers.length === 1 ? 0 : block];
    const share = absmax[block] === 0 ? 0 : (weights[i] - center) / absmax[block];
    const bin = Math.floor(((share + 1) / 2) * bins);
    histogram[Math.min(bins - 1, Math.max(0, bin))]++; // a rounded absmax lets a weight stand a little beyond 1
    codeCounts[codes[i]]++;
  }
  return { histogram, codeCounts };
}

function measureBlocks(weights: Float32Array, quantized: QuantizedTensor): Float32Array {
  const restored = dequantize(quantized);
  const { blockSize } = quantized;
  const errors = new Float32Array(Math.ceil(weights.length / blockSize));
  for (let block = 0; block < errors.length; block++) {
    const end = Math.min((block + 1) * blockSize, weights.length);
    let [squares, errorSquares] = [0, 0];
    for (let i = block * blockSize; i < end; i++) {
      squares += weights[i] ** 2;
      errorSquares += (weights[i] - restored[i]) ** 2;
    }
    errors[block] = squares === 0 ? 0 : Math.sqrt(errorSquares / squares);
  }
  return errors;
}
