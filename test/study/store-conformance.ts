// What every store does, whatever database it lies in: the same tests for SQLite and PostgreSQL.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { mergeRows } from "../../src/study/exchange/merge.ts";
import { openRows } from "../../src/study/exchange/open-rows.ts";
import { writeRows } from "../../src/study/exchange/rows-file.ts";
import { openStore } from "../../src/study/store/store.ts";
import { makeRow } from "./rows.ts";

const failure = { model: "m", spec: "int4:b64", task: "perplexity", reason: "It broke.", date: "2026-01-01T00:00:00Z" };

/** @param newPath - path or address of a new, empty store */
export function describeStore(name: string, newPath: () => string | Promise<string>): void {
  describe(`a store in ${name}`, () => {
    test("gives back every field of every row after it was closed and opened again", async () => {
      const path = await newPath();
      const trained = {
        model: { ...makeRow(4).model, trainingTokens: 24_200_000, seed: 2 },
        metrics: { acc: { value: 0.5, standardError: 0.1, n: 25, chance: 0.25 } },
        imported: "lm-eval 0.4.9.2, results.json",
        bits: { total: 9000, nonEmbedding: NaN, quantized: NaN, nominalPerParameter: NaN },
        seconds: NaN,
      };
      const rows = [
        makeRow(1),
        makeRow(2),
        makeRow(3, { metrics: { perplexity: { value: Infinity, n: 5 } } }),
        makeRow(4, trained),
      ];
      const store = await openStore(path);
      await store.add(rows[0]);
      await store.add(rows.slice(1));
      await store.close();
      const again = await openStore(path, { create: false });
      expect(await again.rows()).toEqual(rows);
      await again.close();
    });

    test("goes into a file of rows and from there into another store, unchanged", async () => {
      const documents = { nll: { values: Float32Array.of(0.1, 2.5), weights: Float32Array.of(255, 17) } };
      const ruined = { perplexity: { value: Infinity, standardError: 1 / 3, n: 5 } };
      const rows = [makeRow(1, { documents }), makeRow(2, { metrics: ruined }), makeRow(3)];
      const folder = mkdtempSync(join(tmpdir(), "kbit-moved-"));
      const file = join(folder, "rows.parquet");
      const [first, second] = [await openStore(await newPath()), await openStore(await newPath())];
      await first.add(rows);
      writeRows(file, await first.rows({ documents: true }));
      const moved = await openRows(file);
      expect(await mergeRows(await moved.rows({ documents: true }), second)).toMatchObject({ added: 3, known: 0 });
      expect(await second.rows({ documents: true })).toEqual(rows);
      expect(await mergeRows(await first.rows(), second)).toEqual({ added: 0, known: 3, disagreements: [] });
      for (const store of [first, second]) await store.close();
      rmSync(folder, { recursive: true });
    });

    test("gives back the documents of rows that have them, to those who ask", async () => {
      const values = Float32Array.of(1.5, 0, -2.25);
      const documents = {
        nll: { values, weights: Float32Array.of(255, 255, 31) },
        acc: { values: values.subarray(1) },
      };
      const paths = { model: "models/m", data: "/texts/a b.txt" };
      const store = await openStore(await newPath());
      await store.add([makeRow(1, { documents, paths }), makeRow(2)]);
      await store.add(makeRow(1, { documents: { nll: { values } } })); // a row that is there stays as it is
      expect(await store.rows({ documents: true })).toEqual([makeRow(1, { documents, paths }), makeRow(2)]);
      const plain = await store.rows();
      expect(plain).toEqual([makeRow(1, { paths }), makeRow(2)]);
      expect(Object.keys(plain[0])).not.toContain("documents");
      await store.close();
    });

    test("keeps the first of two rows of one id, its metrics too", async () => {
      const store = await openStore(await newPath());
      await store.add(makeRow(1));
      await store.add([makeRow(1, { seconds: 9, metrics: { acc: { value: 1, n: 1 } } }), makeRow(2), makeRow(2)]);
      expect(await store.rows()).toEqual([makeRow(1), makeRow(2)]);
      await store.close();
    });

    test("lists the newest failure of each experiment until it has a result", async () => {
      const store = await openStore(await newPath());
      const row = makeRow(1);
      await store.addFailure(failure);
      await store.addFailure({ ...failure, reason: "It broke again.", date: "2026-01-02T00:00:00Z" });
      await store.addFailure({ ...failure, id: row.id, spec: "int3" });
      const newest = { ...failure, reason: "It broke again.", date: "2026-01-02T00:00:00Z" };
      expect(await store.failures()).toEqual([{ ...failure, id: row.id, spec: "int3" }, newest]);
      await store.add(row);
      expect(await store.failures()).toEqual([newest]);
      await store.add(makeRow(2, { model: { ...row.model, name: "m" } }));
      expect(await store.failures()).toEqual([]);
      await store.close();
    });

    test("keeps what came out differently the second time on the same kernels, and says so", async () => {
      const store = await openStore(await newPath());
      const other = { acc: { value: 0.5, n: 4 } };
      await store.add([makeRow(1, { metrics: other }), makeRow(2, { metrics: other }), makeRow(3)]);
      await store.add(makeRow(1, { metrics: { acc: { value: 0.25, n: 4 } }, machine: "another machine" }));
      await store.add(makeRow(2, { metrics: { acc: { value: 0.25, n: 4 } }, kernels: "other kernels" }));
      await store.add(makeRow(3, { seconds: 99 }));
      expect(await store.disagreements()).toEqual([
        {
          id: makeRow(1).id,
          model: "model-1",
          spec: "int4:b64",
          task: "perplexity",
          reason:
            "Computed twice on reference with different results: acc 0.5 and 0.25 (test machine; another machine).",
          date: makeRow(1).date,
        },
      ]);
      await store.close();
    });

    test("takes thousands of rows at once and many one by one in seconds", async () => {
      const store = await openStore(await newPath());
      const [rows, singles] = [4000, 200];
      const started = performance.now();
      await store.add(Array.from({ length: rows }, (_, i) => makeRow(i)));
      for (let i = rows; i < rows + singles; i++) await store.add(makeRow(i));
      expect(performance.now() - started).toBeLessThan(20_000);
      expect(await store.rows()).toHaveLength(rows + singles);
      await store.close();
    });

    test("is written by two processes at once, and loses nothing", async () => {
      const path = await newPath();
      const script = `
      import { openStore } from ${JSON.stringify(new URL("../../src/study/store/store.ts", import.meta.url).href)};
      import { makeRow } from ${JSON.stringify(new URL("./rows.ts", import.meta.url).href)};
      const store = await openStore(process.argv[1]);
      const first = Number(process.argv[2]);
      for (let i = first; i < first + 200; i++) await store.add(makeRow(i));
      await store.close();`;
      const write = (first: number) =>
        promisify(execFile)(process.execPath, ["--input-type=module", "-e", script, path, String(first)]);
      // The second half of the first process and the first half of the second are the same rows.
      await Promise.all([write(0), write(100)]);
      const store = await openStore(path);
      expect((await store.rows()).map((row) => row.id)).toEqual(Array.from({ length: 300 }, (_, i) => makeRow(i).id));
      await store.close();
    });
  });
}
