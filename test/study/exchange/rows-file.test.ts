// Exported rows: what comes back is what went out, bit for bit, and a file that is broken or lies is refused in a sentence.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { parquetReadObjects } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import { InputError } from "../../../src/input-error.ts";
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
import { createRandom } from "../../scaling/simulate.ts";
import { makeRow } from "../rows.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-rows-"));
let files = 0;
const newPath = (format: string) => join(folder, `${files++}.${format}`);
afterAll(() => rmSync(folder, { recursive: true }));

const fullRow = makeRow(3, {
  model: { ...makeRow(3).model, name: 'a "model", with\nmarks', trainingTokens: 24_200_000, seed: 0 },
  metrics: {
    acc: { value: 0.1 + 0.2, standardError: 1 / 3, n: 25, chance: 0.25 },
    perplexity: { value: Infinity, standardError: NaN, n: 5 },
    "exact_match,flexible-extract": { value: -0, n: 1 },
  },
  documents: {
    acc: { values: Float32Array.of(1, 0, -0, 0.1, NaN, Infinity, 1e-45, 3.4e38) },
    nll: { values: Float32Array.of(2.5, 3.25), weights: Float32Array.of(255, 17) },
  },
  paths: { model: "models/x", data: "text.txt", task: "my-task.json" },
  imported: "lm-eval 0.4.13, results.json",
});
const rows = [
  makeRow(1),
  makeRow(2),
  fullRow,
  makeRow(4, { documents: { perplexity: { values: new Float32Array(3) } } }),
];
const withoutDocuments = ({ documents: _, ...row }: ResultRow) => row;

/** The bits of every number of a row, so that -0 and 0 are two and NaN is itself. */
function bitsOf(row: ResultRow): unknown {
  const bits = (value: unknown): unknown => {
    if (typeof value === "number") return Buffer.from(Float64Array.of(value).buffer).toString("hex");
    if (value instanceof Float32Array)
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex");
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, inner]) => [key, bits(inner)]),
    );
  };
  return bits(row);
}

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

/** The sentence with which bytes are refused. */
async function refusal(format: RowsFormat, bytes: Uint8Array | string): Promise<string> {
  const path = newPath(format);
  writeFileSync(path, bytes);
  const error = await readRows(path, format, { documents: true }).catch((error) => error);
  expect(error).toBeInstanceOf(InputError);
  return error.message.replaceAll(`${folder}/`, "").replace(/^\d+\./, "rows.");
}

describe("a file is refused that", () => {
  // biome-ignore lint/suspicious/noExplicitAny: the row is broken on purpose.
  const line = (change: (row: any) => void) => {
    const path = newPath("jsonl");
    writeRows(path, [fullRow]);
    const row = JSON.parse(readFileSync(path, "utf8"));
    change(row);
    return JSON.stringify(row);
  };
  test.each<[what: string, text: string, message: RegExp]>([
    ["is cut off", line(() => {}).slice(0, 300), /^rows\.jsonl:1 is not JSON \(.*\); the file may be cut off\.$/],
    [
      "lacks a field",
      line((row) => delete row.bits),
      /^rows\.jsonl:1 holds no result of kbit: bits is not right: expected object\.$/,
    ],
    [
      "has a text for a number",
      line((row) => (row.metrics.acc.value = "high")),
      /metrics\.acc\.value is not right: expected a number/,
    ],
    [
      "has a field that is not known",
      line((row) => (row.model.colour = 1)),
      /model\.colour is not known to this kbit; update it\.$/,
    ],
    [
      "has another key than its id says",
      line((row) => (row.key.spec = "int8")),
      /^rows\.jsonl:1: the id is not that of its key/,
    ],
    [
      "has weights for other documents",
      line((row) => row.documents.nll.weights.pop()),
      /expected as many weights as values/,
    ],
    ["has no date", line((row) => (row.date = "yesterday")), /date is not right/],
    ["has no size", line((row) => (row.bits.total = 0)), /bits\.total is not right/],
    [
      "has a metric that is no number",
      line((row) => (row.metrics.acc.value = "NaN")),
      /metrics\.acc\.value is not right: expected a number/,
    ],
    ["names a metric with markup", line((row) => (row.metrics["<b>"] = row.metrics.acc)), /metrics\.<b> is not right/],
    ["is a list", "[]", /holds no result of kbit/],
  ])("%s", async (_, text, message) => {
    expect(await refusal("jsonl", text)).toMatch(message);
  });

  test("is CSV of something else, or broken", async () => {
    writeRows(join(folder, "good.csv"), [makeRow(1)]);
    const good = readFileSync(join(folder, "good.csv"), "utf8");
    expect(await refusal("csv", "a,b\n1,2\n")).toMatch(/^rows\.csv:1 is not the heading .*no column "a"\.$/);
    expect(await refusal("csv", `${good}x,y\n`)).toMatch(/^rows\.csv:3 has 2 values, the heading \d+\.$/);
    expect(await refusal("csv", good.replace("1001", "many"))).toMatch(
      /^rows\.csv:2: model\.parameters is not a number but "many"\.$/,
    );
    expect(await refusal("csv", `${good}"open`)).toMatch(/^rows\.csv:3 has a quotation mark/);
  });

  test("is Parquet of something else", async () => {
    const write = (columnData: { name: string; data: unknown[] }[]) => {
      const writer = new ByteWriter();
      const schema = [
        { name: "root", num_children: 1 },
        { name: columnData[0].name, type: "DOUBLE" as const },
      ];
      const parquet = new ParquetWriter({ writer, schema });
      parquet.write({ columnData: columnData as never });
      parquet.finish();
      return writer.getBytes();
    };
    expect(await refusal("parquet", write([{ name: "x", data: [1, 2] }]))).toMatch(
      /no export of kbit: there is no column "x"|cannot hold 2 rows/,
    );
    expect(await refusal("parquet", write([{ name: "seconds", data: Array(20).fill(1) }]))).toMatch(
      /holds no result of kbit|cannot hold/,
    );
    expect(await refusal("parquet", "PAR1")).toMatch(/^rows\.parquet is not a Parquet file that can be read/);
    expect(await refusal("parquet", "")).toMatch(/^rows\.parquet is not a Parquet file that can be read/);
  });

  test("is Parquet with bytes changed anywhere, unless nothing came of it", async () => {
    const path = newPath("parquet");
    writeRows(path, rows);
    const good = readFileSync(path);
    const expected = rows.map(bitsOf);
    const random = createRandom(5);
    let refused = 0;
    for (let i = 0; i < Number(process.env["KBIT_FUZZ"] ?? 120); i++) {
      const bytes = Uint8Array.from(good);
      for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const changed = newPath("parquet");
      writeFileSync(changed, random() < 0.1 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes);
      try {
        const read = await readRows(changed, "parquet", { documents: true });
        expect(read).toHaveLength(expected.length);
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(20);
  }, 600_000);
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
