// The header of a GGUF file: keys with values, then a list of tensors. Nothing in it is trusted: every count, length and
// offset is held against the size of the file before anything of that size is made.

import { InputError } from "../../input-error.ts";
import { type ByteSource, truncated } from "../bytes.ts";
import { type GgufFormat, ggufFormats } from "./formats.ts";

/** A value of a key. Integers that no double holds are refused. */
export type GgufValue = number | boolean | string | readonly (number | boolean | string)[];

/** A tensor's place in the file. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major, `(out, in)`: the reverse of how the file lists it. */
  readonly shape: readonly number[];
  readonly format: GgufFormat;
  /** From the beginning of the file. */
  readonly start: number;
  readonly bytes: number;
}

/** What a header says. */
export interface GgufHeader {
  readonly values: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** The longest header that is read; a vocabulary of 262,144 tokens takes about 10 MB. */
const maxHeaderBytes = 256 * 2 ** 20;
const maxNameBytes = 65_535;
/** A key takes at least 13 bytes, a tensor at least 33. */
const [keyBytes, tensorBytes] = [13, 33];

/** Thrown inside: the bytes at hand end before the header does. */
class MoreBytes extends Error {
  readonly needed: number;
  constructor(needed: number) {
    super();
    this.needed = needed;
  }
}

/** Reads the header, as much of the file as it takes. @throws InputError if it cannot be true */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  const limit = Math.min(source.size, maxHeaderBytes);
  let length = Math.min(limit, 2 ** 20);
  for (;;) {
    try {
      return parseHeader(await source.read(0, length), source.size, source.name);
    } catch (error) {
      if (!(error instanceof MoreBytes)) throw error;
      if (length === source.size) throw truncated(source.name, error.needed, source.size);
      if (length === limit) throw new InputError(`${source.name} has a header of more than ${maxHeaderBytes} bytes.`);
      length = Math.min(limit, Math.max(2 * length, error.needed));
    }
  }
}

function parseHeader(bytes: Uint8Array, fileSize: number, where: string): GgufHeader {
  const reader = createReader(bytes, fileSize, where);
  const { fail } = reader;
  if (reader.text(4) !== "GGUF") throw fail("is not a GGUF file: it does not begin with GGUF");
  const version = reader.u32();
  if (version !== 2 && version !== 3) {
    const why = version > 0xffff ? "big-endian" : `version ${version}`;
    throw fail(`is a GGUF file of ${why}; versions 2 and 3, little-endian, are read`);
  }
  const tensorCount = reader.count("tensors", tensorBytes);
  const keyCount = reader.count("keys", keyBytes);
  const values = new Map<string, GgufValue>();
  for (let i = 0; i < keyCount; i++) {
    const key = reader.string(maxNameBytes, "the name of a key");
    if (values.has(key)) throw fail(`has the key ${key} twice`);
    values.set(key, readValue(reader, reader.u32(), key));
  }
  const listed = Array.from({ length: tensorCount }, () => readTensor(reader));
  const alignment = values.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 1 || alignment > 2 ** 20 || alignment % 1 !== 0) {
    throw fail(`has the alignment ${JSON.stringify(alignment)}; a whole number from 1 is expected`);
  }
  const dataStart = Math.ceil(reader.at() / alignment) * alignment;
  return { values, tensors: placeTensors(listed, dataStart, alignment, fileSize, fail) };
}

type Reader = ReturnType<typeof createReader>;

