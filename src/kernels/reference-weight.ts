// The reference's weights: any matrix, dense or k-bit, as rows of float32.
// Codes and scales are kept apart as the tensor has them; a row is decoded when it is used.

import { expandAbsmax } from "../quantize/blocks.ts";
import { unpackCodes } from "../quantize/pack.ts";
import { isQuantized, type QuantizedTensor } from "../quantize/quantized.ts";
import { toFloat32 } from "../tensor/convert.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { KernelWeight } from "./kernels.ts";

/** A weight that writes one of its rows as float32 values into `row`, `(columns)`. */
export interface ReferenceWeight extends KernelWeight {
  readRow(index: number, row: Float32Array): void;
}

/** Wraps a stored matrix. Throws on a shape that is not `(rows, columns)`. */
export function createReferenceWeight(weight: Tensor | QuantizedTensor): ReferenceWeight {
  if (weight.shape.length !== 2) throw new Error(`loadWeight: ${weight.name} is not a matrix`);
  return isQuantized(weight) ? quantizedRows(weight) : denseRows(weight);
}

function denseRows(tensor: Tensor): ReferenceWeight {
  const [rows, columns] = tensor.shape;
  const values = toFloat32(tensor); // (rows, columns)
  return {
    rows,
    columns,
    readRow: (index, row) => row.set(values.subarray(index * columns, (index + 1) * columns)),
  };
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
