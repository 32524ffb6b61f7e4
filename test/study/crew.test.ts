// A crew on a store that is away, paused or shared with the dead: it can be stopped at any moment, and says what it waits for.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { type Crew, type CrewEvent, type CrewOptions, createCrew } from "../../src/study/crew.ts";
import { describePlace } from "../../src/study/place.ts";
import { openStore, type StudyStore } from "../../src/study/store/store.ts";
import { makeJob } from "./queue-jobs.ts";
import { makeRow } from "./rows.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-crew-"));
afterAll(() => rmSync(folder, { recursive: true }));
let stores = 0;

/** A store with two experiments that give a row, and a third that never ends. */
async function openQueue(): Promise<StudyStore> {
  const store = await openStore(join(folder, `${stores++}.db`));
  const endless = makeJob(3);
  const experiment = { ...endless.experiment, spec: { text: "float4", spec: { kind: "baseline", type: "fp16" } } };
  await store.queue.enqueue("study", "run", [makeJob(1), makeJob(2), { ...endless, experiment } as typeof endless], 3);
  return store;
}

function hire(store: StudyStore, changes: Partial<CrewOptions> = {}): { crew: Crew; events: CrewEvent[] } {
  const events: CrewEvent[] = [];
  const crew = createCrew(store, {
    ...{ lanes: 1, threads: 1, kernels: "reference", computeType: "float32", memory: 1e12, untilDone: false },
    ...{ beatMs: 200, program: new URL("./fake-worker.ts", import.meta.url), onEvent: (event) => events.push(event) },
    ...changes,
  });
  return { crew, events };
}

/** The store with parts of its queue replaced, as if a server were between. */
const withQueue = (store: StudyStore, changes: Partial<StudyStore["queue"]>): StudyStore => {
  return { ...store, queue: { ...store.queue, isPassing: () => true, ...changes } };
};
const refuse = () => Promise.reject(new Error("Nothing listens there."));
const silence = () => new Promise<never>(() => {});
const until = (check: () => boolean) => vi.waitFor(() => expect(check()).toBe(true), { timeout: 20_000, interval: 20 });

test.each([
  ["refuses", refuse],
  ["is silent", silence],
])("an idle crew whose store %s ends at the first stop, whatever the grace", async (_, claim) => {
  const store = await openQueue();
  const asked = vi.fn(claim);
  const { crew } = hire(withQueue(store, { claim: asked }));
  const working = crew.work();
  await until(() => asked.mock.calls.length > 0);
  const started = performance.now();
  await crew.stop(600_000);
  await working;
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(await store.queue.workers()).toHaveLength(1); // a claim may have been answered: others find it dead
  await store.close();
});

test("a crew that cannot deliver waits for its grace, at the second stop no longer, and says that it could not", async () => {
  const store = await openQueue();
  for (const stops of [[300], [600_000, 0]]) {
    const { crew, events } = hire(withQueue(store, { complete: refuse, claim: store.queue.claim }));
    const working = crew.work().catch((error: Error) => error.message);
    await until(() => events.some(({ kind }) => kind === "waiting"));
    const started = performance.now();
    for (const graceMs of stops) void crew.stop(graceMs);
    expect(await working).toBe("Nothing listens there.");
    expect(performance.now() - started).toBeLessThan(10_000);
    expect((await store.queue.workers()).map(({ id }) => id)).toContain(crew.id); // so that its experiment comes back
  }
  await store.close();
});

test("until it is done a crew waits for what is paused, says how much that is once, and goes on with it", async () => {
  const store = await openStore(join(folder, `${stores++}.db`));
  await store.queue.enqueue("study", "run", [makeJob(1), makeJob(2)], 2);
  await store.queue.pause("study", true);
  const { crew, events } = hire(store, { untilDone: true });
  const working = crew.work();
  const asked = vi.spyOn(store.queue, "claim");
  await until(() => asked.mock.calls.length > 2);
  const reason = "2 experiments are paused; kbit study resume goes on.";
  expect(events).toEqual([{ kind: "waiting", reason }]);
  await store.queue.pause("study", false);
  await working;
  expect(events.filter(({ kind }) => kind === "waiting")).toHaveLength(1);
  expect(await store.rows()).toHaveLength(2);
  await store.close();
});

test("a worker that died idle is not said to have died of an experiment", async () => {
  const store = await openStore(join(folder, `${stores++}.db`));
  const nobody = 2 ** 30; // above every process id
  const dead = { place: describePlace(), process: nobody, beatMs: 1000 };
  await store.queue.enqueue("study", "run", [makeJob(1)], 1);
  await store.queue.beat("busy", dead, {});
  await store.queue.claim({ worker: "busy", computeType: "float32", memory: 1e12, holds: [] });
  await store.queue.beat("idle", dead, {});
  const { crew, events } = hire(store, { untilDone: true });
  await crew.work();
  expect(events.filter(({ kind }) => kind === "buried")).toEqual([
    {
      kind: "buried",
      worker: "busy",
      jobs: 1,
      reason: "The worker busy has died while the experiment ran; it may need more memory.",
    },
    { kind: "buried", worker: "idle", jobs: 0, reason: "The worker idle has died; it was idle." },
  ]);
  expect((await store.rows()).map(({ id }) => id)).toEqual([makeRow(1).id]);
  await store.close();
});
