// Two stores become one: each result once, what was measured twice compared, and files of rows read as stores are.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ResultRow } from "../../../src/result.ts";
import { findDisagreement, mergeFailures, mergeRows } from "../../../src/study/exchange/merge.ts";
import { openRows, refuseRowsFile } from "../../../src/study/exchange/open-rows.ts";
import { writeRows } from "../../../src/study/exchange/rows-file.ts";
import { openStore } from "../../../src/study/store/store.ts";
import { makeRow } from "../rows.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-merge-"));
afterAll(() => rmSync(folder, { recursive: true }));
const documents = { nll: { values: Float32Array.of(1, 2, 3) } };
const rows = [1, 2, 3].map((i) => makeRow(i, { documents }));
const changed = (row: ResultRow, value: number, kernels = row.kernels): ResultRow => ({
  ...row,
  kernels,
  metrics: { ...row.metrics, perplexity: { ...row.metrics["perplexity"], value } },
});

describe("a merge", () => {
  test("adds what is missing with its documents, and leaves what is there", async () => {
    const store = await openStore(":memory:");
    await store.add([rows[1]]);
    expect(await mergeRows(rows, store)).toEqual({ added: 2, known: 1, disagreements: [] });
    expect(await mergeRows(rows, store)).toEqual({ added: 0, known: 3, disagreements: [] });
    expect(await store.rows({ documents: true })).toEqual(rows);
    await store.close();
  });

  test("names rows that say another thing the second time, and keeps the first", async () => {
    const store = await openStore(":memory:");
    await store.add(rows);
    const other = changed(rows[0], 31);
    const { added, known, disagreements } = await mergeRows([other, makeRow(9), changed(makeRow(9), 2)], store);
    expect([added, known]).toEqual([1, 2]);
    expect(disagreements).toMatchObject([
      {
        id: rows[0].id,
        model: "model-1",
        spec: "int4:b64",
        task: "perplexity",
        what: "perplexity",
        kept: 30 + 1 / 7,
        other: 31,
      },
      { model: "model-9", other: 2 },
    ]);
    expect((await store.rows())[0].metrics["perplexity"].value).toBe(30 + 1 / 7);
    await store.close();
  });

  test("takes over the failures that are not known, once", async () => {
    const store = await openStore(":memory:");
    const failure = { model: "m", spec: "int4", task: "piqa", reason: "It broke.", date: "2026-01-01T00:00:00Z" };
    expect(await mergeFailures([failure], store)).toBe(1);
    expect(await mergeFailures([failure], store)).toBe(0);
    expect(await store.failures()).toEqual([failure]);
    await store.close();
  });
});

describe("two rows of one key agree", () => {
  const [row] = rows;
  const at = (value: number, kernels?: string) => findDisagreement(row, changed(row, value, kernels))?.what;
  const { value } = row.metrics["perplexity"];
  test("to the last bit on the same kernels", () => {
    expect(at(value)).toBeUndefined();
    expect(at(value * (1 + 2 ** -52))).toBe("perplexity");
  });
  test("nearly on others", () => {
    expect(at(value * 1.0005, "wasm")).toBeUndefined();
    expect(at(value * 1.01, "wasm")).toBe("perplexity");
  });
  test("not if sizes or numbers of documents differ", () => {
    expect(findDisagreement(row, { ...row, kernels: "wasm", bits: { ...row.bits, total: 1 } })?.what).toBe(
      "total bits",
    );
    const metrics = { ...row.metrics, nll: { value: 3.5, n: 1 } };
    expect(findDisagreement(row, { ...row, kernels: "wasm", metrics })?.what).toBe("nll");
  });
  test("always where they are times", () => {
    const timed = { ...row, key: { ...row.key, task: "latency" } };
    expect(findDisagreement(timed, changed(timed, 1))).toBeUndefined();
  });
});

describe("openRows", () => {
  test.each(["parquet", "jsonl", "csv"])("reads a file of %s as a store that takes no writing", async (format) => {
    const path = join(folder, `rows.${format}`);
    writeRows(path, [...rows].reverse());
    const store = await openRows(path);
    expect(await store.rows({ documents: true })).toEqual(
      format === "csv" ? rows.map(({ documents: _, ...row }) => row) : rows,
    );
    expect((await store.rows())[0]).not.toHaveProperty("documents");
    expect(await store.count()).toEqual({ results: 3, failures: 0 });
    await expect(store.add(rows)).rejects.toThrow(/takes no new results; import it into a store: kbit study import/);
    expect(() => refuseRowsFile(path)).toThrow(/is a file of exported rows/);
    await store.close();
  });

  test("reads a store as it is, and says what is missing or neither", async () => {
    const path = join(folder, "store.db");
    const store = await openStore(path);
    await store.add(rows);
    await store.close();
    const opened = await openRows(path);
    expect(await opened.rows({ documents: true })).toEqual(rows);
    await opened.close();
    await expect(openRows(join(folder, "none.db"))).rejects.toThrow(/There is no store/);
    await expect(openRows(join(folder, "none.parquet"))).rejects.toThrow(/There is no file .*kbit study export --out/);
    writeFileSync(join(folder, "text.db"), "not a store ".repeat(100));
    await expect(openRows(join(folder, "text.db"))).rejects.toThrow(
      /is not an SQLite file; .* an export that ends in \.parquet/,
    );
  });
});
