// What every command that reads results opens: a store, or a file of exported rows as a store that takes no writing.

import { existsSync } from "node:fs";
import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import { openStore, type Store } from "../store/store.ts";
import { findRowsFormat, type RowsFormat, readRows } from "./rows-file.ts";

/**
 * Opens results for reading.
 *
 * @param path - a store, or a file of rows (Parquet, JSONL, CSV)
 * @throws InputError if it is neither, is missing or damaged
 */
export async function openRows(path: string): Promise<Store> {
  const format = findRowsFormat(path);
  if (format === undefined) return openStore(path, { create: false });
  if (!existsSync(path)) throw new InputError(`There is no file ${path}; kbit study export --out ${path} makes one.`);
  return openFile(path, format, await readRows(path, format));
}

/** @throws InputError if a path names a file of rows, to which no result can be added */
export function refuseRowsFile(path: string): void {
  if (findRowsFormat(path) === undefined) return;
  throw new InputError(
    `${path} is a file of exported rows, which takes no new results; import it into a store: kbit study import ${path} --db FILE.db.`,
  );
}

function openFile(path: string, format: RowsFormat, unsorted: readonly ResultRow[]): Store {
  const rows = sort(unsorted);
  const refuse = async () => refuseRowsFile(path);
  return {
    path,
    rows: async ({ documents = false } = {}) =>
      documents ? sort(await readRows(path, format, { documents })) : [...rows],
    failures: async () => [],
    count: async () => ({ results: rows.length, failures: 0 }),
    add: refuse,
    addFailure: refuse,
    close: async () => {},
  };
}

/** As a store has them: in the order of date, then id. */
function sort(rows: readonly ResultRow[]): ResultRow[] {
  const key = ({ date, id }: ResultRow) => `${date} ${id}`;
  return [...rows].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
