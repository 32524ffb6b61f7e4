// A matrix with its rows in another order.

import { storageTypes, type Tensor } from "./tensor.ts";

/** Row r of the result is row `order[r]` of `tensor`, whose first dimension counts the rows (or values of a vector). */
export function orderRows(tensor: Tensor, order: Int32Array): Tensor {
  const width = tensor.shape.slice(1).reduce((product, size) => product * size, 1);
  const rowBytes = width * storageTypes[tensor.type].bytes;
  const bytes = new Uint8Array(tensor.bytes.length);
  order.forEach((row, r) => {
    bytes.set(tensor.bytes.subarray(row * rowBytes, (row + 1) * rowBytes), r * rowBytes);
  });
  return { ...tensor, bytes };
}
