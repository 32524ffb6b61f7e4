// Files of result rows: which format a file has, and all of them written and read by one call.

import { closeSync, existsSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import { listColumns } from "./columns.ts";
import { formatHeading, formatRecord, readCsv } from "./csv.ts";
import { formatLine, readJsonl } from "./jsonl.ts";
import { readParquet, writeParquet } from "./parquet.ts";

/** Formats by the ends of their names. */
export const rowsFormats = ["parquet", "jsonl", "csv"] as const;
export type RowsFormat = (typeof rowsFormats)[number];

/** The format that a file of rows has by what it begins with, or by its name where it is missing; undefined if it is none. */
export function findRowsFormat(path: string): RowsFormat | undefined {
  const named = rowsFormats.find((format) => path.toLowerCase().endsWith(`.${format}`));
  if (!existsSync(path)) return named;
  if (statSync(path).isDirectory()) return undefined; // as a store it is refused, with its name
  const start = Buffer.alloc(15);
  const file = openSync(path, "r");
  try {
    readSync(file, start);
  } finally {
    closeSync(file);
  }
  if (start.toString("latin1") === "SQLite format 3") return undefined;
  return start.toString("latin1", 0, 4) === "PAR1" ? "parquet" : named;
}

/**
 * Writes rows into a file of the format that its name says; it is there whole or not at all.
 *
 * @throws InputError if the name says none
 */
export function writeRows(path: string, rows: readonly ResultRow[]): void {
  const format = rowsFormats.find((name) => path.toLowerCase().endsWith(`.${name}`));
  if (!format) throw new InputError(`${path} does not end in .parquet, .jsonl or .csv; name the format by it.`);
  if (!existsSync(dirname(path)))
    throw new InputError(`There is no folder ${dirname(path)} for ${path}; make it first.`);
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    if (format === "parquet") writeParquet(unfinished, rows);
    else writeLines(unfinished, format === "jsonl" ? formatLines(rows) : formatCsv(rows));
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

function* formatLines(rows: readonly ResultRow[]): Generator<string> {
  for (const row of rows) yield formatLine(row);
}

function* formatCsv(rows: readonly ResultRow[]): Generator<string> {
  const columns = listColumns(rows, false);
  yield formatHeading(columns);
  for (const row of rows) yield formatRecord(row, columns);
}

function writeLines(path: string, lines: Iterable<string>): void {
  const file = openSync(path, "w");
  try {
    for (const line of lines) writeAll(file, Buffer.from(`${line}\n`));
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/**
 * Reads the rows of a file.
 *
 * @param options - `documents: true` for the rows with their documents, as far as the format has them
 * @throws InputError if it is damaged, holds something else, or has one result twice
 */
export async function readRows(
  path: string,
  format: RowsFormat,
  options: { readonly documents?: boolean } = {},
): Promise<ResultRow[]> {
  const { documents = false } = options;
  if (format !== "jsonl" && statSync(path).size === 0)
    // lines of no row are a file of no bytes
    throw new InputError(`${path} is empty: it has 0 bytes, which no export of kbit has.`);
  const read = { csv: readCsv, jsonl: readJsonl, parquet: readParquet }[format];
  const rows = await read(path, documents);
  const seen = new Set<string>();
  for (const { id, key, model } of rows) {
    if (seen.has(id))
      throw new InputError(
        `${path} holds a result twice: ${model.name}, ${key.spec}, ${key.task} (${id.slice(0, 12)}); leave one out.`,
      );
    seen.add(id);
  }
  return rows;
}
