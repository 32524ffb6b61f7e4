// Quantization by the addon: the loops of quantize/ over all weights (largest magnitudes, codes, counts for quantiles) in
// C++, straight from float16, bfloat16 or float32, on the addon's threads. quantize/quantize.ts is the meaning; what it is
// asked that is not done here (weights that are not finite, the estimator `sram`) and all checks are left to it.

import { blockSizeOf, expandScales, storeScales } from "../../quantize/blocks.ts";
import type { RankedValues } from "../../quantize/codebooks/order-statistics.ts";
import { buildCodebook } from "../../quantize/data-types.ts";
import { findMidpoints, findZeroCode } from "../../quantize/nearest.ts";
import { packedBytes } from "../../quantize/pack.ts";
import { type BlockCoding, prepareBlocks, quantize } from "../../quantize/quantize.ts";
import type { QuantizedTensor } from "../../quantize/quantized.ts";
import type { ThreadedQuantizer } from "../../quantize/threads-node.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import { storageTypes, type Tensor } from "../../tensor/tensor.ts";
import {
  type AddonQuantizer,
  type AddonStorage,
  chooseInstructionSet,
  isAddonStorage,
  loadAddon,
  storageNumbers,
} from "./addon-node.ts";

/** Weights as the addon reads them, wherever they begin. */
interface StoredWeights {
  readonly bytes: Uint8Array;
  readonly type: AddonStorage;
  readonly count: number;
}

/** Weights that are coded before others of this thread have their turn; whole groups. */
const rangeWeights = 2 ** 24;

/**
 * A quantizer on the addon's threads.
 *
 * @param threads - the caller's included
 * @param instructionSet - `avx512`, `avx2` or `portable`; default: the fastest of this processor
 * @throws InputError if the addon is missing or the processor lacks the instruction set
 */
export function createNativeQuantizer(threads: number, instructionSet?: string): ThreadedQuantizer {
  const addon = loadAddon();
  const native = new addon.Quantizer(chooseInstructionSet(addon.listInstructionSets(), instructionSet), threads);
  return {
    threads,
    async quantize(weights, shape, spec, options = {}) {
      const stored = storedWeights(weights);
      const reference = () => (weights instanceof Float32Array ? weights : toFloat32(weights));
      if (options.outlierColumns?.length || spec.center !== "none") {
        const { tensor, rest, coding } = prepareBlocks(reference(), shape, spec, options);
        return { ...tensor, codes: await encode(native, storedWeights(rest)!, coding) };
      }
      const absmax =
        stored?.count === shape[0] * shape[1] ? measure(native, stored, blockSizeOf(spec.block, shape)) : null;
      if (!stored || !absmax || spec.estimator === "sram") return quantize(reference(), shape, spec, options);

      const { name = "weights" } = options;
      const tensor: Omit<QuantizedTensor, "codes"> = {
        name,
        shape,
        spec,
        codebook: buildCodebook(spec, rankWeights(native, stored)),
        blockSize: blockSizeOf(spec.block, shape),
        absmax: storeScales(absmax, spec.scales, name),
        centers: null,
        outliers: null,
      };
      const coding = { ...tensor, bits: spec.bits, absmax: expandScales(tensor.absmax) };
      return { ...tensor, codes: await encode(native, stored, coding) };
    },
    async close() {
      native.close();
    },
  };
}

function storedWeights(weights: Float32Array | Tensor): StoredWeights | undefined {
  const [type, array] = weights instanceof Float32Array ? (["F32", weights] as const) : [weights.type, weights.bytes];
  if (!isAddonStorage(type) || array.byteLength === 0 || array.byteLength % storageTypes[type].bytes !== 0)
    return undefined;
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return { bytes, type, count: bytes.length / storageTypes[type].bytes };
}

/** The largest magnitude of each block, or null if a weight is not finite. */
function measure(native: AddonQuantizer, { bytes, type, count }: StoredWeights, blockSize: number) {
  const absmax = new Float32Array(Math.ceil(count / blockSize));
  return native.measureAbsmax(absmax, bytes, storageNumbers[type], blockSize) ? absmax : null;
}

/** Packed codes of all weights, range by range. */
async function encode(native: AddonQuantizer, weights: StoredWeights, coding: BlockCoding): Promise<Uint8Array> {
  const { bytes, type, count } = weights;
  const { bits, codebook, blockSize, absmax } = coding;
  const midpoints = new Float64Array(256).fill(Infinity);
  midpoints.set(findMidpoints(codebook));
  const zeroCode = findZeroCode(midpoints);
  const codes = new Uint8Array(packedBytes(count, bits));
  for (let from = 0; from < count; from += rangeWeights) {
    if (from > 0) await new Promise(setImmediate);
    const to = Math.min(from + rangeWeights, count);
    native.encode(codes, bytes, storageNumbers[type], from, to, bits, blockSize, absmax, midpoints, zeroCode);
  }
  return codes;
}

/** Weights for quantiles: 16-bit ones are counted value by value, float32 ones by their leading bits. */
function rankWeights(native: AddonQuantizer, { bytes, type, count }: StoredWeights): RankedValues {
  const keyBits = type === "F32" ? 32 : 16;
  return {
    length: count,
    keyBits,
    valueOf: (word) => toFloat32({ name: "", type, shape: [1], bytes: wordBytes(word, keyBits) })[0],
    countDigits(slots, slotCount, shift, digitBits) {
      const counts = new Uint32Array(slotCount * 2 ** digitBits);
      native.countDigits(counts, bytes, storageNumbers[type], slots, shift, digitBits);
      return counts;
    },
  };
}

function wordBytes(word: number, bits: 16 | 32): Uint8Array {
  const values = bits === 16 ? Uint16Array.of(word) : Uint32Array.of(word);
  return new Uint8Array(values.buffer);
}
