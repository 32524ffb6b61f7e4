// Parquet files of documents, written by Arrow, against the JSON Lines that they were made from.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { listDataNames, readDataFile } from "../../src/evaluate/data-node.ts";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { readParquetRows } from "../../src/evaluate/parquet-node.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { InputError } from "../../src/input-error.ts";

const fixtures = fileURLToPath(new URL("../fixtures", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kbit-data-"));
afterAll(() => rmSync(folder, { recursive: true }));
const names = ["hellaswag", "piqa", "openbookqa", "lambada_openai"] as const;
const counts = { hellaswag: 3, piqa: 7, openbookqa: 2, lambada_openai: 4 };

test.for(names)("%s is the same documents as Parquet and as JSON Lines", async (name) => {
  const path = join(fixtures, "parquet", `${name}.parquet`);
  const { fields } = tasks[name];
  const { text, format } = await readDataFile(path, Object.keys(fields));
  expect(format).toBe("parquet");
  const lines = readFileSync(join(fixtures, "evaluation", `${name}.jsonl`), "utf8");
  const count = counts[name];
  expect(parseDocuments(text, fields, path)).toEqual(parseDocuments(lines, fields, name).slice(0, count));
  const whole = (await readDataFile(path)).text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const expected = lines
    .trim()
    .split("\n")
    .slice(0, count)
    .map((line) => JSON.parse(line));
  expect(whole).toEqual(expected);
});

test("a file is known by its bytes, and bad rows of a Parquet file by their number", async () => {
  const path = join(fixtures, "parquet/piqa.parquet");
  const { text, sha256 } = await readDataFile(path, ["goal"]);
  expect(sha256).toBe(createHash("sha256").update(readFileSync(path)).digest("hex"));
  expect(() => parseDocuments(text, tasks["piqa"].fields, path)).toThrow(/piqa.parquet, line 1 has no field "sol1"/);
  await expect(readDataFile(path, ["goal", "sol3"])).rejects.toThrow(
    /piqa.parquet has no column "sol3"; it has "goal",/,
  );
});

test("a file that only its name makes a Parquet file is told to be none", async () => {
  const path = join(folder, "fake.parquet");
  writeFileSync(path, '{"text": "no Parquet"}\n');
  await expect(readDataFile(path, ["text"])).rejects.toThrow(
    new InputError(`${path} is named as a Parquet file, but is none: it does not begin with PAR1.`),
  );
});

test("a task's documents are found as JSON Lines first, then as Parquet", () => {
  expect(listDataNames(["a.jsonl", "b.jsonl"])).toEqual(["a.jsonl", "a.parquet", "b.jsonl", "b.parquet"]);
});

test("what is neither text nor Parquet, and Parquet that is cut off, is refused", async () => {
  const write = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const parquet = readFileSync(join(fixtures, "parquet/piqa.parquet"));
  await expect(readDataFile(write("x.bin", Uint8Array.of(0xff, 0xfe)))).rejects.toThrow("is not UTF-8 text");
  await expect(readDataFile(write("cut.parquet", parquet.subarray(0, -20)))).rejects.toThrow(
    "cut.parquet is not a Parquet file that can be read",
  );
  await expect(readDataFile(folder)).rejects.toThrow("is not a file");
  await expect(readDataFile(join(folder, "none"))).rejects.toThrow("There is no file");
});

test.for(["gzip", "brotli", "zstd"])("a column of nulls alone is read, packed with %s", async (name) => {
  const bytes = readFileSync(join(fixtures, "parquet", `nulls-${name}.parquet`));
  expect(await readParquetRows(bytes, name)).toEqual([
    { text: "a", hint: null },
    { text: "b", hint: null },
  ]);
});

test("a Parquet file that has a column twice is refused, so that nothing of it fails unheard", async () => {
  const bytes = readFileSync(join(fixtures, "parquet/piqa.parquet"));
  const path = "\x19\x18\x04sol2"; // in the footer, of a list of one text
  for (let at = bytes.indexOf(path); at >= 0; at = bytes.indexOf(path)) bytes.write(path.replace("2", "1"), at);
  await expect(readParquetRows(bytes, "twice")).rejects.toThrow("a group has a column twice");
});

test("a Parquet file with wrong bytes gives rows or one sentence, never anything else", async () => {
  const files = names.map((name) => readFileSync(join(fixtures, "parquet", `${name}.parquet`)));
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...files),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (file, changes) => {
        const bytes = Uint8Array.from(file);
        // Half of the changes fall into the footer, which says where everything is.
        for (const [at, value] of changes) {
          const from = value % 2 === 0 ? Math.max(4, bytes.length - 1500) : 4;
          bytes[from + Math.floor(at * (bytes.length - from))] = value;
        }
        const outcome = await readParquetRows(bytes, "bad").catch((error: unknown) => error);
        expect(Array.isArray(outcome) || outcome instanceof InputError).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);
