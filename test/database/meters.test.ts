// What a study tells OpenTelemetry, by the SDK that a user would load: every end once, the queue and the workers as they are.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { runStudy } from "../../src/study/run.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";
import type { Told } from "./telemetry.ts";

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const books = pathOf("../../models/books");
const model = join(books, "books-0.2m");
const folder = mkdtempSync(join(tmpdir(), "kbit-meters-"));
afterAll(() => rmSync(folder, { recursive: true }));
const flags = { models: [model], text: join(books, "heldout.txt"), window: 16, limit: 1 };

/** The last value of each set of attributes of an instrument, those attributes alone that are asked for. */
function last(told: readonly Told[], name: string, ...attributes: string[]): Record<string, number> {
  const own = told.filter((one) => one.name === name);
  return Object.fromEntries(own.map((one) => [attributes.map((key) => one.attributes[key]).join(" "), one.value]));
}

test("counts what ended in this process by its outcome, and times what has a result", async () => {
  const { readTold } = await import("./telemetry.ts");
  const store = await openStore(":memory:");
  const study = createStudy({ ...flags, specs: ["dynamic3-8", "bf16", "nf4"], tasks: ["latency"] });
  const options = { program: new URL("../study/fake-worker.ts", import.meta.url), workers: 2, kernels: "reference" };
  const { computed, failures } = await runStudy(study, store, { ...options, retryMs: 1 });
  expect([computed, failures.length]).toEqual([12, 4]);
  const told = readTold();
  expect(last(told, "kbit.experiments", "task", "outcome")).toEqual({
    "perplexity done": 6,
    "perplexity failed": 2, // bf16 at once; nf4, whose process is killed, at the third attempt
    "perplexity retried": 2,
    "latency done": 6,
    "latency failed": 2,
  });
  expect(last(told, "kbit.experiment.duration", "task", "study")).toEqual({
    [`perplexity ${study.name}`]: 6,
    [`latency ${study.name}`]: 6,
  });
  const depths = told.filter(
    ({ name, attributes }) => name.startsWith("kbit.queue") && attributes["state"] === "queued",
  );
  expect(Math.max(...depths.map(({ value }) => value))).toBeGreaterThan(1);
  expect(Math.max(...told.filter(({ name }) => name === "kbit.workers").map(({ value }) => value))).toBe(1);
  await store.close();
});

test("kbit worker tells an SDK that node --import loads, and sends the rest at its end", async () => {
  const db = join(folder, "a.db");
  const store = await openStore(db);
  const study = createStudy({ ...flags, specs: ["fp16", "int4"] });
  await runStudy(study, store, { isDetached: true });
  await store.close();
  const file = join(folder, "told.json");
  const kbit = ["--import", pathOf("./telemetry.ts"), pathOf("../../src/cli/kbit.ts")];
  const args = ["worker", "--db", db, "--models", books, "--workers", "1", "--until-done"];
  const { status, stderr } = spawnSync(process.execPath, [...kbit, ...args], {
    encoding: "utf8",
    env: { ...process.env, TELEMETRY_FILE: file },
  });
  expect([status, stderr]).toEqual([0, ""]);
  const told = JSON.parse(readFileSync(file, "utf8")) as Told[];
  expect(last(told, "kbit.experiments", "outcome")).toEqual({ done: 2 });
  expect(told.find(({ name }) => name === "kbit.experiment.duration")?.attributes).toMatchObject({
    study: study.name,
    task: "perplexity",
  });
});
