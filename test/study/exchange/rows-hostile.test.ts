// Files of rows that are broken or lie: refused in a sentence, whatever they hold.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { afterAll, describe, expect, test } from "vitest";
import { InputError } from "../../../src/input-error.ts";
import { checkParquet } from "../../../src/study/exchange/parquet-check.ts";
import { type RowsFormat, readRows, writeRows } from "../../../src/study/exchange/rows-file.ts";
import { createRandom } from "../../scaling/simulate.ts";
import { makeRow } from "../rows.ts";
import { bitsOf, fullRow, rows } from "./full-row.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-hostile-"));
let files = 0;
const newPath = (format: string) => join(folder, `${files++}.${format}`);
afterAll(() => rmSync(folder, { recursive: true }));

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

  test.each(["jsonl", "csv", "parquet"] as const)("has one result twice, as %s", async (format) => {
    const path = newPath(format);
    writeRows(path, [makeRow(1), makeRow(2), makeRow(1)]);
    expect(await refusal(format, readFileSync(path))).toMatch(
      /^rows\.\w+ holds a result twice: model-1, \S+, perplexity \([0-9a-f]{12}\); leave one out\.$/,
    );
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
    expect(await refusal("parquet", "")).toMatch(/^rows\.parquet is empty/);
    expect(await refusal("csv", "")).toMatch(/^rows\.csv is empty/);
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

test("a Parquet file that claims more than it can hold is refused before anything is unpacked", async () => {
  const path = newPath("parquet");
  writeRows(path, rows);
  const file = await asyncBufferFromFile(path);
  const lie = async (change: (metadata: FileMetaData) => void) => {
    const metadata = await parquetMetadataAsync(file);
    change(metadata);
    return checkParquet(file, metadata);
  };
  const columns = (metadata: FileMetaData) => metadata.row_groups[0].columns.map((column) => column.meta_data!);
  const documents = (metadata: FileMetaData) => columns(metadata).find((one) => one.path_in_schema.length > 1)!;
  await expect(lie(() => {})).resolves.toBeUndefined();
  await expect(lie((it) => (it.num_rows = 10n ** 12n))).rejects.toThrow("it cannot hold 1000000000000 rows");
  await expect(lie((it) => (it.row_groups[0].num_rows = 1000n))).rejects.toThrow("its groups have more rows than it");
  await expect(lie((it) => (columns(it)[0].num_values = 10n ** 9n))).rejects.toThrow(
    /id has 1000000000 values for 4 rows/,
  );
  await expect(lie((it) => (documents(it).num_values = 10n ** 12n))).rejects.toThrow(
    /cannot hold \d+ values of documents/,
  );
  await expect(lie((it) => (documents(it).num_values = 1n))).rejects.toThrow("a page has more values than its column");
  await expect(lie((it) => (columns(it)[1].data_page_offset = 10n ** 9n))).rejects.toThrow(
    "a column lies outside of it",
  );
  await expect(lie((it) => (columns(it)[1].total_compressed_size -= 9n))).rejects.toThrow();
  await expect(lie((it) => (columns(it)[1].path_in_schema = ["nowhere"]))).rejects.toThrow(
    "are not those of its schema",
  );
});
