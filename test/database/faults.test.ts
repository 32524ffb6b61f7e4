// What may happen to a study in a real PostgreSQL beside death: cut and frozen connections, clocks that jump, a full disk,
// models that are replaced or missing, schedulers that meet. Every experiment ends with one row or one reason.

import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { type Crew, type CrewEvent, type CrewOptions, createCrew } from "../../src/study/crew.ts";
import { runStudy } from "../../src/study/run.ts";
import { openStore, type StudyStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";
import { makeJob } from "../study/queue-jobs.ts";
import { makeRow } from "../study/rows.ts";
import { startPostgres, type TestServer } from "./postgres.ts";
import { start, startProxy, type TestProxy } from "./processes.ts";

const books = fileURLToPath(new URL("../../models/books", import.meta.url));
const fake = new URL("../study/fake-worker.ts", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "kbit-faults-"));
let server: TestServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  vi.useRealTimers();
});

const flags = { text: join(books, "heldout.txt"), window: 16, limit: 1 };
const model = join(books, "books-0.2m");

/** A crew of fake lanes, and what it told. */
function hire(store: StudyStore, changes: Partial<CrewOptions> = {}): { crew: Crew; events: CrewEvent[] } {
  const events: CrewEvent[] = [];
  const options: CrewOptions = {
    ...{ lanes: 1, threads: 1, kernels: "reference", computeType: "float32", memory: 1e12, untilDone: true },
    ...{ beatMs: 200, retryMs: 20, program: fake, onEvent: (event) => events.push(event) },
    ...changes,
  };
  return { crew: createCrew(store, options), events };
}

const enqueue = (store: StudyStore, specs: string[], models = [model]) =>
  runStudy(createStudy({ models, specs, ...flags }), store, { kernels: "reference", isDetached: true });

describe("a connection", () => {
  let proxy: TestProxy;
  beforeAll(async () => {
    proxy = await startProxy(server.port);
  });
  afterAll(() => proxy.close());

  test.each([
    ["freezes before a commit arrives", "server"],
    ["freezes before the answer to a commit arrives", "client"],
  ] as const)("that %s costs no result and makes none twice", async (_, lost) => {
    const direct = await server.createDatabase();
    const throughProxy = direct.replace(/:\d+\//, `:${proxy.port}/`);
    const store = await openStore(throughProxy, { statementMs: 500 });
    await enqueue(store, ["fp16", "int2-6:b64"]);
    let commits = 0;
    let isCommitted = false;
    proxy.swallow = (bytes, to) => {
      if (to === "server" && bytes.includes("commit")) isCommitted = ++commits === 2 || commits === 5;
      if (!isCommitted || to !== lost) return false;
      isCommitted = false;
      setTimeout(() => proxy.thaw(), 300);
      return true;
    };
    const { crew, events } = hire(store);
    await crew.work();
    proxy.swallow = undefined;
    expect(commits).toBeGreaterThan(6);
    expect(events.filter(({ kind }) => kind === "waiting").length).toBeGreaterThanOrEqual(2);
    expect(events.filter(({ kind }) => kind === "result")).toHaveLength(6);
    expect(await store.rows()).toHaveLength(6);
    expect(await store.queue.counts()).toEqual([]);
    expect(await store.disagreements()).toEqual([]);
    await store.close();
  });
});

test("a connection that falls silent while a store is opened is a sentence", async () => {
  const proxy = await startProxy(server.port);
  const throughProxy = (await server.createDatabase()).replace(/:\d+\//, `:${proxy.port}/`);
  for (const words of ["server_version_num", "pg_catalog"]) {
    proxy.swallow = (bytes, to) => to === "server" && bytes.includes(words);
    const error = await openStore(throughProxy, { statementMs: 300 }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/^The store .* cannot be used: it does not answer\.$/);
    proxy.swallow = undefined;
    proxy.thaw();
  }
  proxy.close();
});

test("clocks that jump, of the database and of this machine, make no worker dead and no experiment twice", async () => {
  const address = await server.createDatabase();
  const client = new pg.Client(address);
  await client.connect();
  // Names are looked up in these schemas before the system's: the queue gets a clock that can be set.
  await client.query(`
    create schema kbit; create schema clock;
    create table clock.shift (by interval);
    insert into clock.shift values ('0');
    create function clock.clock_timestamp() returns timestamptz language sql
      as 'select pg_catalog.clock_timestamp() + (select by from clock.shift)'`);
  const path = encodeURIComponent("-c search_path=kbit,clock,pg_catalog");
  const open = () => openStore(`${address}?options=${path}`);
  const [first, second] = [await open(), await open()];
  await enqueue(first, ["dynamic3-8:b64", "dynamic3-8:b128", "nf4"]);
  const crews = [hire(first), hire(second)];
  const working = Promise.all(crews.map(({ crew }) => crew.work()));
  for (const shift of ["1 hour", "-2 hours", "1 year", "0"]) {
    await sleep(400);
    await client.query("update clock.shift set by = $1", [shift]);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 });
  }
  await working;
  await client.end();
  const events = crews.flatMap((one) => one.events);
  expect(events.filter(({ kind }) => kind === "buried")).toEqual([]);
  const results = events.filter((event) => event.kind === "result");
  expect(results.map(({ job }) => job.attempt)).toEqual(Array(12).fill(1));
  expect(await first.rows()).toHaveLength(12);
  // The one that is killed each time was tried thrice, whatever the clock said.
  expect(await first.failures()).toMatchObject([{ spec: "nf4", reason: expect.stringContaining("SIGKILL") }]);
  for (const store of [first, second]) await store.close();
});

