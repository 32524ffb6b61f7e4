// Where a page's table has its rows from: the records that a report carries, or the server of the live page.

import type { createRecordIndex, RecordPage, RecordQuery } from "./record-index.ts";
import type { Records } from "./records.ts";

/** Rows on request. */
export interface RowSource {
  find(query: RecordQuery): Promise<RecordPage>;
  /** All rows and columns as CSV. */
  csv(): Promise<Blob>;
}

/** The rows that the page carries. Complete in itself: the report carries its text. */
export function readPageRows(createIndex: typeof createRecordIndex): RowSource {
  let index: ReturnType<typeof createIndex> | undefined;
  const open = () => {
    index ??= createIndex(JSON.parse(document.getElementById("records")!.textContent ?? "") as Records);
    return index;
  };
  return {
    find: async (query) => open().find(query),
    csv: async () => new Blob([open().csv()], { type: "text/csv" }),
  };
}
