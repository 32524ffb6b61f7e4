// What a study will take: sums of plans, and bytes in a store beside what a store really takes.

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { estimateRowBytes, type PlannedLine, sumPlan } from "../../src/study/estimate.ts";
import { planOnKernels } from "../../src/study/run.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";
import { createRandom } from "../scaling/simulate.ts";
import { makeRow } from "./rows.ts";

test("a plan is summed up by model and by task, what is stored apart", () => {
  const line = (model: string, task: string, isStored = false): PlannedLine => ({
    ...{ model, task, isStored, spec: "int4", tokens: 10, seconds: 2 },
  });
  const lines = [line("a", "x"), line("b", "x", true), line("a", "y"), line("b", "y")];
  expect(sumPlan(lines, "model")).toEqual([
    { name: "a", experiments: 2, missing: 2, tokens: 20, seconds: 4 },
    { name: "b", experiments: 2, missing: 1, tokens: 10, seconds: 2 },
  ]);
  expect(sumPlan(lines, "task").map(({ name, missing }) => [name, missing])).toEqual([
    ["x", 1],
    ["y", 2],
  ]);
});

test("bytes of results are estimated within a factor of two of what a store takes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kbit-estimate-"));
  const random = createRandom(3);
  for (const count of [8, 64, 1000]) {
    const path = join(folder, `${count}.db`);
    const store = await openStore(path);
    const values = () => Float32Array.from({ length: count }, () => 300 * random());
    const weights = new Float32Array(count).fill(255);
    const rows = Array.from({ length: 300 }, (_, i) => {
      const row = makeRow(i, { documents: { nll: { values: values(), weights } } });
      const hash = row.id; // as long as those of a real key
      const key = {
        ...row.key,
        limit: count,
        weightsHash: hash,
        configHash: hash,
        tokenizerHash: hash,
        dataHash: hash,
      };
      return { ...row, key, paths: { model: "models/family/model-1b", data: "models/family/text.txt" } };
    });
    await store.add(rows);
    await store.close();
    const tokens = 256 * count;
    const estimated = rows.reduce((sum, { key }) => sum + estimateRowBytes({ key, tokens }), 0);
    const empty = 120_000; // the tables without rows
    const ratio = estimated / (statSync(path).size - empty);
    expect(ratio).toBeGreaterThan(1 / 2);
    expect(ratio).toBeLessThan(2);
  }
  rmSync(folder, { recursive: true });
});

test("tens of thousands of experiments are planned in seconds, each once, the cheapest first", async () => {
  const models = ["0.2m", "0.4m"].map((size) =>
    fileURLToPath(new URL(`../../models/books/books-${size}`, import.meta.url)),
  );
  const blocks = Array.from({ length: 730 }, (_, i) => 16 + i);
  const specs = ["int", "dynamic", "quantile", "nf"].flatMap((type) => blocks.map((block) => `${type}3-8:b${block}`));
  const text = fileURLToPath(new URL("../../models/books/heldout.txt", import.meta.url));
  const plan = await planOnKernels(createStudy({ models, specs, text, window: 64, limit: 4 }));
  expect(plan.experiments).toHaveLength(35_040);
  expect(new Set(plan.experiments.map(({ id }) => id)).size).toBe(35_040);
  for (const [i, { cost }] of plan.experiments.entries())
    expect(i === 0 || cost >= plan.experiments[i - 1].cost).toBe(true);
}, 20_000);

test("a limit above the windows of a text does not add to its bytes", async () => {
  const models = [fileURLToPath(new URL("../../models/books/books-0.2m", import.meta.url))];
  const text = fileURLToPath(new URL("../../models/books/heldout.txt", import.meta.url));
  const bytes = async (limit?: number) => {
    const { experiments, notes } = await planOnKernels(
      createStudy({ models, specs: ["int4"], text, window: 64, limit }),
    );
    expect(notes).toEqual([]);
    return estimateRowBytes(experiments[0]);
  };
  expect(await bytes(1e7)).toBe(await bytes());
  expect(await bytes(2)).toBeLessThan(await bytes());
});

test("a plan says what a model cannot do at all", async () => {
  const models = ["0.2m", "0.4m"].map((size) =>
    fileURLToPath(new URL(`../../models/books/books-${size}`, import.meta.url)),
  );
  const text = fileURLToPath(new URL("../../models/books/heldout.txt", import.meta.url));
  const note = async (flags: object) =>
    (await planOnKernels(createStudy({ models, specs: ["int4", "fp16"], limit: 1, ...flags }))).notes;
  expect(await note({ text, window: 4096 })).toEqual(
    ["0.2m", "0.4m"].map(
      (size) => `books-${size} will fail at perplexity: the window 4096 is above its maximum length of 256.`,
    ),
  );
  expect(await note({ text, stride: 300 })).toContain(
    "books-0.2m will fail at perplexity: the stride 300 is above the 256 tokens of a window of its maximum length.",
  );
  expect(await note({ tasks: ["latency:batch-1-context-256"] })).toContain(
    "books-0.2m will fail at latency: a context of 256 tokens and one more are above its maximum length of 256.",
  );
  expect(await note({ text, window: 256 })).toEqual([]);
  expect(await note({ tasks: ["latency:batch-1-context-255"] })).toEqual([]);
});
