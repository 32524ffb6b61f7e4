// The safetensors format: 8 bytes of header length (little-endian), a JSON header, then the bytes of every tensor.
// Reading trusts nothing of the header; writing lays tensors out in the order given. Shards are joined in shards.ts.

import { InputError } from "../input-error.ts";
import { type StorageType, storageTypes, type TensorHeader } from "../tensor/tensor.ts";
import { type ByteSource, type TensorFile, truncated } from "./bytes.ts";

/** The longest header that is read, in bytes; the format's own reader has the same limit. */
export const maxHeaderBytes = 100_000_000;

/** A tensor's place: bytes `start` to `end` after the header. */
export interface PlacedTensor extends TensorHeader {
  readonly start: number;
  readonly end: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, PlacedTensor>;
}

/**
 * Bytes of a tensor's data, `product(shape) * bytes of its type`.
 *
 * @throws InputError if that is no safe integer
 */
export function countBytes(header: TensorHeader, where = header.name): number {
  let bytes: number = storageTypes[header.type].bytes;
  for (const size of header.shape) bytes *= size;
  if (!Number.isSafeInteger(bytes))
    throw new InputError(`${where}: shape [${header.shape}] of ${header.name} is too large.`);
  return bytes;
}

/** Length of the JSON header from the first 8 bytes. @throws InputError if it cannot be true */
function parseHeaderLength(start: Uint8Array, fileSize: number, where: string): number {
  if (fileSize < 8 || start.length < 8) throw truncated(where, 8, fileSize);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (new TextDecoder().decode(start.subarray(0, 8)) === "version ") {
    throw new InputError(`${where} is a Git LFS pointer, not the file itself; fetch it with git lfs pull.`);
  }
  if (length > BigInt(maxHeaderBytes)) {
    throw new InputError(
      `${where} is not a safetensors file: its header would have ${length} bytes, more than the ${maxHeaderBytes} allowed.`,
    );
  }
  if (Number(length) + 8 > fileSize) throw truncated(where, Number(length) + 8, fileSize);
  return Number(length);
}

/**
 * Parses and checks a JSON header: types are known, shapes whole, each tensor's bytes are `shape x type`, and the
 * tensors follow each other without overlap, gap or rest.
 *
 * @param dataBytes - bytes of the file after the header
 * @see https://github.com/huggingface/safetensors (README, "Format")
 */
function parseSafetensorsHeader(json: Uint8Array, dataBytes: number, where: string): SafetensorsHeader {
  const entries = parseObject(json, where);
  const tensors = new Map<string, PlacedTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of entries) {
    if (name === "__metadata__") metadata = checkMetadata(entry, where);
    else tensors.set(name, checkEntry(name, entry, where));
  }
  checkOffsets([...tensors.values()], dataBytes, where);
  return { metadata, tensors };
}

function parseObject(json: Uint8Array, where: string): [string, unknown][] {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    throw new InputError(`${where} is not a safetensors file: its header is not valid JSON.`);
  }
  if (!isRecord(value)) throw new InputError(`${where} is not a safetensors file: its header is not a JSON object.`);
  return Object.entries(value);
}

