// Weights as addon.cpp takes them: dense ones in their storage type, k-bit ones as codes, scales and a codebook, in place.

import { expandAbsmax } from "../../quantize/blocks.ts";
import { unpackCodes } from "../../quantize/pack.ts";
import { isQuantized, type QuantizedTensor } from "../../quantize/quantized.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import { storageTypes, type Tensor } from "../../tensor/tensor.ts";
import type { ComputeType, KernelWeight } from "../kernels.ts";
import { type Addon, isAddonStorage, storageNumbers } from "./addon-node.ts";

/** A weight in the addon's memory. */
export interface NativeWeight extends KernelWeight {
  readonly matrix: object;
}

const codesStorage = 3;

/** Hands a stored matrix to the addon. */
export function createWeight(addon: Addon, weight: Tensor | QuantizedTensor, computeType: ComputeType): NativeWeight {
  if (weight.shape.length !== 2) throw new Error(`loadWeight: ${weight.name} is not a matrix`);
  const [rows, columns] = weight.shape;
  const [storage, ...parts] = isQuantized(weight) ? codesArrays(weight, computeType) : denseArrays(weight);
  return { rows, columns, matrix: addon.createMatrix(storage, rows, columns, ...parts) };
}

function denseArrays(tensor: Tensor): unknown[] {
  const { type, bytes } = tensor;
  if (!isAddonStorage(type)) return [storageNumbers.F32, new Uint8Array(toFloat32(tensor).buffer)];
  return [storageNumbers[type], bytes.byteOffset % storageTypes[type].bytes === 0 ? bytes : bytes.slice()];
}

function codesArrays(tensor: QuantizedTensor, computeType: ComputeType): unknown[] {
  const { codes, codebook, blockSize, centers, outliers, spec } = tensor;
  const [rows, columns] = tensor.shape;
  const whole = Math.floor((rows * columns) / 512);
  const tail = unpackCodes(codes.subarray(whole * 64 * spec.bits), spec.bits, rows * columns - whole * 512);
  // Padded, since sixteen codes are loaded at a time.
  const tailCodes = new Uint8Array(512);
  tailCodes.set(tail);
  const table = Float32Array.from(
    { length: 256 },
    (_, i) => codebook[Math.min(i % 2 ** spec.bits, codebook.length - 1)],
  );
  if (computeType === "bfloat16") roundToBfloat16(table);
  return [
    codesStorage,
    codes,
    tailCodes,
    blockSize,
    tensor.absmax.kind === "float16" ? bitsOf(tensor.absmax.values) : expandAbsmax(tensor),
    centers && Float32Array.from(centers),
    spec.bits,
    outliers?.columns,
    outliers && bitsOf(outliers.values),
    table,
  ];
}

const bitsOf = ({ buffer, byteOffset, length }: Float16Array) => new Uint16Array(buffer, byteOffset, length);

/** In place, to nearest even. */
function roundToBfloat16(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  bits.forEach((b, i) => {
    bits[i] = ((b + 0x7fff + ((b >>> 16) & 1)) & 0xffff0000) >>> 0;
  });
}
