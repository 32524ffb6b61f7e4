// Files on disk as byte sources: positional reads into new buffers, so that only the tensor asked for is in memory; or,
// where the caller can map files, views of the mapped file.

import { close, existsSync, fstat, open, read, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { InputError } from "../input-error.ts";
import { type ByteSource, type Folder, truncated } from "./bytes.ts";

// Plain file descriptors: Node ends the process over a FileHandle that is garbage before it is closed.
const openFile = promisify(open);
const readStats = promisify(fstat);
const closeFile = promisify(close);
const readBytes = promisify(read);

/** Maps a whole file into memory; undefined where that cannot be done. Writing to it must not reach the file. */
export type MapFile = (path: string) => Uint8Array | undefined;

/** Opens a file for reading at any place. @throws InputError if it is no ordinary file */
async function openFileSource(path: string, mapFile?: MapFile): Promise<ByteSource> {
  const file = await openFile(path, "r");
  const stats = await readStats(file);
  if (!stats.isFile()) {
    await closeFile(file);
    throw new InputError(`${path} is not a file.`);
  }
  const mapped = mapFile?.(path);
  let isOpen = true;
  return {
    name: path,
    size: stats.size,
    async read(offset, length) {
      if (!isOpen) throw new Error(`${path} has been closed`);
      if (mapped && offset + length <= mapped.length) return mapped.subarray(offset, offset + length);
      return readFully(file, path, offset, length);
    },
    async close() {
      if (isOpen) await closeFile(file);
      isOpen = false;
    },
  };
}

/** One read call moves at most 2 GiB - 4 KiB on Linux. */
const maxReadBytes = 2 ** 30;

async function readFully(file: number, path: string, offset: number, length: number): Promise<Uint8Array> {
  const { size } = await readStats(file);
  if (offset + length > size) throw truncated(path, offset + length, size);
  // Not filled with zeros first: every byte is read below, or this throws.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let done = 0;
  while (done < length) {
    const count = Math.min(maxReadBytes, length - done);
    const { bytesRead } = await readBytes(file, bytes, done, count, offset + done);
    if (bytesRead === 0) throw truncated(path, offset + length, offset + done);
    done += bytesRead;
  }
  return bytes;
}

/** A folder on disk. */
export function openDiskFolder(path: string, mapFile?: MapFile): Folder {
  return {
    source: path,
    has: (fileName) => existsSync(join(path, fileName)),
    list: () => readdirSync(path).sort(),
    open: (fileName) => openFileSource(join(path, fileName), mapFile),
    path: (fileName) => join(path, fileName),
  };
}
