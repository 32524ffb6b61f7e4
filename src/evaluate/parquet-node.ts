// Parquet files of documents as rows of plain values. The file comes from anywhere: what it says of its own sizes is
// held against its bytes before anything is unpacked.

import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { type Compressors, type FileMetaData, parquetMetadata, parquetReadObjects, parquetSchema } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { InputError } from "../input-error.ts";
import { listNames, showValue } from "./documents.ts";

/** A row: each column's value as JSON has it. */
export type ParquetRow = Readonly<Record<string, unknown>>;

/** Whether bytes are a Parquet file. */
export function isParquet(bytes: Uint8Array): boolean {
  return bytes.length >= 12 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).toString("latin1") === "PAR1";
}

/** Bytes of all pages, unpacked, and rows: more are no documents for an evaluation. */
const mostBytes = 2 ** 30;
const mostRows = 5_000_000;

/** Bytes of a page, unpacked; writers make them a megabyte. */
const mostPageBytes = 2 ** 28;

/** An unpacker of zlib that gives no more than it should; a page of nulls alone has no bytes. */
const limited =
  (unpack: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array) =>
  (bytes: Uint8Array, length: number): Uint8Array =>
    length === 0 ? new Uint8Array(0) : unpack(bytes, { maxOutputLength: length });

/** Beside Snappy, which hyparquet has itself: what other programs may have packed the file with. */
export const compressors: Compressors = {
  GZIP: limited(gunzipSync),
  BROTLI: limited(brotliDecompressSync),
  ZSTD: limited(zstdDecompressSync),
};

/**
 * The rows of a Parquet file.
 *
 * @param columns - read only these; absent: all
 * @throws InputError if the file is damaged or lacks one of them
 */
export async function readParquetRows(
  bytes: Uint8Array,
  source: string,
  columns?: readonly string[],
): Promise<ParquetRow[]> {
  const { buffer } = new Uint8Array(bytes); // slice of a Buffer would not copy
  const file = { byteLength: buffer.byteLength, slice: (start: number, end?: number) => buffer.slice(start, end) };
  try {
    const metadata = parquetMetadata(buffer, { geoparquet: false });
    const there = parquetSchema(metadata).children.map(({ element }) => element.name);
    const missing = columns?.find((name) => !there.includes(name));
    if (missing !== undefined)
      throw new InputError(`${source} has no column ${showValue(missing)}; it has ${listNames(there)}.`);
    const wanted = columns ? there.filter((name) => columns.includes(name)) : there;
    checkSizes(metadata, new Uint8Array(buffer), new Set(wanted));
    if (wanted.length === 0) return Array.from({ length: Number(metadata.num_rows) }, () => ({}));
    const rows = await parquetReadObjects({ file, metadata, columns: wanted, compressors });
    if (rows.length !== Number(metadata.num_rows)) throw new Error("it ends early");
    return rows.map((row) => toPlain(row) as ParquetRow);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${source} is not a Parquet file that can be read: ${(error as Error).message}.`);
  }
}

/** @throws Error if the file says that it holds more than it can, or than is read */
function checkSizes(metadata: FileMetaData, bytes: Uint8Array, wanted: ReadonlySet<string>): void {
  const rows = Number(metadata.num_rows);
  if (!(rows >= 0 && rows <= mostRows)) throw new Error(`it says ${rows} rows; at most ${mostRows} are read`);
  let found = 0;
  let unpacked = 0;
  for (const group of metadata.row_groups) {
    found += Number(group.num_rows);
    const paths = new Set<string>();
    for (const { meta_data: column } of group.columns) {
      if (!column) throw new Error("it lacks the place of a column");
      const path = JSON.stringify(column.path_in_schema);
      // Of two of a name, hyparquet would await the first alone; the other would fail where nobody listens.
      if (paths.has(path)) throw new Error("a group has a column twice");
      paths.add(path);
      if (!wanted.has(column.path_in_schema[0])) continue;
      const start = Number(column.dictionary_page_offset || column.data_page_offset);
      const size = Number(column.total_compressed_size);
      if (!(start >= 4 && size >= 0 && start + size <= bytes.length)) throw new Error("a column lies outside of it");
      unpacked += measurePages(bytes.subarray(start, start + size), Number(column.num_values));
      if (unpacked > mostBytes) throw new Error(`it unpacks to more than ${mostBytes} bytes`);
    }
  }
  if (found !== rows) throw new Error(`it says ${rows} rows and has ${found}`);
}

/**
 * Bytes that a column's pages unpack to, by their headers, one after another.
 *
 * @param bytes - the pages
 * @param values - how many the column says that it has
 * @throws Error if a page says that it holds more than the column, or than is read
 */
export function measurePages(bytes: Uint8Array, values: number): number {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  let unpacked = 8 * values; // a value that repeats takes next to nothing in the file, but a place in memory
  let left = values;
  while (reader.offset < bytes.length) {
    const { data_page_header, data_page_header_v2: v2, dictionary_page_header, ...page } = parquetHeader(reader);
    const data = data_page_header?.num_values ?? v2?.num_values ?? 0;
    const dictionary = dictionary_page_header?.num_values ?? 0; // may have values that the column does not
    const nulls = v2?.num_nulls ?? 0;
    left -= data;
    const isWithin = dictionary >= 0 && dictionary <= Math.max(values, bytes.length) && data >= 0 && left >= 0;
    if (!(isWithin && nulls >= 0 && nulls <= data)) throw new Error("a page has more values than its column");
    const levels = [v2?.definition_levels_byte_length ?? 0, v2?.repetition_levels_byte_length ?? 0];
    const sizes = [page.compressed_page_size, page.uncompressed_page_size, ...levels];
    if (!sizes.every((size) => size >= 0 && size <= mostPageBytes)) throw new Error("a page is too large");
    unpacked += page.uncompressed_page_size;
    reader.offset += page.compressed_page_size;
    if (reader.offset > bytes.length) throw new Error("a page is cut off");
  }
  return unpacked;
}

/** Whole numbers as numbers, typed arrays as lists, everything else as it is. */
function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(toPlain);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, toPlain);
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toPlain(inner)]));
  return value;
}
