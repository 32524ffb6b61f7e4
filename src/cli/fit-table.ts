// Makes a table fit a narrow terminal: short titles first, then without the columns that say least.

import { dropColumns, type TextTable } from "../report/table.ts";
import { formatTable } from "./terminal.ts";

/** Whether no line of the table is longer than `width` characters. */
export function fitsInto({ columns, rows }: TextTable, width: number): boolean {
  return formatTable(columns, rows)
    .split("\n")
    .every((line) => [...line].length <= width);
}

/** The table in at most `width` characters a line, as far as leaving out columns of these titles, in turn, can do. */
export function fitTable(table: TextTable, width: number, spared: readonly string[]): TextTable {
  if (fitsInto(table, width)) return table;
  let { columns, rows } = table;
  columns = columns.map((column) => ({ ...column, title: column.short ?? column.title }));
  for (const title of spared) {
    if (fitsInto({ columns, rows }, width)) break;
    ({ columns, rows } = dropColumns({ columns, rows }, [title]));
  }
  return { columns, rows };
}
