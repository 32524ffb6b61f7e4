// Packed k-bit checkpoints: a safetensors file in which a quantized matrix is several tensors (packed-layout.ts) and whose metadata
// tells the spec (packed-metadata.ts), so that it loads without the original. Here they are opened, and nothing in them is believed
// before it is checked; write-packed-node.ts writes them.

import { InputError } from "../input-error.ts";
import { blockSizeOf } from "../quantize/blocks.ts";
import { buildCodebook, dataTypes } from "../quantize/data-types.ts";
import { hasHighestCode, unpackCodes } from "../quantize/pack.ts";
import type { BlockScales, OutlierColumns, QuantizedTensor } from "../quantize/quantized.ts";
import type { QuantizedSpec } from "../quantize/spec.ts";
import { findInMix } from "../quantize/spec-mix.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import type { TensorHeader } from "../tensor/tensor.ts";
import type { Folder, TensorFile } from "./bytes.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { describePacked } from "./packed-layout.ts";
import { parsePackedMetadata } from "./packed-metadata.ts";
import { readTextFile } from "./shards.ts";

/** Opens a packed checkpoint whose file is open. @throws InputError if a matrix is not stored as its spec demands */
export function openPacked(folder: Folder, config: Record<string, unknown>, file: TensorFile): Checkpoint {
  const { spec, matrices } = parsePackedMetadata(file, folder.source);
  const partsOf = new Map<string, TensorHeader[]>();
  const specOf = new Map<string, QuantizedSpec>();
  const tensors = new Map(file.tensors);
  for (const [name, { type, shape }] of matrices) {
    const own = spec.kind === "mix" ? findInMix(spec, name) : spec;
    if (own?.kind !== "quantized") {
      throw new InputError(`${folder.source}: ${formatSpec(spec)} does not quantize ${name}, but the file says so.`);
    }
    specOf.set(name, own);
    const parts = checkParts(file, name, shape, own, folder.source);
    for (const part of parts) tensors.delete(part.name);
    if (tensors.has(name)) throw new InputError(`${folder.source}: ${name} is stored twice, quantized and as it was.`);
    tensors.set(name, { name, type, shape });
    partsOf.set(name, parts);
  }
  const find = (name: string) => {
    const header = tensors.get(name);
    if (!header) throw new InputError(`${folder.source} has no tensor ${name}.`);
    return { name, type: header.type, shape: header.shape };
  };
  return {
    source: folder.source,
    config,
    spec,
    tensors,
    fileBytes: file.fileBytes,
    files: file.files,
    async read(name) {
      const header = find(name);
      const parts = partsOf.get(name);
      if (!parts) return { ...header, bytes: await file.readBytes(name) };
      return readPacked(file, name, header.shape as [number, number], specOf.get(name)!, parts, folder.source);
    },
    storedAs: (name) => ({ parts: partsOf.get(name) ?? [find(name)], isExact: true }),
    readText: async (fileName) => (folder.has(fileName) ? readTextFile(folder, fileName) : undefined),
    close: () => file.close(),
  };
}

/** The headers of a matrix's parts as they are in the file, each of the type and shape that the spec demands. */
function checkParts(
  file: TensorFile,
  name: string,
  shape: readonly [number, number],
  spec: QuantizedSpec,
  where: string,
): TensorHeader[] {
  const outliers = file.tensors.get(`${name}.outlier_columns`)?.shape[0] ?? 0;
  const levels = file.tensors.get(`${name}.codebook`)?.shape[0] ?? 0;
  if (dataTypes[spec.type].stored && (levels < 1 || levels > 2 ** spec.bits)) {
    throw new InputError(`${where}: the codebook of ${name} has ${levels} values; expected 1 to ${2 ** spec.bits}.`);
  }
  if (outliers > shape[1] || (outliers > 0 && !spec.proxy)) {
    throw new InputError(`${where}: ${name} has ${outliers} outlier columns, more than its spec and shape allow.`);
  }
  const parts = describePacked(name, shape, spec, outliers, levels);
  for (const part of parts) {
    const found = file.tensors.get(part.name);
    if (found?.type !== part.type || String(found.shape) !== String(part.shape)) {
      const have = found ? `is ${found.type} [${found.shape}]` : "is missing";
      throw new InputError(`${where}: ${part.name} ${have}; expected ${part.type} [${part.shape}].`);
    }
  }
  return parts;
}

