// Weights into the memory of the WASM kernels: the stored bytes as they are, and a descriptor of where they lie.

import { expandScales } from "../../quantize/blocks.ts";
import { packedBytes } from "../../quantize/pack.ts";
import { isQuantized, type QuantizedTensor } from "../../quantize/quantized.ts";
import { fromFloat32, toFloat32 } from "../../tensor/convert.ts";
import { storageTypes, type Tensor } from "../../tensor/tensor.ts";
import type { WasmMemory } from "./memory.ts";

/** One part of a weight in memory: bytes, and room behind them that a kernel may read. */
interface Part {
  readonly bytes: Uint8Array;
  readonly padding: number;
}

const denseKinds: Partial<Record<Tensor["type"], number>> = { F32: 0, F16: 1, BF16: 2 };
const quantizedKind = 3;
const descriptorFields = 14;

/**
 * Copies a matrix into one range of memory; the range begins with its descriptor, the fields of Weight in
 * assembly/weight.ts.
 *
 * @returns the address of the range
 */
export function storeWeight(memory: WasmMemory, weight: Tensor | QuantizedTensor): number {
  if (weight.shape.length !== 2) throw new Error(`loadWeight: ${weight.name} is not a matrix`);
  const [rows, columns] = weight.shape;
  if (rows * columns >= 2 ** 32) throw new Error(`loadWeight: ${weight.name} has 2^32 weights or more`);
  return isQuantized(weight) ? storeQuantized(memory, weight) : storeDense(memory, weight);
}

function storeDense(memory: WasmMemory, given: Tensor): number {
  const tensor = given.type in denseKinds ? given : fromFloat32(given.name, toFloat32(given), given.shape, "F32");
  const [rows, columns] = tensor.shape;
  if (tensor.bytes.length !== rows * columns * storageTypes[tensor.type].bytes) {
    throw new Error(`loadWeight: ${tensor.name} has ${tensor.bytes.length} bytes for a shape of ${tensor.shape}`);
  }
  const { address, places } = storeParts(memory, [{ bytes: tensor.bytes, padding: 0 }]);
  writeDescriptor(memory, address, [rows, columns, denseKinds[tensor.type] ?? 0, 0, places[0]]);
  return address;
}

function storeQuantized(memory: WasmMemory, tensor: QuantizedTensor): number {
  const [rows, columns] = tensor.shape;
  const { codes, codebook, blockSize, centers, outliers } = tensor;
  const { bits } = tensor.spec;
  const blocks = Math.ceil((rows * columns) / blockSize);
  const scales = tensor.absmax.kind === "double" ? expandScales(tensor.absmax) : tensor.absmax.values;
  const fits =
    codes.length >= packedBytes(rows * columns, bits) &&
    codebook.length <= 2 ** bits &&
    scales.length >= blocks &&
    (!centers || centers.length === 1 || centers.length >= blocks) &&
    (!outliers ||
      (outliers.values.length >= rows * outliers.columns.length &&
        outliers.columns.every((column, j) => column < columns && (j === 0 || column > outliers.columns[j - 1]))));
  if (!fits) throw new Error(`loadWeight: the parts of ${tensor.name} do not fit its shape (${rows}, ${columns})`);

  const { address, places } = storeParts(memory, [
    { bytes: codes, padding: 4 },
    { bytes: createTable(codebook), padding: 0 },
    { bytes: bytesOf(scales), padding: 0 },
    { bytes: bytesOf(Float32Array.from(centers ?? [])), padding: 0 },
    { bytes: bytesOf(outliers?.columns ?? new Uint32Array()), padding: 0 },
    { bytes: bytesOf(outliers?.values ?? new Float16Array()), padding: 0 },
  ]);
  writeDescriptor(memory, address, [
    rows,
    columns,
    quantizedKind,
    bits,
    places[0],
    places[1],
    blockSize,
    scales instanceof Float16Array ? 0 : 1,
    places[2],
    centers ? (centers.length === 1 ? 1 : 2) : 0,
    places[3],
    outliers?.columns.length ?? 0,
    places[4],
    places[5],
  ]);
  return address;
}

/** 256 values, then the four byte planes of the first 32 (assembly/codes.ts). */
function createTable(codebook: Float32Array): Uint8Array {
  const table = new Uint8Array(1024 + 4 * 32);
  table.set(bytesOf(codebook));
  for (let entry = 0; entry < 32; entry++) {
    for (let plane = 0; plane < 4; plane++) table[1024 + plane * 32 + entry] = table[entry * 4 + plane];
  }
  return table;
}

function storeParts(memory: WasmMemory, parts: Part[]): { address: number; places: number[] } {
  const align = (bytes: number) => Math.ceil(bytes / 64) * 64;
  let size = align(descriptorFields * 4);
  const offsets = parts.map(({ bytes, padding }) => {
    const offset = size;
    size += align(bytes.length + padding);
    return offset;
  });
  const address = memory.allocate(size);
  const places = offsets.map((offset) => address + offset);
  parts.forEach(({ bytes }, i) => {
    memory.bytes.set(bytes, places[i]);
  });
  return { address, places };
}

function writeDescriptor(memory: WasmMemory, address: number, fields: number[]): void {
  for (let i = 0; i < descriptorFields; i++) memory.words[address / 4 + i] = fields[i] ?? 0;
}

function bytesOf(values: Float32Array | Float16Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
