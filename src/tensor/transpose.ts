// Turns a stored matrix: GPT-2 stores linear layers as (in, out), everything downstream reads (out, in).

import { storageTypes, type Tensor } from "./tensor.ts";

/** Rows and columns of a square that is turned at once, so that both sides stay in the cache. */
const tile = 32;

/** The `(columns, rows)` transpose of a `(rows, columns)` tensor, in its storage type. */
export function transposeTensor(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape;
  const from = viewElements(tensor.bytes, storageTypes[tensor.type].bytes);
  const bytes = new Uint8Array(tensor.bytes.length);
  const to = viewElements(bytes, storageTypes[tensor.type].bytes);
  for (let top = 0; top < rows; top += tile) {
    const bottom = Math.min(rows, top + tile);
    for (let left = 0; left < columns; left += tile) {
      const right = Math.min(columns, left + tile);
      for (let c = left; c < right; c++) {
        for (let r = top; r < bottom; r++) to[c * rows + r] = from[r * columns + c];
      }
    }
  }
  return { name: tensor.name, type: tensor.type, shape: [columns, rows], bytes };
}

/** The values as bit patterns; of 8 bytes as float64, which only copies them. */
function viewElements(bytes: Uint8Array, size: number): Uint8Array | Uint16Array | Uint32Array | Float64Array {
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const count = bytes.length / size;
  if (size === 8) return new Float64Array(buffer, byteOffset, count);
  if (size === 4) return new Uint32Array(buffer, byteOffset, count);
  return size === 2 ? new Uint16Array(buffer, byteOffset, count) : new Uint8Array(buffer, byteOffset, count);
}
