// Files of documents and texts: read whole, hashed, and decoded, whatever they are stored as.
// Documents come out as JSON Lines, so that everything behind knows one format; row i of a Parquet file is line i.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { InputError } from "../input-error.ts";
import { isParquet, readParquetRows } from "./parquet-node.ts";

/** A file's text, and what its bytes are known by. */
export interface DataFile {
  readonly text: string;
  /** SHA-256 of the file. */
  readonly sha256: string;
  readonly format: "text" | "parquet";
}

/** More than this does not fit a string of the engine. */
const maxBytes = 500_000_000;

/**
 * A file as text; of a Parquet file, each row as a line of JSON.
 *
 * @param columns - of a Parquet file, only these
 * @throws InputError if there is no such file, or it is neither UTF-8 text nor Parquet
 */
export async function readDataFile(path: string, columns?: readonly string[]): Promise<DataFile> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats) throw new InputError(`There is no file ${path}.`);
  if (!stats.isFile()) throw new InputError(`${path} is not a file; expected a text file.`);
  if (stats.size > maxBytes) {
    throw new InputError(`${path} has ${stats.size} bytes; a text may have ${maxBytes}. Cut it into parts.`);
  }
  const bytes = await readFile(path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { text: await decodeData(bytes, path, columns), sha256, format: isParquet(bytes) ? "parquet" : "text" };
}

/** The text of a file's bytes, as `readDataFile` gives it. @throws InputError if it is neither UTF-8 text nor Parquet */
export async function decodeData(bytes: Uint8Array, path: string, columns?: readonly string[]): Promise<string> {
  if (isParquet(bytes)) {
    const rows = await readParquetRows(bytes, path, columns);
    return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
  }
  if (/\.parquet$/i.test(path)) {
    throw new InputError(`${path} is named as a Parquet file, but is none: it does not begin with PAR1.`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InputError(`${path} is not UTF-8 text; convert it.`);
  }
}

/** Names of the files that may hold a task's documents: those that it names, each as it is or as Parquet. */
export function listDataNames(files: readonly string[]): string[] {
  return files.flatMap((file) =>
    [file, file.replace(/\.jsonl$/, ".parquet")].filter((name, i, all) => all.indexOf(name) === i),
  );
}