test("a worker that falls silent loses its experiments to another, and may come back", async () => {
  const address = await server.createDatabase();
  const store = await openStore(address);
  await enqueue(store, ["float4", "int4"]);
  // Elsewhere, as far as the other can see: only its silence tells that it is gone.
  await store.queue.beat("gone", { place: "elsewhere", process: 1, beatMs: 100 }, {});
  const job = await store.queue.claim({ worker: "gone", computeType: "float32", memory: 1e12, holds: [] });
  await store.queue.claim({ worker: "gone", computeType: "float32", memory: 1e12, holds: [] });
  const { crew, events } = hire(store, { lanes: 2 });
  const working = crew.work();
  // One of the two never ends; the other one must have, or the stop below would hand it back.
  const kinds = () => events.map(({ kind }) => kind);
  await vi.waitFor(() => expect(kinds()).toEqual(expect.arrayContaining(["progress", "result"])), {
    timeout: 20_000,
    interval: 50,
  });
  expect(events).toContainEqual(expect.objectContaining({ kind: "buried", worker: "gone", jobs: 2 }));
  // It was slow, not dead: its result counts, whoever is at it now.
  await store.queue.complete({ ...makeRow(1), id: job!.experiment.id, key: job!.experiment.key });
  await crew.stop(0);
  await working;
  expect(await store.rows()).toHaveLength(2);
  await store.close();
});

