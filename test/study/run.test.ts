// The scheduler, with workers that only pretend: what is stored is not repeated, what fails fails alone, a stop is clean.

import { copyFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type RunOptions, runStudy, type StudyEvent } from "../../src/study/run.ts";
import { explainError } from "../../src/study/store/backend.ts";
import { openStore, type StudyStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books", import.meta.url));
const program = new URL("./fake-worker.ts", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "kbit-run-"));
afterAll(() => rmSync(folder, { recursive: true }));
const text = join(folder, "text.txt");
writeFileSync(text, "It was a bright cold day in April, and the clocks were striking thirteen. ".repeat(20));

const model = join(books, "books-0.2m");
const makeStudy = (specs: string[], models = [model]) => createStudy({ models, specs, text, window: 16, limit: 2 });
const options: RunOptions = { program, workers: 2, kernels: "reference", retryMs: 20 };

describe("runStudy", () => {
  test("computes every experiment once, and nothing at the second run", async () => {
    const store = await openStore(":memory:");
    const study = makeStudy(["fp16", "int2-8:b64"]);
    const first = await runStudy(study, store, options);
    expect(first).toMatchObject({ computed: 8, stored: 0, failures: [], interrupted: false });
    expect((await store.rows()).map((row) => row.id).sort()).toEqual([...first.ids].sort());
    const second = await runStudy(study, store, options);
    expect(second).toMatchObject({ ids: first.ids, computed: 0, stored: 8 });
    const third = await runStudy(makeStudy(["fp16", "int2-8"]), store, options);
    expect(third).toMatchObject({ computed: 7, stored: 1 });
    await store.close();
  });

  test("takes times last, when everything else is done", async () => {
    const store = await openStore(":memory:");
    const tasks = (names: string[], specs: string[]) =>
      createStudy({ models: [model], specs, text, window: 16, limit: 2, tasks: names });
    const order: string[] = [];
    const onEvent = (event: StudyEvent) => event.kind === "result" && order.push(event.row.key.task);
    const summary = await runStudy(tasks(["latency"], ["fp16", "int2-4"]), store, { ...options, onEvent });
    expect(summary).toMatchObject({ computed: 8, failures: [] });
    expect(order).toEqual([...Array(4).fill("perplexity"), ...Array(4).fill("latency")]);
    const onlyTimes = createStudy({ models: [model], specs: ["int5"], tasks: ["latency"] });
    expect(await runStudy(onlyTimes, store, options)).toMatchObject({ computed: 1 });
    expect(await runStudy(onlyTimes, store, options)).toMatchObject({ computed: 0, stored: 1 });
    await store.close();
  });

  test("waits for a store that is away while times are taken", async () => {
    const store = await openStore(":memory:");
    const study = createStudy({ models: [model], specs: ["int5"], tasks: ["latency"] });
    let calls = 0;
    const away: StudyStore = {
      ...store,
      path: "postgres://away", // of which it is known that it may come back
      add: async (row) => {
        if (++calls === 1) throw explainError({ errcode: 10 }, "away", () => "the connection was cut");
        await store.add(row);
      },
    };
    const reasons: string[] = [];
    const onEvent = (event: StudyEvent) => event.kind === "waiting" && reasons.push(event.reason);
    expect(await runStudy(study, away, { ...options, onEvent })).toMatchObject({ computed: 1, failures: [] });
    expect(reasons).toEqual(["The store away cannot be used: the connection was cut."]);
    expect(await store.rows()).toHaveLength(1);
    await store.close();
  });

  test("fails only the experiments that fail, whether they say so, throw, end, are killed, or take all memory", async () => {
    const store = await openStore(":memory:");
    const study = makeStudy(["bf16", "fp32", "stored", "nf4", "nf5", "int2-8"]);
    vi.stubEnv("NODE_OPTIONS", "--max-old-space-size=40");
    const summary = await runStudy(study, store, options);
    vi.unstubAllEnvs();
    expect(summary.computed).toBe(7);
    const reasons = Object.fromEntries(summary.failures.map(({ spec, reason }) => [spec, reason]));
    expect(reasons).toEqual({
      bf16: "It cannot be done.",
      fp32: "The experiment's process died: A fault.",
      stored: "The experiment's process ended with code 7; it may need more memory.",
      nf4: "The experiment's process was killed (SIGKILL), as the system does when memory is short; try fewer workers.",
      nf5: "The experiment ran out of memory; try fewer workers.",
    });
    expect(await store.failures()).toHaveLength(5);
    await store.close();
  });

  test("tries a failed experiment again, and forgets its failure when it succeeds", async () => {
    const flaky = join(folder, "flaky");
    cpSync(model, flaky, { recursive: true });
    writeFileSync(join(flaky, "fail"), "");
    const store = await openStore(":memory:");
    const study = makeStudy(["int4"], [flaky]);
    expect(await runStudy(study, store, options)).toMatchObject({ computed: 0, failures: [{ model: "flaky" }] });
    expect(await runStudy(study, store, options)).toMatchObject({ computed: 0, failures: [{ model: "flaky" }] });
    expect(await store.failures()).toHaveLength(1);
    rmSync(join(flaky, "fail"));
    expect(await runStudy(study, store, options)).toMatchObject({ computed: 1, failures: [] });
    expect(await store.failures()).toEqual([]);
    await store.close();
  });

  test("fails a model that cannot be opened with a reason for each of its experiments, and measures the others", async () => {
    const broken = join(folder, "broken");
    cpSync(model, broken, { recursive: true });
    writeFileSync(join(broken, "model.safetensors"), "not a model");
    const store = await openStore(":memory:");
    const summary = await runStudy(makeStudy(["fp16", "int4"], [broken, model]), store, options);
    expect(summary.computed).toBe(2);
    expect(summary.failures.map(({ model, spec }) => [model, spec])).toEqual([
      ["broken", "fp16"],
      ["broken", "int4"],
    ]);
    expect(summary.failures[0].reason).toMatch(/model\.safetensors/);
    copyFileSync(join(model, "model.safetensors"), join(broken, "model.safetensors"));
    // Mended, it is the same model under another name: its results are there already.
    expect(await runStudy(makeStudy(["fp16", "int4"], [broken, model]), store, options)).toMatchObject({
      ids: { length: 2 },
      stored: 2,
      failures: [],
    });
    await store.close();
  });

  test("stops in the middle of an experiment when it is told to, and keeps what is done", async () => {
    const store = await openStore(":memory:");
    const controller = new AbortController();
    const events: StudyEvent[] = [];
    const onEvent = (event: StudyEvent) => {
      events.push(event);
      if (event.kind === "progress") controller.abort();
    };
    const study = makeStudy(["int4", "float4", "int5", "int6"]);
    const summary = await runStudy(study, store, { ...options, workers: 1, signal: controller.signal, onEvent });
    expect(summary).toMatchObject({ interrupted: true, computed: 1, failures: [] });
    expect(await store.rows()).toHaveLength(1);
    expect(await store.failures()).toEqual([]);
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind !== "workers");
    expect(kinds).toEqual(["hashing", "planned", "result", "progress"]);
    await store.close();
  });

  test("ends when its study is cancelled, takes no times then, and goes on with the rest the next time", async () => {
    const store = await openStore(":memory:");
    const study = createStudy({
      models: [model],
      specs: ["dynamic3-8"],
      text,
      window: 16,
      limit: 2,
      tasks: ["latency"],
    });
    let isCancelled = false;
    const onEvent = async (event: StudyEvent) => {
      if (event.kind !== "result" || isCancelled) return;
      isCancelled = true;
      await store.queue.cancel(study.name);
    };
    const first = await runStudy(study, store, { ...options, onEvent });
    expect(first).toMatchObject({ interrupted: false, failures: [] });
    expect(first.computed).toBeGreaterThan(0);
    expect(first.cancelled).toBeGreaterThan(6);
    expect(first.computed + first.cancelled).toBe(12);
    expect(await store.rows()).toHaveLength(first.computed);
    const second = await runStudy(study, store, options);
    expect(second).toMatchObject({ stored: first.computed, computed: first.cancelled, cancelled: 0 });
    await store.close();
  });

  test("says that it waits for a study that is paused, and goes on when that does", async () => {
    const store = await openStore(":memory:");
    const study = makeStudy(["int3-4"]);
    await runStudy(study, store, { ...options, isDetached: true });
    await store.queue.pause(study.name, true);
    const reasons: string[] = [];
    const onEvent = async (event: StudyEvent) => {
      if (event.kind !== "waiting") return;
      reasons.push(event.reason);
      await store.queue.pause(study.name, false);
    };
    expect(await runStudy(study, store, { ...options, onEvent })).toMatchObject({ computed: 2 });
    expect(reasons).toEqual(["2 experiments are paused; kbit study resume goes on."]);
    await store.close();
  });

  test("does nothing when it was stopped before it began", async () => {
    const store = await openStore(":memory:");
    const summary = await runStudy(makeStudy(["int4"]), store, { ...options, signal: AbortSignal.abort() });
    expect(summary).toMatchObject({ interrupted: true, computed: 0 });
    await store.close();
  });

  test("ends with the store's error when a result cannot be kept", async () => {
    const store = await openStore(":memory:");
    const full = { ...store, queue: { ...store.queue, complete: () => Promise.reject(new Error("disk full")) } };
    await expect(runStudy(makeStudy(["int3-8"]), full, options)).rejects.toThrow("disk full");
    await store.close();
  });

  test("says how far it is", async () => {
    const store = await openStore(":memory:");
    const shares: number[] = [];
    const onEvent = (event: StudyEvent) => {
      if (event.kind === "result") shares.push(event.progress.share);
    };
    const books4 = ["books-0.2m", "books-0.8m"].map((name) => join(books, name));
    await runStudy(makeStudy(["fp16", "int4"], books4), store, { ...options, workers: 1, onEvent });
    expect(shares).toHaveLength(4);
    expect([...shares].sort((a, b) => a - b)).toEqual(shares);
    expect(shares[3]).toBe(1);
    await store.close();
  });
});
