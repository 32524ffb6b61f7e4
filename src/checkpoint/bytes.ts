// Where bytes come from: a file on disk, or one that the browser holds in memory; and the tensors in such a file.
// Contracts only, with the in-memory source. file-node.ts has the one on disk.

import { InputError } from "../input-error.ts";
import type { TensorHeader } from "../tensor/tensor.ts";

/** A file that can be read at any place. */
export interface ByteSource {
  /** Path or name, for messages. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** `length` bytes from `offset`; whoever changes them changes no file. @throws InputError if the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Tensors of one file, or of all shards of one: headers now, bytes when asked. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, TensorHeader>;
  /** What each file says of itself, text by key. */
  readonly metadata: readonly Readonly<Record<string, string>>[];
  readonly fileBytes: number;
  /** Names of the files (paths, on disk). */
  readonly files: readonly string[];
  /** The bytes of a tensor that `tensors` lists, little-endian, row-major. */
  readBytes(name: string): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The files of a model, wherever they lie: what openFolder (open.ts) needs of a folder. */
export interface Folder {
  /** Path or name, for messages. */
  readonly source: string;
  has(fileName: string): boolean;
  /** Names of the files, for formats that have no fixed name. */
  list?(): readonly string[];
  /** Opens a file that is there. */
  open(fileName: string): Promise<ByteSource>;
  /** Path for messages and hashes. */
  path(fileName: string): string;
}

/** A source over bytes in memory. */
export function createMemorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      if (offset + length > bytes.length) throw truncated(name, offset + length, bytes.length);
      return bytes.slice(offset, offset + length);
    },
    async close() {},
  };
}

/** The error for a file that ends before what it was said to hold. */
export function truncated(name: string, needed: number, size: number): InputError {
  return new InputError(
    `${name} is truncated: it has ${size} bytes where at least ${needed} were expected; download or copy it again.`,
  );
}
