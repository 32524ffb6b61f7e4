// How the data of a row is named: by its file, or by the beginning of its hash where that is not known.

import type { ResultRow } from "../result.ts";
import { isMean } from "./mean-row.ts";

/** Name of the file without folders; where another file among `rows` has the same name, with the beginning of its SHA-256. */
export function nameData(row: ResultRow, rows: readonly ResultRow[] = []): string {
  const hash = row.key.dataHash.slice(0, 8);
  const name = baseName(row);
  if (name === "") return `data ${hash}`;
  const isShared = rows.some((one) => one.key.dataHash !== row.key.dataHash && baseName(one) === name);
  return isShared ? `${name} ${hash}` : name;
}

/** Whether a row was measured on the data of that name: file name, path, or at least six digits of the SHA-256. */
export function isOnData(row: ResultRow, name: string): boolean {
  if (isMean(row)) return row.members.every((member) => isOnData(member, name));
  const hash = name.replace(/^.* /, "");
  if (/^[0-9a-f]{6,64}$/.test(hash)) if (row.key.dataHash.startsWith(hash)) return true;
  return name !== "" && (name === row.paths?.data || name === baseName(row));
}

function baseName({ paths }: ResultRow): string {
  return (
    paths?.data
      .split(/[\\/]/)
      .filter((part) => part !== "")
      .at(-1) ?? ""
  );
}