function createReader(bytes: Uint8Array, fileSize: number, where: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const fail = (sentence: string) => new InputError(`${where} ${sentence}.`);
  const take = (count: number): number => {
    if (at + count > bytes.length) throw new MoreBytes(at + count);
    at += count;
    return at - count;
  };
  const u64 = (what: string): number => {
    const value = view.getBigUint64(take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fail(`says ${value} for ${what}, which no file can hold`);
    return Number(value);
  };
  const text = (count: number) => new TextDecoder().decode(bytes.subarray(take(count), at));
  return {
    view,
    fail,
    take,
    text,
    u64,
    at: () => at,
    u32: () => view.getUint32(take(4), true),
    /** A number of things that take at least `each` bytes. */
    count(what: string, each: number): number {
      const count = u64(`the number of ${what}`);
      if (count * each > fileSize - at) {
        throw fail(`says it has ${count} ${what}, which do not fit its ${fileSize} bytes`);
      }
      return count;
    },
    string(longest: number, what: string): string {
      const length = u64(`the length of ${what}`);
      if (length > longest || length > fileSize - at) {
        throw fail(`says that ${what} has ${length} bytes, too many for a file of ${fileSize}`);
      }
      return text(length);
    },
  };
}

/** Bytes of a value of each type, and how to read it; 8 is text and 9 a list. */
const scalars: Readonly<
  Record<number, [bytes: number, read: (view: DataView, at: number) => number | bigint | boolean]>
> = {
  0: [1, (view, at) => view.getUint8(at)],
  1: [1, (view, at) => view.getInt8(at)],
  2: [2, (view, at) => view.getUint16(at, true)],
  3: [2, (view, at) => view.getInt16(at, true)],
  4: [4, (view, at) => view.getUint32(at, true)],
  5: [4, (view, at) => view.getInt32(at, true)],
  6: [4, (view, at) => view.getFloat32(at, true)],
  7: [1, (view, at) => view.getUint8(at) !== 0],
  10: [8, (view, at) => view.getBigUint64(at, true)],
  11: [8, (view, at) => view.getBigInt64(at, true)],
  12: [8, (view, at) => view.getFloat64(at, true)],
};
const [textType, listType] = [8, 9];

function readValue(reader: Reader, type: number, key: string): GgufValue {
  if (type === textType) return reader.string(maxHeaderBytes, `the value of ${key}`);
  if (type !== listType) return readScalar(reader, type, key);
  const itemType = reader.u32();
  if (itemType === listType) throw reader.fail(`has lists inside the list ${key}, which are not read`);
  const itemBytes = itemType === textType ? 8 : scalars[itemType]?.[0];
  if (itemBytes === undefined) throw reader.fail(`has values of the unknown type ${itemType} in ${key}`);
  const items: (number | boolean | string)[] = [];
  for (let left = reader.count(`values in ${key}`, itemBytes); left > 0; left--) {
    items.push(
      itemType === textType ? reader.string(maxHeaderBytes, `a text in ${key}`) : readScalar(reader, itemType, key),
    );
  }
  return items;
}

function readScalar(reader: Reader, type: number, key: string): number | boolean {
  const scalar = scalars[type];
  if (!scalar) throw reader.fail(`has a value of the unknown type ${type} in ${key}`);
  const value = scalar[1](reader.view, reader.take(scalar[0]));
  if (typeof value !== "bigint") return value;
  if (!Number.isSafeInteger(Number(value))) throw reader.fail(`has ${value} in ${key}, more than is understood`);
  return Number(value);
}

interface ListedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

function readTensor(reader: Reader): ListedTensor {
  const name = reader.string(maxNameBytes, "the name of a tensor");
  const dimensions = reader.u32();
  if (dimensions < 1 || dimensions > 4) {
    throw reader.fail(`gives tensor ${name} ${dimensions} dimensions; 1 to 4 are expected`);
  }
  const sizes = Array.from({ length: dimensions }, () => reader.u64(`a size of ${name}`));
  return { name, shape: sizes.reverse(), type: reader.u32(), offset: reader.u64(`the offset of ${name}`) };
}

/** Checks every tensor's type, size and place; none may overlap another. */
function placeTensors(
  listed: readonly ListedTensor[],
  dataStart: number,
  alignment: number,
  fileSize: number,
  fail: (sentence: string) => InputError,
): Map<string, GgufTensor> {
  const tensors = new Map<string, GgufTensor>();
  for (const { name, shape, type, offset } of listed) {
    const format = ggufFormats.get(type);
    if (!format) {
      const known = [...ggufFormats.values()].map((row) => row.name).join(", ");
      throw fail(`stores ${name} as ggml type ${type}, which is not read; ${known} are`);
    }
    if (tensors.has(name)) throw fail(`has the tensor ${name} twice`);
    const count = shape.reduce((product, size) => product * size, 1);
    const bytes = (count / format.blockSize) * format.bytes;
    if (!Number.isSafeInteger(count) || !Number.isSafeInteger(bytes) || count === 0) {
      throw fail(`gives ${name} the shape (${shape.join(", ")}), which cannot be stored`);
    }
    if (shape[shape.length - 1] % format.blockSize !== 0) {
      throw fail(
        `has rows of ${shape[shape.length - 1]} in ${name}; ${format.name} takes blocks of ${format.blockSize}`,
      );
    }
    const start = dataStart + offset;
    if (offset % alignment !== 0) throw fail(`puts ${name} at byte ${offset}, which is no multiple of ${alignment}`);
    if (start + bytes > fileSize) {
      throw fail(`is truncated or damaged: ${name} would end at byte ${start + bytes} of ${fileSize}`);
    }
    tensors.set(name, { name, shape, format, start, bytes });
  }
  const inOrder = [...tensors.values()].sort((a, b) => a.start - b.start);
  for (let i = 1; i < inOrder.length; i++) {
    const [before, tensor] = [inOrder[i - 1], inOrder[i]];
    if (before.start + before.bytes > tensor.start) throw fail(`lets ${before.name} and ${tensor.name} overlap`);
  }
  return tensors;
}
