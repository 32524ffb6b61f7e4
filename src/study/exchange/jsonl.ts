// Result rows as lines of JSON, a row a line, nested as ResultRow is; whatever JSON cannot write is a text (`"NaN"`).
// Documents are lists of numbers in as few digits as give their float32 back.

import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import { checkRow } from "./check-row.ts";

/** A row as a line, without its end. */
export function formatLine(row: ResultRow): string {
  return JSON.stringify(row, (_, value) => {
    if (typeof value === "number") return wordNumber(value);
    return value instanceof Float32Array ? Array.from(value, (one) => wordNumber(shortenFloat(one))) : value;
  });
}

function wordNumber(value: number): number | string {
  return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? "-0" : String(value);
}

/** The number of fewest digits that rounds to the same float32. */
export function shortenFloat(value: number): number {
  if (!Number.isFinite(value) || Number.isInteger(value)) return value;
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}

/** A line of a row has documents; of the largest task they are this long at most. */
const maxLine = 2 ** 28;

/** Reads the rows of a file of lines. @throws InputError with the line that is none */
export async function readJsonl(path: string, withDocuments: boolean): Promise<ResultRow[]> {
  const rows: ResultRow[] = [];
  const stream = createReadStream(path, "utf8");
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    if (line.length > maxLine) throw new InputError(`${path}:${number} is longer than any result; it is none of kbit.`);
    const row = checkRow(parse(line, `${path}:${number}`), `${path}:${number}`);
    if (!withDocuments) delete (row as { documents?: unknown }).documents;
    rows.push(row);
  }
  return rows;
}

function parse(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new InputError(`${where} is not JSON (${(error as Error).message}); the file may be cut off.`);
  }
}
