// Exported rows: what comes back is what went out, bit for bit, and other programs read and write it.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { parquetReadObjects } from "hyparquet";
import { afterAll, describe, expect, test } from "vitest";
import type { Metric, ResultRow } from "../../../src/result.ts";
import { findColumn, joinCells, listColumns, readCell } from "../../../src/study/exchange/columns.ts";
import { shortenFloat } from "../../../src/study/exchange/jsonl.ts";
import {
  findRowsFormat,
  type RowsFormat,
  readRows,
  rowsFormats,
  writeRows,
} from "../../../src/study/exchange/rows-file.ts";
import { makeRow } from "../rows.ts";
import { bitsOf, fullRow, rows } from "./full-row.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-rows-"));
let files = 0;
const newPath = (format: string) => join(folder, `${files++}.${format}`);
afterAll(() => rmSync(folder, { recursive: true }));

const withoutDocuments = ({ documents: _, ...row }: ResultRow) => row;

async function goRound(
  format: RowsFormat,
  out: readonly ResultRow[],
  options = { documents: true },
): Promise<ResultRow[]> {
  const path = newPath(format);
  writeRows(path, out);
  return readRows(path, format, options);
}

describe("exported rows", () => {
  test.each(["parquet", "jsonl"] as const)("come back from %s with every bit", async (format) => {
    expect((await goRound(format, rows)).map(bitsOf)).toEqual(rows.map(bitsOf));
    const plain = await goRound(format, rows, { documents: false });
    expect(plain.map(bitsOf)).toEqual(rows.map(withoutDocuments).map(bitsOf));
  });

  test("come back from CSV with every bit but their documents", async () => {
    expect((await goRound("csv", rows)).map(bitsOf)).toEqual(rows.map(withoutDocuments).map(bitsOf));
  });

  test.each(rowsFormats)("come back from %s whatever their numbers and names are", async (format) => {
    const double = fc.double();
    const text = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" });
    const metric = fc.record(
      { value: fc.double({ noNaN: true }), n: fc.nat(), standardError: double, chance: double },
      { requiredKeys: ["value", "n"] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(text, double, fc.dictionary(fc.stringMatching(/^[a-z]\w{1,9}$/), metric, { maxKeys: 3 })), {
          maxLength: 4,
        }),
        async (parts) => {
          const made = parts.map(([name, seconds, metrics], i) =>
            makeRow(i, {
              model: { ...makeRow(i).model, name, family: "" },
              seconds,
              metrics: { ...metrics } as Record<string, Metric>,
            }),
          );
          expect((await goRound(format, made)).map(bitsOf)).toEqual(made.map(bitsOf));
        },
      ),
      { numRuns: 30 },
    );
  });

  test("are many, in several groups", async () => {
    const many = Array.from({ length: 1203 }, (_, i) =>
      makeRow(i, { documents: { nll: { values: Float32Array.of(i, 1 / i) } } }),
    );
    expect(await goRound("parquet", many)).toEqual(many);
  });

  test("are a table that others read, with lists of documents", async () => {
    const path = newPath("parquet");
    writeRows(path, rows);
    const bytes = readFileSync(path);
    const [, , row] = await parquetReadObjects({
      file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
    });
    expect(row).toMatchObject({ "model.name": fullRow.model.name, "metrics.acc": 0.1 + 0.2, "metrics.acc.n": 25 });
    expect(row["documents.nll.weights"]).toEqual([255, 17]);
  });

  test("have a column for every field of a row", () => {
    const columns = listColumns([fullRow], true);
    expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length);
    for (const column of columns) expect(findColumn(column.name)).toEqual(column);
    expect(bitsOf(joinCells(columns.map((column) => [column.name, readCell(fullRow, column)])) as ResultRow)).toEqual(
      bitsOf(fullRow),
    );
  });

  test("are there whole or not at all", () => {
    mkdirSync(join(folder, "taken.jsonl"));
    expect(() => writeRows(join(folder, "taken.jsonl"), rows)).toThrow(/EISDIR|directory/);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(() => writeRows(join(folder, "none/rows.csv"), rows)).toThrow(
      /There is no folder .*none for .*; make it first\.$/,
    );
    expect(() => writeRows(newPath("txt"), rows)).toThrow(/does not end in \.parquet, \.jsonl or \.csv/);
  });
});

test("a float32 is written in as few digits as give it back", () => {
  fc.assert(fc.property(fc.float(), (value) => Object.is(Math.fround(shortenFloat(value)), value)));
  expect(shortenFloat(Math.fround(0.1))).toBe(0.1);
});

test("a format is told by what a file begins with, then by its name", () => {
  const path = newPath("db");
  writeRows(`${path}.parquet`, rows);
  writeFileSync(path, readFileSync(`${path}.parquet`));
  expect(findRowsFormat(path)).toBe("parquet");
  expect(findRowsFormat("missing.jsonl")).toBe("jsonl");
  expect(findRowsFormat("missing.db")).toBeUndefined();
  writeFileSync(newPath("csv"), "SQLite format 3\0");
  expect(findRowsFormat(join(folder, `${files - 1}.csv`))).toBeUndefined();
});

test("Parquet that pandas wrote is read", async () => {
  const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/exchange/${name}`, import.meta.url));
  const expected = await readRows(fixture("rows.jsonl"), "jsonl", { documents: true });
  expect(expected).toHaveLength(3);
  expect(await readRows(fixture("rows.parquet"), "parquet", { documents: true })).toEqual(expected);
});

test.skipIf(!process.env["KBIT_PYTHON"])("pandas reads what is exported, and what it writes is read", async () => {
  const path = newPath("parquet");
  writeRows(path, rows.slice(0, 2).concat(rows[3]));
  const program = `
import pandas, sys
table = pandas.read_parquet(sys.argv[1])
print(table["model.name"][0], list(table["documents.perplexity"][2]))
for codec in sys.argv[2:]:
    table.to_parquet(sys.argv[1] + "." + codec, compression=codec)`;
  const codecs = ["snappy", "zstd", "gzip", "brotli"];
  const printed = execFileSync(process.env["KBIT_PYTHON"]!, ["-c", program, path, ...codecs], { encoding: "utf8" });
  expect(printed).toMatch(/^model-1 \[.*0\.0.*0\.0.*0\.0.*\]/);
  const expected = await readRows(path, "parquet", { documents: true });
  for (const codec of codecs)
    expect(await readRows(`${path}.${codec}`, "parquet", { documents: true })).toEqual(expected);
});
