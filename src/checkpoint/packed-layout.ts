// The tensors that a quantized matrix NAME is in the safetensors file of a packed checkpoint:
//
//   NAME.absmax           F16 or F32 (blocks)      or, double-quantized:
//   NAME.absmax_scales    F32 (blocks / 256)       NAME.absmax_offset F32 (1)       NAME.absmax_codes U8 (blocks)
//   NAME.codebook         F16 (at most 2^k)        data types whose values depend on data
//   NAME.centers          F16 (1 or blocks)        centered specs
//   NAME.outlier_columns  I32 (count)              NAME.outlier_values F16 (rows, count)
//   NAME.codes            U8  (bytes)              exactly k bits a code, in the layout of pack.ts

import { blockSizeOf } from "../quantize/blocks.ts";
import { dataTypes } from "../quantize/data-types.ts";
import { packedBytes } from "../quantize/pack.ts";
import type { QuantizedTensor } from "../quantize/quantized.ts";
import type { QuantizedSpec } from "../quantize/spec.ts";
import type { StorageType, Tensor, TensorHeader } from "../tensor/tensor.ts";
import { countBytes } from "./safetensors.ts";

/**
 * The tensors that a quantized matrix is stored as, widest type first and the codes last.
 *
 * @param outliers - number of outlier columns
 * @param levels - number of values in the codebook
 */
export function describePacked(
  name: string,
  shape: readonly [number, number],
  spec: QuantizedSpec,
  outliers: number,
  levels: number,
): TensorHeader[] {
  const [rows, columns] = shape;
  const blocks = Math.ceil((rows * columns) / blockSizeOf(spec.block, shape));
  const parts: TensorHeader[] = [];
  const add = (part: string, type: StorageType, ...size: number[]) =>
    parts.push({ name: `${name}.${part}`, type, shape: size });
  if (spec.scales === "float32") add("absmax", "F32", blocks);
  if (spec.scales === "double") {
    add("absmax_scales", "F32", Math.ceil(blocks / 256));
    add("absmax_offset", "F32", 1);
  }
  if (outliers > 0) add("outlier_columns", "I32", outliers);
  if (spec.scales === "float16") add("absmax", "F16", blocks);
  if (dataTypes[spec.type].stored) add("codebook", "F16", levels);
  if (spec.center !== "none") add("centers", "F16", spec.center === "block" ? blocks : 1);
  if (outliers > 0) add("outlier_values", "F16", rows, outliers);
  if (spec.scales === "double") add("absmax_codes", "U8", blocks);
  add("codes", "U8", packedBytes(rows * columns, spec.bits));
  return parts;
}

/** The tensors that a quantized matrix is stored as, in the order of `describePacked`. */
export function packTensor(q: QuantizedTensor): Tensor[] {
  const values: Record<string, ArrayBufferView> = { codes: q.codes };
  if (q.absmax.kind === "double") {
    values.absmax_scales = q.absmax.scales;
    values.absmax_offset = Float32Array.of(q.absmax.offset);
    values.absmax_codes = q.absmax.codes;
  } else values.absmax = q.absmax.values;
  if (dataTypes[q.spec.type].stored) values.codebook = new Float16Array(q.codebook);
  if (q.centers) values.centers = q.centers;
  if (q.outliers) {
    values.outlier_columns = new Int32Array(q.outliers.columns);
    values.outlier_values = q.outliers.values;
  }
  const outliers = q.outliers?.columns.length ?? 0;
  return describePacked(q.name, q.shape, q.spec, outliers, q.codebook.length).map((header) => {
    const view = values[header.name.slice(q.name.length + 1)];
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (bytes.length !== countBytes(header))
      throw new Error(`${header.name} has ${bytes.length} bytes, expected ${countBytes(header)}`);
    return { ...header, bytes };
  });
}
