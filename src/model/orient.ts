// Brings a matrix as a checkpoint stores it into the form that the decoder computes with: (out, in), rows in the order of
// heads, rotary pairs half-split. The same for loading, quantizing and measuring units.

import { orderRows } from "../tensor/rows.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { transposeTensor } from "../tensor/transpose.ts";

/** How a stored matrix differs from the computed one (LinearLayer, MatrixRole). */
export interface Orientation {
  /** Stored as (in, out). */
  readonly transposed?: boolean;
  /** Row r is stored as row `rowOrder[r]`, `(rows)`; absent: the identity. */
  readonly rowOrder?: Int32Array;
}

/** The matrix `(out, in)` with its rows in order; itself where nothing is to be done. */
export function orientMatrix(stored: Tensor, { transposed, rowOrder }: Orientation): Tensor {
  const matrix = transposed ? transposeTensor(stored) : stored;
  return rowOrder ? orderRows(matrix, rowOrder) : matrix;
}
