// Result rows as comma-separated values (RFC 4180), for spreadsheets and plain tools; documents have no place in it.

import { readFileSync, statSync } from "node:fs";
import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import { checkRow } from "./check-row.ts";
import { findColumn, joinCells, type RowColumn, readCell } from "./columns.ts";

/** The heading, without its end. */
export function formatHeading(columns: readonly RowColumn[]): string {
  return columns.map(({ name }) => quote(name)).join(",");
}

/** A row as a line, without its end; numbers in as many digits as give them back. */
export function formatRecord(row: ResultRow, columns: readonly RowColumn[]): string {
  const format = (cell: unknown) => (Object.is(cell, -0) ? "-0" : String(cell ?? ""));
  return columns.map((column) => quote(format(readCell(row, column)))).join(",");
}

function quote(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const maxBytes = 500_000_000;

/** Reads the rows of a file. @throws InputError with the line that is none */
export function readCsv(path: string): ResultRow[] {
  if (statSync(path).size > maxBytes) throw new InputError(`${path} is too large for CSV; use Parquet or JSONL.`);
  const [heading = { line: 1, fields: [] }, ...records] = splitRecords(readFileSync(path, "utf8"), path);
  const columns = heading.fields.map((name) => {
    const column = findColumn(name);
    if (!column || column.kind === "floats")
      throw new InputError(`${path}:1 is not the heading of an export of kbit: there is no column "${name}".`);
    return column;
  });
  return records.map(({ line, fields }) => {
    const where = `${path}:${line}`;
    if (fields.length !== columns.length)
      throw new InputError(`${where} has ${fields.length} values, the heading ${columns.length}.`);
    const cells = columns.map((column, i) => [column.name, parseCell(fields[i], column, where)] as const);
    return checkRow(joinCells(cells), where);
  });
}

function parseCell(field: string, { name, kind, keepsEmpty }: RowColumn, where: string): string | number | undefined {
  if (kind === "text") return field === "" && !keepsEmpty ? undefined : field;
  if (field === "") return undefined;
  const value = Number(field);
  if (Number.isNaN(value) && field !== "NaN") throw new InputError(`${where}: ${name} is not a number but "${field}".`);
  return value;
}

interface CsvRecord {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly fields: string[];
}

function splitRecords(text: string, path: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  field.lastIndex = text.startsWith("\ufeff") ? 1 : 0;
  let line = 1;
  let fields: string[] = [];
  let begin = line;
  while (field.lastIndex < text.length) {
    const found = field.exec(text);
    if (!found)
      throw new InputError(`${path}:${line} has a quotation mark that does not end or stands inside a value.`);
    const [matched, quoted, plain, end] = found;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    for (let at = matched.indexOf("\n"); at >= 0; at = matched.indexOf("\n", at + 1)) line++;
    if (end === ",") {
      if (field.lastIndex < text.length) continue;
      fields.push(""); // the file ends behind a comma
    }
    records.push({ line: begin, fields });
    fields = [];
    begin = line;
  }
  return records.filter(({ fields }) => fields.length > 1 || fields[0] !== "");
}
