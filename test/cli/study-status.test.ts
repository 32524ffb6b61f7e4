// kbit study status, failures, retry, pause, resume and cancel on a store whose queue is known: what they print, change and refuse.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Command } from "commander";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { createBlock } from "../../src/cli/block.ts";
import { addStudyCommand } from "../../src/cli/study.ts";
import { createView } from "../../src/cli/study-view.ts";
import { InputError } from "../../src/input-error.ts";
import { openStore } from "../../src/study/store/store.ts";
import { makeJob } from "../study/queue-jobs.ts";
import { makeRow } from "../study/rows.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-status-"));
afterAll(() => rmSync(folder, { recursive: true }));
let db = "";
let stores = 0;

// Of five experiments one is done, one runs, one failed, one will be tried again, one waits.
beforeEach(async () => {
  db = join(folder, `${stores++}.db`);
  const store = await openStore(db);
  const { queue } = store;
  await queue.enqueue(
    "books",
    "run",
    [1, 2, 3, 4, 5].map((number) => makeJob(number)),
    5,
  );
  const running = { model: "model-2", spec: "int4:b64", task: "perplexity", share: 0.5, seconds: 3 };
  const report = {
    host: "here",
    kernels: "wasm",
    memory: 1e9,
    lanes: 2,
    running: [running],
    done: 1,
    failed: 1,
    cost: 101,
    seconds: 2,
  };
  await queue.beat("ada", { place: "elsewhere", process: 1, beatMs: 60_000 }, report);
  const take = () => queue.claim({ worker: "ada", computeType: "float32", memory: 1e9, holds: [] });
  for (let i = 0; i < 4; i++) await take();
  await queue.complete(makeRow(1));
  await queue.fail(makeRow(3).id, "ada", { reason: "It is too large." });
  await queue.fail(makeRow(4).id, "ada", { reason: "It crashed.", retryInMs: 60_000 });
  await store.close();
});

async function run(...args: string[]): Promise<string> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
  try {
    const program = new Command().exitOverride();
    addStudyCommand(program);
    await program.parseAsync(["study", ...args, "--db", db], { from: "user" });
  } finally {
    spy.mockRestore();
  }
  return written.join("");
}

test("status says how far each study is, who is at what, and what failed", async () => {
  const text = await run("status");
  expect(text).toMatch(/: 1 result, 1 in the last minute\.\n/);
  expect(text).toMatch(/\nbooks +1 of 5 +1 +2 +1 +\d+ s\n/);
  expect(text).toMatch(/1 worker:\n {2}ada {2}1 result, 1 failed\n {4}model-2 int4:b64 perplexity {2}50 % {2}3 s\n/);
  expect(text).toMatch(/1 failed, 1 will be tried again; kbit study failures says why\.\n$/);
  const status = JSON.parse(await run("status", "--json"));
  expect(status).toMatchObject({ store: db, results: 1, perMinute: 1, disagreements: 0 });
  expect(status.studies).toMatchObject([{ name: "books", experiments: 5, done: 1, running: 1, queued: 2, failed: 1 }]);
  expect(status.workers).toMatchObject([{ id: "ada", isSilent: false, report: { lanes: 2 } }]);
});

test("failures says why, and retry begins the failed ones anew", async () => {
  expect(await run("failures")).toBe(
    "failed model-3 int4:b64 perplexity: It is too large.\n" +
      "to be tried again (1 attempt) model-4 int4:b64 perplexity: It crashed.\n",
  );
  const { failures, waiting, disagreements } = JSON.parse(await run("failures", "--json"));
  expect(failures).toMatchObject([{ model: "model-3", reason: "It is too large." }]);
  expect(waiting).toMatchObject([{ model: "model-4", study: "books", attempts: 1, reason: "It crashed." }]);
  expect(disagreements).toEqual([]);
  expect(await run("retry", "--study", "books")).toBe("1 experiment will be tried again.\n");
  expect(JSON.parse(await run("retry", "--json"))).toEqual({ db, jobs: 0, notQueued: 0 });
  expect(await run("failures")).toMatch(/^to be tried again \(\d attempts?\) .*\nto be tried again .*\n$/); // each once
  expect(JSON.parse(await run("status", "--json")).studies).toMatchObject([{ queued: 3, failed: 0 }]);
});

