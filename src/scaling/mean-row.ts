// Rows that are a mean over tasks, and the measured rows behind any row.

import type { ResultRow } from "../result.ts";

/** A row derived from those of the tasks, which it keeps for paired comparisons. */
export interface MeanRow extends ResultRow {
  readonly members: readonly ResultRow[];
}

/** Whether a row is a mean over tasks. */
export function isMean(row: ResultRow): row is MeanRow {
  return "members" in row;
}

/** What was measured: of a mean its members, else the row itself. */
export function listMembers(row: ResultRow): readonly ResultRow[] {
  return isMean(row) ? row.members : [row];
}

/** Whether a result of kbit's own came without its documents, as from a CSV file; published ones have none anywhere. */
export function hasLostDocuments(row: ResultRow): boolean {
  return listMembers(row).every((one) => one.documents === undefined && one.imported === undefined);
}
