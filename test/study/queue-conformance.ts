// What the queue of every store does, whatever database it lies in: the same tests for SQLite and PostgreSQL.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import type { Job, Offer } from "../../src/study/store/queue.ts";
import { openStore, type StudyStore } from "../../src/study/store/store.ts";
import { makeJob } from "./queue-jobs.ts";
import { makeRow } from "./rows.ts";

const offer: Offer = { worker: "ada", computeType: "float32", memory: 1e9, holds: [] };
const place = { place: "here", process: 1, beatMs: 1000 };

/** @param newPath - path or address of a new, empty store */
export function describeQueue(name: string, newPath: () => string | Promise<string>): void {
  const open = async (jobs: Job[] = [], run = "run") => {
    const store = await openStore(await newPath());
    await store.queue.enqueue("study", run, jobs, jobs.length);
    return store;
  };
  const claimAll = async ({ queue }: StudyStore, from: Offer = offer) => {
    const numbers: number[] = [];
    for (let job = await queue.claim(from); job; job = await queue.claim(from)) numbers.push(job.experiment.cost - 100);
    return numbers;
  };
  const states = async ({ queue }: StudyStore) =>
    Object.fromEntries((await queue.counts()).map(({ state, jobs }) => [state, jobs]));

  describe(`the queue in ${name}`, () => {
    test("gives each job once: by priority, then the first task of each model at each spec, then by cost", async () => {
      const jobs = [
        makeJob(5),
        makeJob(3, { rank: 1 }),
        makeJob(9, { priority: 1 }),
        makeJob(1),
        makeJob(2, { rank: 1 }),
      ];
      const store = await open(jobs);
      const first = await store.queue.claim(offer);
      expect(first).toEqual({ ...jobs[2], study: "study", attempt: 1 });
      expect(await claimAll(store)).toEqual([1, 5, 2, 3]);
      await store.close();
    });

    test("prefers what a worker has loaded, and gives it what fits alone", async () => {
      const store = await open([
        makeJob(1, { memory: 5e9 }),
        makeJob(2, { batch: "loaded", rank: 1 }),
        makeJob(3),
        makeJob(4, { batch: "loaded", rank: 2 }),
      ]);
      expect(await store.queue.claim({ ...offer, computeType: "bfloat16" })).toBeUndefined();
      expect((await store.queue.claim({ ...offer, batch: "loaded" }))?.experiment.cost).toBe(102);
      expect(await claimAll(store, { ...offer, batch: "loaded" })).toEqual([4, 3]);
      expect(await claimAll(store, { ...offer, memory: 5e9 })).toEqual([1]);
      await store.close();
    });

    test("holds a job once, however often and by whom it is asked for", async () => {
      const store = await open([makeJob(1), makeJob(2)]);
      const running = await store.queue.claim(offer);
      await store.add(makeRow(3));
      await store.queue.enqueue(
        "study",
        "later",
        [makeJob(1), makeJob(2, { memory: 999 }), makeJob(3, { memory: 999 })],
        3,
      );
      expect(await states(store)).toEqual({ running: 1, queued: 2 });
      // One of a run that is waited for by another; one whose result came while it was enqueued is not given.
      expect(await claimAll(store, { ...offer, run: "run" })).toEqual([]);
      expect(await claimAll(store, { ...offer, run: "later", memory: 999 })).toEqual([2]); // as it was asked for last
      expect(running?.experiment.id).toBe(makeRow(1).id);
      expect(await states(store)).toEqual({ running: 2 });
      await store.close();
    });

    test("stores a result and ends its job at once, and as often as it is told so", async () => {
      const store = await open([makeJob(1), makeJob(2)]);
      await store.queue.claim(offer);
      expect(await store.queue.complete(makeRow(1))).toEqual([]);
      expect(await store.queue.complete(makeRow(1))).toEqual([]);
      expect(await store.rows()).toEqual([makeRow(1)]);
      expect(await states(store)).toEqual({ queued: 1 });
      expect(await store.queue.complete(makeRow(1, { metrics: { acc: { value: 1, n: 1 } } }))).toHaveLength(1);
      await store.close();
    });

    test("tries again after a while, then ends with the reason, and begins anew when told to", async () => {
      const store = await open([makeJob(1)]);
      const { queue } = store;
      const { id } = makeRow(1);
      await queue.claim(offer);
      expect(await queue.fail(id, "somebody", { reason: "It is not mine." })).toBe(false);
      expect(await queue.fail(id, "ada", { reason: "It broke.", retryInMs: 600_000 })).toBe(true);
      expect(await queue.fail(id, "ada", { reason: "It broke.", retryInMs: 600_000 })).toBe(false);
      expect(await queue.claim(offer)).toBeUndefined();
      expect(await queue.troubles()).toMatchObject([{ id, state: "queued", attempts: 1, reason: "It broke." }]);
      expect(await store.failures()).toEqual([]);
      // A time beyond what anyone waits was written before the clock jumped.
      await queue.enqueue("study", "run", [makeJob(2)], 2);
      await queue.claim(offer);
      await queue.fail(makeRow(2).id, "ada", { reason: "The clock.", retryInMs: 1e12 });
      expect(await queue.claim(offer)).toMatchObject({ attempt: 2 });
      await queue.fail(makeRow(2).id, "ada", { reason: "For good." });
      expect(await store.failures()).toMatchObject([{ id: makeRow(2).id, model: "model-2", reason: "For good." }]);
      expect(await queue.troubles({ final: true })).toHaveLength(1);
      expect(await queue.retry("another study")).toBe(0);
      expect(await queue.retry("study")).toBe(1);
      expect(await queue.claim(offer)).toMatchObject({ attempt: 1, experiment: { id: makeRow(2).id } });
      await store.close();
    });

    test("takes back what is handed back, as if it had not been given", async () => {
      const store = await open([makeJob(1)]);
      await store.queue.claim(offer);
      await store.queue.handBack(makeRow(1).id, "somebody");
      expect(await states(store)).toEqual({ running: 1 });
      await store.queue.handBack(makeRow(1).id, "ada");
      expect(await store.queue.claim(offer)).toMatchObject({ attempt: 1 });
      await store.close();
    });

    test("finds what a worker was given when the answer was lost", async () => {
      const store = await open([makeJob(1), makeJob(2)]);
      await store.queue.claim(offer);
      await store.queue.claim(offer);
      const lost = await store.queue.reclaim("ada", [makeRow(1).id]);
      expect(lost.map(({ experiment }) => experiment.id)).toEqual([makeRow(2).id]);
      expect(await store.queue.reclaim("ada", [])).toHaveLength(2);
      await store.close();
    });

    test("offers a job to every worker that may have its model, and fails when none has", async () => {
      const store = await open([makeJob(1)]);
      const { queue } = store;
      await queue.beat("ada", place, {});
      await queue.beat("bob", place, {});
      await queue.claim(offer);
      expect(await queue.refuse(makeRow(1).id, "ada", "There is no model here.")).toBe(false);
      expect(await queue.claim(offer)).toBeUndefined();
      expect(await queue.claim({ ...offer, worker: "bob" })).toBeDefined();
      expect(await queue.refuse(makeRow(1).id, "bob", "Nor here.")).toBe(true);
      expect(await store.failures()).toMatchObject([{ reason: "Nor here." }]);
      await store.close();
    });

    test.each(["leaves", "dies", "leaves while it is paused"])(
      "ends a refused job with its reason when the last worker that could take it %s",
      async (end) => {
        const store = await open([makeJob(1), makeJob(2)]);
        const { queue } = store;
        const isPaused = end.endsWith("paused");
        await queue.beat("ada", place, {});
        await queue.beat("bob", place, { computeType: "float32", memory: 1000, run: "run" });
        await queue.claim(offer);
        expect(await queue.refuse(makeRow(1).id, "ada", "There is no model here.")).toBe(false);
        if (isPaused) await queue.pause("study", true);
        if (end === "dies") await queue.bury("bob", undefined, "It is silent.");
        else await queue.leave("bob");
        if (isPaused) {
          expect(await states(store)).toEqual({ paused: 2 });
          await queue.pause("study", false);
        }
        expect(await states(store)).toEqual({ failed: 1, queued: 1 });
        expect(await store.failures()).toMatchObject([
          { id: makeRow(1).id, study: "study", reason: "There is no model here." },
        ]);
        await store.close();
      },
    );

    test.each([{ computeType: "bfloat16" }, { memory: 999 }, { run: "another" }])(
      "does not wait for a worker that cannot take what was refused: %o",
      async (able) => {
        const store = await open([makeJob(1)]);
        const { queue } = store;
        await queue.beat("ada", place, {});
        await queue.beat("bob", place, { computeType: "float32", memory: 1000, run: "run", ...able });
        await queue.claim(offer);
        expect(await queue.refuse(makeRow(1).id, "ada", "There is no model here.")).toBe(true);
        expect(await states(store)).toEqual({ failed: 1 });
        await store.close();
      },
    );

    test("takes the jobs of a dead worker back, not those of one that counts on", async () => {
      const store = await open([makeJob(1), makeJob(2)]);
      const { queue } = store;
      await queue.beat("ada", place, { lanes: 1 });
      await queue.claim(offer);
      const [{ beat, report, beatMs }] = await queue.workers();
      expect([beat, report, beatMs]).toEqual([0, { lanes: 1 }, 1000]);
      await queue.beat("ada", place, { lanes: 2 });
      expect(await queue.bury("ada", beat, "It is silent.")).toBeUndefined();
      expect(await states(store)).toEqual({ running: 1, queued: 1 });
      expect(await queue.bury("ada", beat + 1, "It is silent.")).toBe(1);
      expect(await queue.workers()).toEqual([]);
      expect(await states(store)).toEqual({ queued: 2 });
      expect(await queue.troubles()).toMatchObject([{ reason: "It is silent.", attempts: 1 }]);
      // A job that takes every worker with it ends.
      for (let deaths = 1; deaths < 10; deaths++) {
        await queue.beat("bob", place, {});
        expect(await queue.claim({ ...offer, worker: "bob" })).toMatchObject({ attempt: deaths + 1 });
        await queue.bury("bob", undefined, "It is silent.");
      }
      expect(await states(store)).toEqual({ queued: 1, failed: 1 });
      await store.close();
    });

    test("stands still while a study is paused, also for what comes back", async () => {
      const store = await open([makeJob(1), makeJob(2)]);
      const { queue } = store;
      await queue.claim(offer);
      expect(await queue.pause("study", true)).toBe(true);
      expect(await queue.pause("another", true)).toBe(false);
      expect(await queue.claim(offer)).toBeUndefined();
      await queue.handBack(makeRow(1).id, "ada");
      await queue.enqueue("study", "run", [makeJob(3)], 3);
      expect(await states(store)).toEqual({ paused: 3 });
      expect(await queue.studies()).toEqual([{ name: "study", experiments: 3, isPaused: true, isCancelled: false }]);
      await queue.pause("study", false);
      expect(await claimAll(store)).toEqual([1, 2, 3]);
      await store.close();
    });

    test("drops what waits of a cancelled study, and what comes back of it; what runs may end", async () => {
      const store = await open([1, 2, 3, 4, 5, 6].map((number) => makeJob(number)));
      const { queue } = store;
      await queue.enqueue("another", "another run", [makeJob(7)], 1);
      for (let i = 0; i < 4; i++) await queue.claim({ ...offer, run: "run" });
      await queue.fail(makeRow(4).id, "ada", { reason: "It broke." });
      // A scheduler that came late puts one in the queue that is done.
      await store.add(makeRow(8));
      await queue.enqueue("study", "run", [makeJob(8)], 6);
      expect(await queue.cancel("study")).toEqual({ cancelled: 2, running: 3 });
      expect(await queue.cancel("study")).toEqual({ cancelled: 0, running: 3 });
      expect(await queue.cancel("no study")).toEqual({ cancelled: 0, running: 0 });
      expect(await queue.pause("study", true)).toBe(false);
      expect(await queue.studies()).toMatchObject([
        { name: "another", experiments: 1, isCancelled: false },
        { name: "study", experiments: 4, isCancelled: true },
      ]);
      await queue.complete(makeRow(1));
      await queue.handBack(makeRow(2).id, "ada");
      expect(await queue.fail(makeRow(3).id, "ada", { reason: "It crashed.", retryInMs: 0 })).toBe(true);
      expect(await store.rows()).toHaveLength(2);
      expect(await queue.counts()).toMatchObject([
        { study: "another", state: "queued", jobs: 1 },
        { study: "study", state: "failed", jobs: 1 },
      ]);
      expect((await queue.studies())[1]).toMatchObject({ experiments: 2, isCancelled: true }); // one done, one failed
      expect(await claimAll(store)).toEqual([7]);
      await store.close();
    });

    test("goes on with a cancelled study when it is tried again or run", async () => {
      const store = await open([makeJob(1), makeJob(2)]);
      const { queue } = store;
      await queue.claim(offer);
      await queue.fail(makeRow(1).id, "ada", { reason: "It broke." });
      await queue.cancel("study");
      expect(await queue.retry("study")).toBe(1);
      expect(await queue.claim(offer)).toMatchObject({ experiment: { id: makeRow(1).id } });
      await queue.handBack(makeRow(1).id, "ada");
      expect(await states(store)).toEqual({ queued: 1 });
      await queue.cancel("study");
      await queue.enqueue("study", "run", [makeJob(1)], 2);
      expect(await claimAll(store)).toEqual([1]);
      await store.close();
    });

    test("is filled by two schedulers and emptied by three workers at once, each job once", async () => {
      const path = await newPath();
      const script = `
        import { openStore } from ${JSON.stringify(new URL("../../src/study/store/store.ts", import.meta.url).href)};
        import { makeRow } from ${JSON.stringify(new URL("./rows.ts", import.meta.url).href)};
        import { makeJob } from ${JSON.stringify(new URL("./queue-jobs.ts", import.meta.url).href)};
        const [path, role] = process.argv.slice(1);
        const { queue, count, close } = await openStore(path);
        const jobs = Array.from({ length: 60 }, (_, i) => makeJob(i));
        if (role === "scheduler") await queue.enqueue("study", "run " + process.pid, jobs, 60);
        const taken = [];
        const offer = { worker: role, computeType: "float32", memory: 1e9, holds: [] };
        while (role !== "scheduler") {
          const job = await queue.claim(offer);
          if (job) {
            taken.push(job.experiment.cost - 100);
            await queue.complete(makeRow(job.experiment.cost - 100));
          } else if ((await count()).results === 60 || performance.now() > 30_000) break;
          else await new Promise((resolve) => setTimeout(resolve, 20));
        }
        console.log(JSON.stringify(taken));
        await close();`;
      const start = (role: string) =>
        promisify(execFile)(process.execPath, ["--input-type=module", "-e", script, path, role]);
      const ended = await Promise.all(["scheduler", "scheduler", "ada", "bob", "eve"].map(start));
      const taken = ended.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
      const store = await openStore(path);
      expect(taken.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
      expect(await store.rows()).toHaveLength(60);
      // A scheduler that came last may have queued what was done by then: it is dropped, not given out again.
      const offer = { worker: "last", computeType: "float32", memory: 1e9, holds: [] };
      expect(await store.queue.claim(offer)).toBeUndefined();
      expect(await store.queue.counts()).toEqual([]);
      await store.close();
    });
  });
}