test("failures of models that do not open are of their study, and have the same count everywhere", async () => {
  const store = await openStore(db);
  const failure = {
    model: "broken",
    spec: "int4",
    task: "perplexity",
    reason: "It does not open.",
    date: "2026-01-01",
  };
  for (let runs = 0; runs < 2; runs++) {
    await store.queue.keepUnplanned("second", [failure]);
    await store.queue.enqueue("second", "run", [], 1);
  }
  expect(await store.count()).toMatchObject({ failures: 2 }); // the older reason is gone
  expect(await run("status")).toMatch(/\nsecond +0 of 1 +0 +0 +1\n(?:.|\n)*2 failed, 1 will be tried again; /);
  expect(JSON.parse(await run("failures", "--json")).failures).toHaveLength(2);
  const rest = "1 more never came into the queue; kbit study run tries them again.\n";
  expect(await run("retry", "--study", "second")).toBe(`0 experiments will be tried again. ${rest}`);
  expect(await run("retry")).toBe(`1 experiment will be tried again. ${rest}`);
  expect(await run("status")).toMatch(/\n1 failed, 2 will be tried again; /);
  await store.queue.keepUnplanned("second", []); // it opens
  expect(await store.failures()).toEqual([]);
  await store.close();
});

test("pause lets nothing new begin until resume, and a name that is wrong is refused", async () => {
  expect(await run("pause", "books")).toBe("books is paused.\n");
  expect(await run("status")).toMatch(/\nbooks \(paused\) +1 of 5 +1 +2 +1/);
  const store = await openStore(db);
  const claim = () => store.queue.claim({ worker: "bob", computeType: "float32", memory: 1e9, holds: [] });
  expect(await claim()).toBeUndefined();
  expect(await run("resume", "books")).toBe("books goes on.\n");
  expect(await claim()).toMatchObject({ experiment: { id: makeRow(5).id } });
  await store.close();
  const refused = run("pause", "boks");
  await expect(refused).rejects.toThrow(InputError);
  await expect(refused).rejects.toThrow(/has no study boks; did you mean books\?$/);
});

test("cancel takes what waits out of the queue, keeps what is done, and leaves what runs", async () => {
  expect(await run("cancel", "books")).toBe("2 experiments of books taken out of the queue; 1 that runs may finish.\n");
  expect(await run("status")).toMatch(/\nbooks \(cancelled\) +1 of 3 +1 +0 +1/);
  expect(JSON.parse(await run("cancel", "books", "--json"))).toEqual({ db, study: "books", cancelled: 0, running: 1 });
  await expect(run("resume", "books")).rejects.toThrow(
    "books was cancelled, and nothing of it waits; kbit study run puts it in the queue again.",
  );
  await expect(run("cancel", "boks")).rejects.toThrow(/has no study boks; did you mean books\?$/);
  const store = await openStore(db);
  await store.queue.complete(makeRow(2));
  await store.close();
  expect(await run("status")).toMatch(/\nbooks \(cancelled\) +2 of 3 +0 +0 +1/);
  expect(await run("cancel", "books")).toBe("0 experiments of books taken out of the queue.\n");
});

test("a job that came back while its study was cancelled is given to nobody", async () => {
  await run("cancel", "books");
  const file = new DatabaseSync(db);
  file.exec(`update jobs set state = 'queued', worker = null where id = '${makeRow(2).id}'`);
  file.close();
  const store = await openStore(db);
  expect(await store.queue.claim({ worker: "bob", computeType: "float32", memory: 1e9, holds: [] })).toBeUndefined();
  expect(await store.queue.counts()).toMatchObject([{ state: "failed", jobs: 1 }]);
  expect(await store.queue.studies()).toMatchObject([{ experiments: 2 }]);
  await store.close();
});