function checkMetadata(value: unknown, where: string): Record<string, string> {
  if (!isRecord(value) || Object.values(value).some((text) => typeof text !== "string")) {
    throw new InputError(`${where}: __metadata__ of the header must map text to text.`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, entry: unknown, where: string): PlacedTensor {
  const tensor = `${where}: tensor ${name}`;
  if (!isRecord(entry)) throw new InputError(`${tensor} has no description in the header.`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(storageTypes, dtype)) {
    const known = Object.keys(storageTypes).join(", ");
    throw new InputError(`${tensor} has the type ${JSON.stringify(dtype)}, which is not one of ${known}.`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    throw new InputError(`${tensor} has the shape ${JSON.stringify(shape)}; expected whole numbers from 0.`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0] > offsets[1]) {
    throw new InputError(`${tensor} has the data_offsets ${JSON.stringify(offsets)}; expected [start, end].`);
  }
  const placed = { name, type: dtype as StorageType, shape, start: offsets[0], end: offsets[1] };
  const needed = countBytes(placed, where);
  if (needed !== placed.end - placed.start) {
    throw new InputError(
      `${tensor} has ${placed.end - placed.start} bytes, but ${dtype} of shape [${shape}] takes ${needed}.`,
    );
  }
  return placed;
}

function checkOffsets(tensors: PlacedTensor[], dataBytes: number, where: string): void {
  let end = 0;
  for (const tensor of tensors.sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (tensor.start < end) throw new InputError(`${where}: tensor ${tensor.name} overlaps the one before it.`);
    if (tensor.start > end) {
      throw new InputError(`${where}: ${tensor.start - end} bytes before tensor ${tensor.name} belong to no tensor.`);
    }
    end = tensor.end;
  }
  if (end > dataBytes) throw truncated(where, end, dataBytes);
  if (end < dataBytes) throw new InputError(`${where}: ${dataBytes - end} bytes at the end belong to no tensor.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Opens a safetensors file: reads and checks its header; a tensor's bytes are read when asked. Closes `source` if it fails. */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  try {
    const length = parseHeaderLength(await source.read(0, Math.min(8, source.size)), source.size, source.name);
    const dataStart = 8 + length;
    const header = parseSafetensorsHeader(await source.read(8, length), source.size - dataStart, source.name);
    const tensors = Array.from(header.tensors.values(), ({ name, type, shape }) => ({ name, type, shape }));
    return {
      tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
      metadata: [header.metadata],
      fileBytes: source.size,
      files: [source.name],
      async readBytes(name) {
        const tensor = header.tensors.get(name);
        if (!tensor) throw new Error(`no tensor ${name} in ${source.name}`);
        return source.read(dataStart + tensor.start, tensor.end - tensor.start);
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Places tensors one after the other, in the order given. */
export function placeTensors(headers: Iterable<TensorHeader>): PlacedTensor[] {
  let start = 0;
  return Array.from(headers, (header) => {
    const end = start + countBytes(header);
    const placed = { name: header.name, type: header.type, shape: header.shape, start, end };
    start = end;
    return placed;
  });
}

/**
 * The bytes before the data: header length and JSON, padded with spaces to a multiple of 8.
 *
 * @param reserved - pad to this length, a multiple of 8; the header must fit
 */
export function formatSafetensorsHeader(
  tensors: readonly PlacedTensor[],
  metadata: Readonly<Record<string, string>>,
  reserved?: number,
): Uint8Array {
  const entries = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) entries.set("__metadata__", metadata);
  for (const { name, type, shape, start, end } of tensors) {
    entries.set(name, { dtype: type, shape, data_offsets: [start, end] });
  }
  const json = new TextEncoder().encode(
    `{${Array.from(entries, ([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`,
  );
  const total = reserved ?? 8 + Math.ceil(json.length / 8) * 8;
  if (8 + json.length > total) throw new Error(`header of ${json.length} bytes does not fit in ${total}`);
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set(json, 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - 8), true);
  return bytes;
}

/** A whole safetensors file in memory, for small checkpoints and tests. */
export function formatSafetensors(
  tensors: readonly (TensorHeader & { readonly bytes: Uint8Array })[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const placed = placeTensors(tensors);
  const header = formatSafetensorsHeader(placed, metadata);
  const file = new Uint8Array(header.length + (placed.at(-1)?.end ?? 0));
  file.set(header);
  tensors.forEach((tensor, i) => {
    if (tensor.bytes.length !== placed[i].end - placed[i].start)
      throw new Error(`${tensor.name}: wrong number of bytes`);
    file.set(tensor.bytes, header.length + placed[i].start);
  });
  return file;
}
