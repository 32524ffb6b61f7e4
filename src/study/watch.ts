// Sees a run through, whoever works at it: results and failures as they come into the store, until every experiment has ended.

import type { Account } from "./account.ts";
import type { Crew, CrewReport } from "./crew.ts";
import { describeFailure } from "./failure.ts";
import { countPaused, explainPause } from "./pause.ts";
import type { StudyStore } from "./store/store.ts";

/** What watching needs. */
interface WatchOptions {
  readonly account: Account;
  /** The crew of this process, if it has one. */
  readonly crew?: Crew;
  /** Puts experiments in the queue again, as this run's. */
  readonly enqueue: (ids: ReadonlySet<string>) => Promise<void>;
  /** Calls the store, patiently. */
  readonly call: <T>(work: () => Promise<T>) => Promise<T>;
  readonly signal: AbortSignal;
}

const pollMs = 1000;
/** How far back each look goes: results of one moment become visible a little apart. */
const overlapMs = 5000;

/**
 * Watches the experiments of a run until all have ended, the signal says to stop, or its study was cancelled.
 *
 * @returns how many were cancelled
 */
export async function watchRun(
  { queue, rows }: StudyStore,
  study: string,
  run: string,
  ids: ReadonlySet<string>,
  { account, crew, enqueue, call, signal }: WatchOptions,
): Promise<number> {
  const left = new Set(ids);
  const isOver = () => signal.aborted || left.size === 0;
  let wake: () => void = () => {};
  account.onEnd((id) => {
    left.delete(id);
    if (isOver()) wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  let pausedTold = 0;
  let since = Number.MAX_SAFE_INTEGER; // the first look only asks for the time
  for (;;) {
    if (isOver()) return 0;
    const asked = since;
    const { rows: arrived, now } = await call(() => queue.arrivals(asked));
    since = now - overlapMs;
    for (const row of arrived) account.result(row);
    const workers = await call(() => queue.workers<CrewReport>());
    account.workers(workers.map(({ id, report }) => ({ id, report: id === crew?.id ? crew.report() : report })));

    const counts = await call(() => queue.counts(run));
    const paused = countPaused(counts);
    if (paused > 0 && paused !== pausedTold) account.waiting(explainPause(paused));
    pausedTold = paused;
    if (counts.some(({ state }) => state === "failed")) {
      for (const { reason, experiment } of await call(() => queue.troubles({ run, final: true }))) {
        account.failure(describeFailure(experiment, reason));
      }
    }
    if (!isOver() && counts.every(({ state }) => state === "failed")) {
      // All that is left is in the store already, or in the queue as another run's, which may never come to it.
      for (const row of await call(() => rows())) account.result(row);
      const own = (await call(() => queue.studies())).find(({ name }) => name === study);
      if (own?.isCancelled) return left.size;
      if (left.size > 0) await call(() => enqueue(left));
    }
    if (isOver()) return 0;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