/** A terminal that keeps what is written. */
function createTerminal(isTTY: boolean) {
  let written = "";
  const write = (text: string) => {
    written += text;
    return true;
  };
  const stream = { isTTY, columns: 40, rows: 10, write };
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => written };
}

test("a block of lines is written over itself, cut to the terminal, and silent where there is none", () => {
  const terminal = createTerminal(true);
  const block = createBlock(terminal.stream);
  block.show(["one", "x".repeat(100)]);
  block.log("for good");
  block.show(["two"]);
  block.end(["the end"]);
  const cut = "x".repeat(39);
  expect(terminal.written()).toBe(
    `one\n${cut}\n\x1b[2F\x1b[Jfor good\none\n${cut}\n\x1b[2F\x1b[Jtwo\n\x1b[1F\x1b[Jthe end\n`,
  );
  const file = createTerminal(false);
  const plain = createBlock(file.stream);
  plain.show(["one"]);
  plain.log("for good");
  plain.end(["the end"]);
  expect(file.written()).toBe("for good\nthe end\n");
});

test("a running study shows who is at what, what failed, and the best precision so far", () => {
  const terminal = createTerminal(true);
  Object.assign(terminal.stream, { columns: 200 });
  const view = createView(terminal.stream);
  const sizes = [1e6, 2e6, 4e6];
  for (const bits of [3, 4])
    for (const [i, parameters] of sizes.entries())
      view.result(
        makeRow(10 * bits + i, {
          bitsPerWeight: bits,
          key: { ...makeRow(1).key, spec: `int${bits}:b64`, weightsHash: `size-${i}` },
          model: { ...makeRow(1).model, name: `m${i}`, family: "m", parameters },
          bits: { ...makeRow(1).bits, total: bits * parameters },
          metrics: { perplexity: { value: 40 - 5 * i + (bits === 3 ? 9 : 0), standardError: 0.01, n: 1000 } },
        }),
      );
  view.failure({ model: "m9", spec: "int4", task: "perplexity", reason: "It crashed.", date: "" });
  const running = { model: "m2", spec: "int4:b64", task: "perplexity", share: 0.25, seconds: 4 };
  const report = {
    host: "here",
    kernels: "",
    memory: 1,
    lanes: 1,
    running: [running],
    done: 1,
    failed: 0,
    cost: 1,
    seconds: 1,
  };
  view.workers([
    { id: "ada", report },
    { id: "bob", report: { ...report, running: [] } },
  ]);
  view.around(() => {});
  expect(terminal.written()).toBe(""); // nothing before it is known how far the study is
  view.progress({ done: 7, total: 10, share: 0.5, secondsLeft: 90 });
  const lines = terminal.written().split("\n");
  expect(lines[0]).toBe("running ████████████░░░░░░░░░░░░ 50 %  7 of 10  1 min 30 s left  6 in the last minute");
  expect(lines.slice(1, 4)).toEqual([
    "  ada  m2 int4:b64 perplexity  25 %  4 s",
    "  2 workers",
    "  1 failed, the last: m9 int4 perplexity: It crashed.",
  ]);
  expect(lines[4]).toMatch(/^ {2}So far: 4 bits give the lowest loss on .+ at equal size/);
  view.end();

  const narrow = createTerminal(true);
  narrow.stream.columns = 80;
  const small = createView(narrow.stream);
  small.progress({ done: 34_000, total: 35_000, share: 0.97, secondsLeft: 7200 });
  expect(narrow.written()).toBe("running ████████████ 97 %  34000 of 35000  2 h 0 min left  0 in the last minute\n");
  small.end();
});
