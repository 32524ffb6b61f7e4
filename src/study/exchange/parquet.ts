// Result rows as Parquet, a row a row: texts, doubles, and documents as lists of float32, for pandas, DuckDB and the like.
// What is read may have been written by others; parquet-check.ts looks at it before anything is unpacked.

import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, type SchemaElement } from "hyparquet";
import { fileWriter, ParquetWriter } from "hyparquet-writer";
import { compressors } from "../../evaluate/parquet-node.ts";
import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import { checkRow } from "./check-row.ts";
import { type Cell, findColumn, joinCells, listColumns, type RowColumn, readCell } from "./columns.ts";
import { checkParquet } from "./parquet-check.ts";

/** Rows that are encoded together. */
const groupSize = 500;

/** Writes rows into a file, which is made or overwritten. */
export function writeParquet(path: string, rows: readonly ResultRow[]): void {
  const columns = listColumns(rows, true);
  const schema: SchemaElement[] = [{ name: "kbit", num_children: columns.length }, ...columns.flatMap(describeColumn)];
  const writer = fileWriter(path);
  const parquet = new ParquetWriter({ writer, schema, createdBy: "kbit" });
  for (let start = 0; start < rows.length; start += groupSize) {
    const group = rows.slice(start, start + groupSize);
    const columnData = columns.map((column) => ({
      name: column.name,
      data: group.map((row) => encodeCell(readCell(row, column))),
    }));
    parquet.write({ columnData, rowGroupSize: groupSize });
  }
  parquet.finish();
}

function describeColumn({ name, kind }: RowColumn): SchemaElement[] {
  if (kind === "text") return [{ name, type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" }];
  if (kind === "number") return [{ name, type: "DOUBLE", repetition_type: "OPTIONAL" }];
  return [
    { name, converted_type: "LIST", repetition_type: "OPTIONAL", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
  ];
}

function encodeCell(cell: Cell | undefined): unknown {
  return cell instanceof Float32Array ? Array.from(cell) : (cell ?? null);
}

/** Reads the rows of a file. @throws InputError if it is damaged or holds something else */
export async function readParquet(path: string, withDocuments: boolean): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  for (const cells of await readCells(path, withDocuments))
    rows.push(checkRow(joinCells(cells), `${path}, row ${rows.length + 1},`));
  return rows;
}

type NamedCell = readonly [column: string, cell: unknown];

/** The cells of every row. */
async function readCells(path: string, withDocuments: boolean): Promise<NamedCell[][]> {
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    await checkParquet(file, metadata);
    const rows: NamedCell[][] = [];
    for (const group of metadata.row_groups) {
      const groupRows = Array.from({ length: Number(group.num_rows) }, (): NamedCell[] => []);
      for (const column of group.columns) {
        const [name] = column.meta_data!.path_in_schema;
        const kind = findColumn(name)?.kind;
        if (kind === undefined)
          throw new InputError(`${path} is no export of kbit: there is no column "${name}" in one.`);
        if (kind === "floats" && !withDocuments) continue;
        const only = { ...metadata, num_rows: group.num_rows, row_groups: [{ ...group, columns: [column] }] };
        const objects = await parquetReadObjects({ file, metadata: only, columns: [name], compressors });
        if (objects.length !== groupRows.length) throw new Error(`${name} ends early`);
        for (const [i, object] of objects.entries()) groupRows[i].push([name, decodeCell(object[name])]);
      }
      for (const row of groupRows) rows.push(row);
    }
    return rows;
  } catch (error) {
    if (error instanceof InputError || (error as NodeJS.ErrnoException).syscall) throw error; // the command line says which file
    throw new InputError(
      `${path} is not a Parquet file that can be read (${(error as Error).message}); export it again.`,
    );
  }
}

/** Whole numbers of other programs, and lists of float32. */
function decodeCell(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return Array.isArray(value) || value instanceof Float64Array ? Float32Array.from(value) : value;
}