async function readPacked(
  file: TensorFile,
  name: string,
  shape: readonly [number, number],
  spec: QuantizedSpec,
  parts: readonly TensorHeader[],
  where: string,
): Promise<QuantizedTensor> {
  const bytes = new Map<string, Uint8Array>();
  for (const part of parts) bytes.set(part.name.slice(name.length + 1), await file.readBytes(part.name));
  const float16 = (part: string) => {
    const { buffer, byteOffset, length } = align(bytes.get(part)!, 2);
    return new Float16Array(buffer, byteOffset, length / 2);
  };
  const float32 = (part: string) => {
    const { buffer, byteOffset, length } = align(bytes.get(part)!, 4);
    return new Float32Array(buffer, byteOffset, length / 4);
  };
  const codes = bytes.get("codes")!;
  const stored = bytes.has("codebook") ? new Float32Array(float16("codebook")) : undefined;
  const codebook = stored ?? buildCodebook(spec);
  checkCodebook(codebook, codes, spec, shape, `${where}: ${name}`);
  const scales = (): BlockScales => {
    if (spec.scales === "float16") return { kind: "float16", values: float16("absmax") };
    if (spec.scales === "float32") return { kind: "float32", values: float32("absmax") };
    const absmaxCodes = bytes.get("absmax_codes")!;
    const [offset] = float32("absmax_offset");
    return { kind: "double", codes: absmaxCodes, scales: float32("absmax_scales"), offset, length: absmaxCodes.length };
  };
  return {
    name,
    shape,
    spec,
    codebook,
    codes,
    blockSize: blockSizeOf(spec.block, shape),
    absmax: scales(),
    centers: bytes.has("centers") ? float16("centers") : null,
    outliers: bytes.has("outlier_columns")
      ? checkOutliers(bytes.get("outlier_columns")!, float16("outlier_values"), shape[1], `${where}: ${name}`)
      : null,
  };
}

/** The bytes where a number of `size` bytes may begin. */
function align(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

function checkCodebook(
  codebook: Float32Array,
  codes: Uint8Array,
  spec: QuantizedSpec,
  [rows, columns]: readonly [number, number],
  where: string,
): void {
  for (let i = 0; i < codebook.length; i++) {
    if (!(Math.abs(codebook[i]) <= 1) || codebook[i] <= codebook[i - 1]) {
      throw new InputError(`${where} has a codebook that does not ascend within [-1, 1]; the file is damaged.`);
    }
  }
  if (codebook.length === 2 ** spec.bits) return;
  if (codebook.length === 2 ** spec.bits - 1 && !hasHighestCode(codes, spec.bits, rows * columns)) return;
  const all = unpackCodes(codes, spec.bits, rows * columns);
  let largest = 0;
  for (let i = 0; i < all.length; i++) if (all[i] > largest) largest = all[i];
  if (largest >= codebook.length) {
    throw new InputError(
      `${where} has the code ${largest}, but its codebook ends at ${codebook.length - 1}; the file is damaged.`,
    );
  }
}

function checkOutliers(bytes: Uint8Array, values: Float16Array, width: number, where: string): OutlierColumns {
  const { buffer, byteOffset, length } = align(bytes, 4);
  const columns = new Uint32Array(buffer, byteOffset, length / 4);
  for (let i = 0; i < columns.length; i++) {
    if (columns[i] >= width || columns[i] <= columns[i - 1]) {
      throw new InputError(`${where} has outlier columns that do not ascend below ${width}; the file is damaged.`);
    }
  }
  return { columns, values };
}