test("a full disk keeps what is stored, and the rest goes on when there is room", async () => {
  const limited = await startPostgres();
  try {
    const store = await openStore(await limited.createDatabase());
    const numbers = Array.from({ length: 40 }, (_, i) => i);
    await store.queue.enqueue(
      "study",
      "run",
      numbers.map((i) => makeJob(i)),
      40,
    );
    await limited.kill();
    await limited.start(1024);
    const values = () => Float32Array.from({ length: 25_000 }, () => Math.random());
    const row = (i: number) => makeRow(i, { documents: { nll: { values: values() } } });
    let stored = 0;
    let full: unknown;
    for (; full === undefined && stored < 40; stored++)
      full = await store.queue.complete(row(stored)).then(
        () => undefined,
        (error) => error,
      );
    stored--;
    expect((store.explain(full) as Error).message).toMatch(/^The store .* cannot be used: the disk is full\.$/);
    expect(store.queue.isPassing(full)).toBe(true);
    expect(stored).toBeGreaterThan(2);
    await limited.kill();
    // Where the store itself has made a sentence of it, it passes just the same.
    const away = await store.rows().catch((error) => error);
    expect([away instanceof InputError, store.queue.isPassing(away)]).toEqual([true, true]);
    await limited.start();
    expect(await store.count()).toEqual({ results: stored, failures: 0 });
    for (; stored < 40; stored++) await store.queue.complete(row(stored));
    expect((await store.rows({ documents: true })).map(({ id }) => id)).toEqual(numbers.map((i) => makeRow(i).id));
    expect(await store.queue.counts()).toEqual([]);
    await store.close();
  } finally {
    await limited.close();
  }
});

test("a model that is replaced while its study runs is refused by its hash, and measured when it is back", async () => {
  const own = join(folder, "models/own");
  mkdirSync(join(folder, "models"));
  cpSync(model, own, { recursive: true });
  const address = await server.createDatabase();
  const store = await openStore(address);
  await enqueue(store, ["int4:b64", "int5:b64"], [own, model]);
  copyFileSync(join(books, "books-0.4m/model.safetensors"), join(own, "model.safetensors"));
  const work = () =>
    start(
      [
        "worker",
        "--db",
        address,
        "--models",
        join(folder, "models"),
        "--data",
        books,
        "--until-done",
        "--heartbeat",
        "500",
      ],
      {
        KBIT_KERNELS: "wasm",
      },
    );
  const first = work();
  expect([await first.ended, first.output()]).toEqual([
    1,
    expect.stringContaining("own was changed while the study ran"),
  ]);
  const failures = await store.failures();
  expect(failures).toHaveLength(2); // both models hold the same, so that they are the same experiments
  copyFileSync(join(model, "model.safetensors"), join(own, "model.safetensors"));
  expect(await store.queue.retry()).toBe(2);
  const second = work();
  expect([await second.ended, second.output()]).toEqual([0, expect.stringContaining("2 results, 0 failed")]);
  expect(await store.rows()).toHaveLength(2);
  expect(await store.failures()).toEqual([]);
  await store.close();
});

test("two schedulers and their lanes at once on one database compute each experiment once", async () => {
  const address = await server.createDatabase();
  const study = [
    "study",
    "run",
    model,
    "--specs",
    "fp16,int3-6:b64",
    "--text",
    flags.text,
    "--window",
    "16",
    "--limit",
    "1",
  ];
  const runs = [1, 2].map(() => start([...study, "--db", address, "--workers", "1"], { KBIT_KERNELS: "wasm" }));
  for (const run of runs) expect([await run.ended, run.output()]).toEqual([0, expect.stringContaining("[5/5]")]);
  const store = await openStore(address);
  expect(await store.rows()).toHaveLength(5);
  await store.close();
});

test("SIGTERM lets a worker finish, or hands back what it cannot", async () => {
  const address = await server.createDatabase();
  const store = await openStore(address);
  await enqueue(store, ["dynamic4", "float4"]);
  const { crew, events } = hire(store, { lanes: 2, untilDone: false });
  const working = crew.work();
  await vi.waitFor(() => expect(events.filter(({ kind }) => kind === "begin")).toHaveLength(2), { timeout: 10_000 });
  await crew.stop(2000);
  await working;
  expect((await store.rows()).map(({ key }) => key.spec)).toEqual(["dynamic4"]);
  expect(events.filter(({ kind }) => kind === "handback")).toHaveLength(1);
  expect(await store.queue.workers()).toEqual([]);
  expect(await store.queue.counts()).toMatchObject([{ state: "queued", jobs: 1 }]);
  await store.close();
});
