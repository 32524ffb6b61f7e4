// Packed k-bit checkpoints: a safetensors file in which a quantized matrix NAME is several tensors (codes, scales, ..)
// and whose metadata tells the spec, so that it loads without the original. write-packed-node.ts writes what stands here.
//
//   NAME.absmax           F16 or F32 (blocks)      or, double-quantized:
//   NAME.absmax_scales    F32 (blocks / 256)       NAME.absmax_offset F32 (1)       NAME.absmax_codes U8 (blocks)
//   NAME.codebook         F16 (at most 2^k)        data types whose values depend on data
//   NAME.centers          F16 (1 or blocks)        centered specs
//   NAME.outlier_columns  I32 (count)              NAME.outlier_values F16 (rows, count)
//   NAME.codes            U8  (bytes)              exactly k bits a code, in the layout of pack.ts
//
// Of a mix, whose text is only its hash, the metadata holds the map itself too (kbit_mix), in canonical JSON.

import { InputError } from "../input-error.ts";
import { blockSizeOf } from "../quantize/blocks.ts";
import { buildCodebook, dataTypes } from "../quantize/data-types.ts";
import { hasHighestCode, packedBytes, unpackCodes } from "../quantize/pack.ts";
import type { BlockScales, OutlierColumns, QuantizedTensor } from "../quantize/quantized.ts";
import type { QuantizedSpec, Spec } from "../quantize/spec.ts";
import { findInMix } from "../quantize/spec-mix.ts";
import { formatMix, formatSpec, parseMixText, parseSpec } from "../quantize/spec-text.ts";
import { type StorageType, storageTypes, type Tensor, type TensorHeader } from "../tensor/tensor.ts";
import type { Folder, TensorFile } from "./bytes.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { countBytes } from "./safetensors.ts";
import { readTextFile } from "./shards.ts";

/** The latest version of the format; a file of a later one is refused. Mixes came with version 2; all else is written as 1. */
const packedFormat = 2;

/** What the metadata says of a quantized matrix: the storage type it had, and its shape (out, in). */
interface MatrixFacts {
  readonly type: StorageType;
  readonly shape: readonly [number, number];
}

/** Whether a file is a packed checkpoint. */
export function isPacked(file: TensorFile): boolean {
  return file.metadata.some((metadata) => metadata.kbit_format !== undefined);
}

/** The metadata of a packed file. */
export function formatPackedMetadata(spec: Spec, matrices: readonly TensorHeader[]): Record<string, string> {
  const facts = Object.fromEntries(matrices.map(({ name, type, shape }) => [name, { type, shape }]));
  return {
    format: "pt",
    kbit_format: spec.kind === "mix" ? "2" : "1",
    kbit_spec: formatSpec(spec),
    ...(spec.kind === "mix" && { kbit_mix: formatMix(spec) }),
    kbit_matrices: JSON.stringify(facts),
  };
}

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

/** Opens a packed checkpoint whose file is open. @throws InputError if a matrix is not stored as its spec demands */
export function openPacked(folder: Folder, config: Record<string, unknown>, file: TensorFile): Checkpoint {
  const { spec, matrices } = parseMetadata(file, folder.source);
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

function parseMetadata(file: TensorFile, where: string): { spec: Spec; matrices: Map<string, MatrixFacts> } {
  const matrices = new Map<string, MatrixFacts>();
  const texts = new Set<string>();
  let mix: string | undefined;
  for (const { kbit_format: format, kbit_spec: text, kbit_mix, kbit_matrices: facts } of file.metadata) {
    if (format === undefined || text === undefined || facts === undefined) {
      throw new InputError(
        `${where}: a file of this packed checkpoint lacks its kbit metadata; quantize the model again.`,
      );
    }
    if (!/^\d+$/.test(format) || Number(format) > packedFormat) {
      throw new InputError(
        `${where} is a packed checkpoint of format ${format}, but this kbit reads up to ${packedFormat}; update kbit.`,
      );
    }
    texts.add(text);
    mix ??= kbit_mix;
    for (const [name, fact] of Object.entries(parseFacts(facts, where)))
      matrices.set(name, checkFacts(name, fact, where));
  }
  if (texts.size !== 1) throw new InputError(`${where}: its files have different specs: ${[...texts].join(", ")}.`);
  const [text] = texts;
  const spec = parseSpec(text);
  if (spec.kind === "mix") return { spec: readMix(text, mix, where), matrices };
  if (matrices.size > 0 && spec.kind !== "quantized") throw new InputError(`${where}: ${text} quantizes no matrix.`);
  return { spec, matrices };
}

/** The mix of a file, which must be the one that its spec names. */
function readMix(text: string, json: string | undefined, where: string): Spec {
  const mix = parseMixText(json ?? "", `${where} (kbit_mix of its metadata)`);
  if (formatSpec(mix) !== text) throw new InputError(`${where}: its kbit_mix is not ${text}, which it should be.`);
  return mix;
}

function parseFacts(text: string, where: string): Record<string, unknown> {
  let facts: unknown;
  try {
    facts = JSON.parse(text);
  } catch {
    facts = undefined;
  }
  if (typeof facts !== "object" || facts === null)
    throw new InputError(`${where}: kbit_matrices of the metadata is not a JSON object.`);
  return facts as Record<string, unknown>;
}

function checkFacts(name: string, fact: unknown, where: string): MatrixFacts {
  const { type, shape } = (fact ?? {}) as Partial<MatrixFacts>;
  const isShape =
    Array.isArray(shape) && shape.length === 2 && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  if (
    !isShape ||
    !Number.isSafeInteger(shape[0] * shape[1]) ||
    typeof type !== "string" ||
    !Object.hasOwn(storageTypes, type)
  ) {
    throw new InputError(
      `${where}: kbit_matrices says of ${name} ${JSON.stringify(fact)}; expected a type and a shape.`,
    );
  }
  return { type, shape: [shape[0], shape[1]] };
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
