// The reference's weights: any matrix, dense or k-bit, as rows of float32.
// Codes and scales are kept as the tensor has them; a row is decoded when it is used.

import { isQuantized, type QuantizedTensor } from "../quantize/quantized.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { KernelWeight } from "./kernels.ts";

/** A weight that writes one of its rows as float32 values into `row`, `(columns)`. */
export interface ReferenceWeight extends KernelWeight {
  readRow(index: number, row: Float32Array): void;
}

/** Wraps a stored matrix. Throws on a shape that is not `(rows, columns)` and on storage types that are no weights. */
export function createReferenceWeight(weight: Tensor | QuantizedTensor): ReferenceWeight {
  if (weight.shape.length !== 2) throw new Error(`loadWeight: ${weight.name} is not a matrix`);
  return isQuantized(weight) ? quantizedRows(weight) : denseRows(weight);
}

function denseRows(tensor: Tensor): ReferenceWeight {
  const [rows, columns] = tensor.shape;
  const values = readDense(tensor); // (rows, columns)
  return {
    rows,
    columns,
    readRow: (index, row) => row.set(values.subarray(index * columns, (index + 1) * columns)),
  };
}

function readDense({ name, type, shape, bytes }: Tensor): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(shape[0] * shape[1]);
  for (let i = 0; i < values.length; i++) {
    if (type === "F32") values[i] = view.getFloat32(4 * i, true);
    else if (type === "F16") values[i] = view.getFloat16(2 * i, true);
    else if (type === "BF16") values[i] = bfloat16(view.getUint16(2 * i, true));
    else throw new Error(`loadWeight: ${name} is stored as ${type}; weights are F32, F16 or BF16`);
  }
  return values;
}

const word = new Uint32Array(1);
const wordAsFloat = new Float32Array(word.buffer);
function bfloat16(bits: number): number {
  word[0] = bits * 65536;
  return wordAsFloat[0];
}

function quantizedRows(tensor: QuantizedTensor): ReferenceWeight {
  const [rows, columns] = tensor.shape;
  const { codebook, blockSize, centers, outliers } = tensor;
  const codes = unpackCodes(tensor.codes, tensor.spec.bits, rows * columns); // (rows * columns)
  const absmax = expandAbsmax(tensor); // (blocks)

  function readRow(index: number, row: Float32Array): void {
    for (let column = 0; column < columns; column++) {
      const i = index * columns + column;
      const block = Math.floor(i / blockSize);
      const center = centers ? centers[centers.length === 1 ? 0 : block] : 0;
      row[column] = Math.fround(codebook[codes[i]] * absmax[block]) + center;
    }
    if (!outliers) return;
    const count = outliers.columns.length;
    for (let j = 0; j < count; j++) row[outliers.columns[j]] = outliers.values[index * count + j];
  }
  return { rows, columns, readRow };
}

function expandAbsmax({ absmax }: QuantizedTensor): Float32Array {
  if (absmax.kind === "double")
    throw new Error("double-quantized scales: expandAbsmax of quantize/blocks.ts is awaited");
  return Float32Array.from(absmax.values);
}

function unpackCodes(packed: Uint8Array, bits: number, count: number): Uint8Array {
  const codes = new Uint8Array(count);
  const grouped = count - (count % 512);
  const perWord = Math.floor(32 / bits);
  const left = 32 - bits * perWord; // bits at the top of a word, and codes in them over all words of a lane
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < bits; b++) {
      let bit = grouped * bits + (i - grouped) * bits + b; // in the ragged tail: a plain bit stream
      if (i < grouped) {
        const lane = i % 16;
        const position = Math.floor((i % 512) / 16);
        const spill = (position - bits * perWord) * bits + b; // bit among the lane's left-over bits
        const inWord = spill < 0 ? Math.floor(position / perWord) : Math.floor(spill / left);
        const at = spill < 0 ? bits * (position % perWord) + b : bits * perWord + (spill % left);
        bit = 32 * (Math.floor(i / 512) * bits * 16 + inWord * 16 + lane) + at;
      }
      codes[i] |= ((packed[bit >> 3] >> (bit & 7)) & 1) << b;
    }
  }
  return codes;
}
