// The directory of a zip archive whose entries are stored as they are, which is how PyTorch writes checkpoints.
// Nothing is inflated: an entry is a range of the file, checked against the file's size and the other entries.

import { InputError } from "../input-error.ts";
import { type ByteSource, truncated } from "./bytes.ts";

/** An entry: `size` bytes somewhere after `headerStart`, all before `limit`. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  /** Place of its local header. */
  readonly headerStart: number;
  /** Where the next entry or the directory begins. */
  readonly limit: number;
}

const endSize = 22;
const maxCommentSize = 65_535;
const maxDirectoryBytes = 100_000_000;

/**
 * Reads the central directory.
 *
 * @throws InputError if it is malformed, or an entry is compressed, encrypted, or overlaps another
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.12, 4.3.14 to 4.3.16)
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { start, size, count } = await findDirectory(source);
  if (size > maxDirectoryBytes) throw malformed(source, `its directory would have ${size} bytes`);
  if (start + size > source.size) throw truncated(source.name, start + size, source.size);
  const bytes = await source.read(start, size);
  const view = new DataView(bytes.buffer);
  const entries: (ZipEntry & { limit: number })[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== 0x02014b50)
      throw malformed(source, `entry ${i} is no directory entry`);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > size) throw malformed(source, `entry ${i} runs out of the directory`);
    entries.push(parseEntry(source, bytes, view, at, nameLength, extraLength));
    at = next;
  }
  return checkEntries(source, entries, start);
}

/** Place and size of the directory: from the end record, or from its zip64 form where that says to look there. */
async function findDirectory(source: ByteSource): Promise<{ start: number; size: number; count: number }> {
  const tailSize = Math.min(source.size, endSize + maxCommentSize);
  const tail = await source.read(source.size - tailSize, tailSize);
  const view = new DataView(tail.buffer);
  for (let at = tailSize - endSize; at >= 0; at--) {
    if (view.getUint32(at, true) !== 0x06054b50 || at + endSize + view.getUint16(at + 20, true) !== tailSize) continue;
    const end = {
      count: view.getUint16(at + 10, true),
      size: view.getUint32(at + 12, true),
      start: view.getUint32(at + 16, true),
    };
    if (end.count !== 0xffff && end.size !== 0xffffffff && end.start !== 0xffffffff) return end;
    return readZip64End(source, source.size - tailSize + at);
  }
  throw malformed(source, "it has no directory at its end, as after an incomplete download");
}

async function readZip64End(
  source: ByteSource,
  endStart: number,
): Promise<{ start: number; size: number; count: number }> {
  if (endStart < 20) throw malformed(source, "it has no zip64 locator");
  const locator = new DataView((await source.read(endStart - 20, 20)).buffer);
  if (locator.getUint32(0, true) !== 0x07064b50) throw malformed(source, "it has no zip64 locator");
  const at = toNumber(source, locator.getBigUint64(8, true));
  if (at + 56 > source.size) throw truncated(source.name, at + 56, source.size);
  const end = new DataView((await source.read(at, 56)).buffer);
  if (end.getUint32(0, true) !== 0x06064b50) throw malformed(source, "it has no zip64 end record");
  const [count, size, start] = [32, 40, 48].map((offset) => toNumber(source, end.getBigUint64(offset, true)));
  return { count, size, start };
}

function parseEntry(
  source: ByteSource,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  nameLength: number,
  extraLength: number,
) {
  const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
  if (view.getUint16(at + 8, true) & 1) throw malformed(source, `${name} is encrypted`);
  if (view.getUint16(at + 10, true) !== 0) throw malformed(source, `${name} is compressed, which PyTorch never does`);
  let packedSize = view.getUint32(at + 20, true);
  let size = view.getUint32(at + 24, true);
  let headerStart = view.getUint32(at + 42, true);
  // The zip64 field holds, in this order, those of the three that do not fit into 32 bits.
  let extra = at + 46 + nameLength;
  const extraEnd = extra + extraLength;
  while (extra + 4 <= extraEnd) {
    const fieldEnd = extra + 4 + view.getUint16(extra + 2, true);
    if (fieldEnd > extraEnd) throw malformed(source, `${name} has a broken extra field`);
    if (view.getUint16(extra, true) === 1) {
      let field = extra + 4;
      const take = (value: number) => {
        if (value !== 0xffffffff) return value;
        if (field + 8 > fieldEnd) throw malformed(source, `${name} has a broken zip64 field`);
        field += 8;
        return toNumber(source, view.getBigUint64(field - 8, true));
      };
      size = take(size);
      packedSize = take(packedSize);
      headerStart = take(headerStart);
    }
    extra = fieldEnd;
  }
  if (packedSize !== size) throw malformed(source, `${name} has two sizes, ${packedSize} and ${size}`);
  return { name, size, headerStart, limit: 0 };
}

function checkEntries(
  source: ByteSource,
  entries: (ZipEntry & { limit: number })[],
  directoryStart: number,
): Map<string, ZipEntry> {
  entries.sort((a, b) => a.headerStart - b.headerStart);
  const byName = new Map<string, ZipEntry>();
  entries.forEach((entry, i) => {
    entry.limit = entries[i + 1]?.headerStart ?? directoryStart;
    if (entry.headerStart + 30 + entry.size > entry.limit)
      throw malformed(source, `${entry.name} overlaps what follows it`);
    if (byName.has(entry.name)) throw malformed(source, `it has two entries ${entry.name}`);
    byName.set(entry.name, entry);
  });
  return byName;
}

/** Place of an entry's first byte, from its local header. @throws InputError if that contradicts the directory */
export async function locateZipEntry(source: ByteSource, entry: ZipEntry): Promise<number> {
  const view = new DataView((await source.read(entry.headerStart, 30)).buffer);
  const start = entry.headerStart + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  if (view.getUint32(0, true) !== 0x04034b50 || view.getUint16(8, true) !== 0 || start + entry.size > entry.limit) {
    throw malformed(source, `the header of ${entry.name} contradicts the directory`);
  }
  return start;
}

function toNumber(source: ByteSource, value: bigint): number {
  if (value > BigInt(source.size)) throw malformed(source, `it points to byte ${value}, beyond its end`);
  return Number(value);
}

function malformed(source: ByteSource, why: string): InputError {
  return new InputError(`${source.name} is not a sound PyTorch checkpoint: ${why}.`);
}
