// Files on disk as byte sources: positional reads into new buffers, so that only the tensor asked for is in memory.

import { existsSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../input-error.ts";
import { type ByteSource, type Folder, truncated } from "./bytes.ts";

/** Opens a file for reading at any place. @throws InputError if it is no ordinary file */
export async function openFileSource(path: string): Promise<ByteSource> {
  const handle = await open(path, "r");
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw new InputError(`${path} is not a file.`);
  }
  return {
    name: path,
    size: stats.size,
    read: (offset, length) => readFully(handle, path, offset, length),
    close: () => handle.close(),
  };
}

/** One read call moves at most 2 GiB - 4 KiB on Linux. */
const maxReadBytes = 2 ** 30;

async function readFully(handle: FileHandle, path: string, offset: number, length: number): Promise<Uint8Array> {
  const { size } = await handle.stat();
  if (offset + length > size) throw truncated(path, offset + length, size);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = Math.min(maxReadBytes, length - done);
    const { bytesRead } = await handle.read(bytes, done, count, offset + done);
    if (bytesRead === 0) throw truncated(path, offset + length, offset + done);
    done += bytesRead;
  }
  return bytes;
}

/** A folder on disk. */
export function openDiskFolder(path: string): Folder {
  return {
    source: path,
    has: (fileName) => existsSync(join(path, fileName)),
    open: (fileName) => openFileSource(join(path, fileName)),
    path: (fileName) => join(path, fileName),
  };
}
