// From what a page shows back to its rows: the short ids under which the page's table finds them.

import type { ResultRow } from "../result.ts";
import { listMembers } from "../scaling/mean-row.ts";

/** Digits of an id that tell rows of one store apart. */
const idDigits = 16;

/** The beginning of a row's id. */
export function shortenId(id: string): string {
  return id.slice(0, idDigits);
}

/** The short ids of rows, each once; of a mean over tasks those of its members. */
export function traceRows(rows: readonly ResultRow[]): string[] {
  return [...new Set(rows.flatMap(listMembers).map((row) => shortenId(row.id)))];
}
