// Runs a study: plans every key, puts what the store does not have in its queue, works at it and sees the rest done by others.
// It may be stopped or killed at any moment: what is stored stays, and the next run goes on with the rest.

import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import type { FailureRow } from "../result.ts";
import { createAccount, type StudyEvent } from "./account.ts";
import { createCrew } from "./crew.ts";
import { describeFailure } from "./failure.ts";
import { countLanes, makeJobs } from "./jobs.ts";
import { createLane } from "./lane.ts";
import { createMeters } from "./meters.ts";
import { persist } from "./persist.ts";
import { nameTimer, type Plan, type PlannedExperiment, planStudy } from "./plan.ts";
import { learnFromRows } from "./progress.ts";
import { describeMachine } from "./resources.ts";
import { isPostgresAddress } from "./store/postgres-address.ts";
import type { StudyStore } from "./store/store.ts";
import { isLatency, type ModelChoice, type Study } from "./study.ts";
import { watchRun } from "./watch.ts";

export type { StudyEvent } from "./account.ts";

/** How a study is run. */
export interface RunOptions {
  /** Experiments at the same time in this process; default: one a core, as far as memory goes. 0: others do them. */
  readonly workers?: number;
  /** Threads of the kernels in each worker; default 1. */
  readonly threads?: number;
  /** Kernel set by name; default: the fastest. */
  readonly kernels?: string;
  /** Of its experiments in the queue: the higher first; default 0. */
  readonly priority?: number;
  /** Ends when everything is in the queue. */
  readonly isDetached?: boolean;
  /** Milliseconds before an attempt that failed by no fault of its input is made again; default 5 seconds. */
  readonly retryMs?: number;
  /** Stops the run: what is in the middle is given up, what is stored stays. */
  readonly signal?: AbortSignal;
  /** Told what happens, in order. */
  readonly onEvent?: (event: StudyEvent) => void;
  /** The program of the lanes, for tests. */
  readonly program?: URL;
}

/** What came of a run. */
export interface StudySummary {
  /** Ids of every experiment of the study whose model could be opened: its rows in the store, as far as they are there. */
  readonly ids: readonly string[];
  /** Experiments whose result was in the store before. */
  readonly stored: number;
  readonly computed: number;
  readonly failures: readonly FailureRow[];
  /** Experiments that were taken out of the queue, by `kbit study cancel`. */
  readonly cancelled: number;
  readonly interrupted: boolean;
  readonly seconds: number;
}

/** How long a server may be away, in milliseconds. A file that cannot be used is no matter of waiting. */
const patienceMs = 600_000;

/** Plans a study for the kernels that would run it. @throws InputError if a data file cannot be read */
export async function planOnKernels(study: Study, options: RunOptions = {}): Promise<Plan> {
  const threads = study.tasks.some(isLatency) ? availableParallelism() : 1;
  const kernels = await selectKernels({ name: options.kernels, threads });
  const { computeType } = kernels;
  const timer = nameTimer(describeMachine(), kernels.name, kernels.threads);
  await kernels.close();
  const total = study.models.length;
  const onModel = (model: ModelChoice, index: number) => options.onEvent?.({ kind: "hashing", model, index, total });
  return planStudy(study, { openCheckpoint, computeType, timer, onModel });
}

/** Workers for a plan: one a core, as far as memory goes. */
export function countWorkers(plan: Plan, { workers, threads = 1 }: RunOptions): number {
  return workers ?? countLanes(plan.largestModel, threads);
}

/**
 * Runs what is missing of a study.
 *
 * @throws InputError if a data file or the store cannot be used; a model or spec that cannot is a failure of its own
 *   experiments, stored and listed in the summary, and tried again by the next run
 */
export async function runStudy(study: Study, store: StudyStore, options: RunOptions = {}): Promise<StudySummary> {
  const started = performance.now();
  const { signal, onEvent = () => {}, isDetached = false } = options;
  const isAborted = () => signal?.aborted ?? false;
  const plan = await Promise.race([planOnKernels(study, options), untilAborted(signal)]);
  if (plan === undefined)
    return {
      ids: [],
      stored: 0,
      computed: 0,
      failures: [],
      cancelled: 0,
      interrupted: true,
      seconds: secondsSince(started),
    };
  const rows = await store.rows();
  const known = new Set(rows.map(({ id }) => id));
  const missing = plan.experiments.filter(({ id }) => !known.has(id));
  // Times are taken after everything else, one at a time, with the whole machine.
  const [timed, scored] = [true, false].map((wanted) => missing.filter(({ task }) => isLatency(task) === wanted));

  const lanes = Math.min(scored.length, countWorkers(plan, options));
  const workers = Math.max(lanes, Math.min(1, timed.length));
  const stored = plan.experiments.length - missing.length;
  const unplanned = plan.failures.length;
  const planned = plan.experiments.length + unplanned;
  onEvent({ kind: "planned", planned, stored, unplanned, workers });
  const account = createAccount(missing, unplanned, Math.max(1, workers), onEvent);
  learnFromRows(rows, plan.experiments, describeMachine(), account.learn);
  await sure(() => store.queue.keepUnplanned(study.name, plan.failures), store, account.waiting);
  for (const failure of plan.failures) account.failure(failure);

  const meters = await createMeters(store);
  let cancelled = 0;
  try {
    // A study with nothing for the queue but failures is in its list all the same.
    if (scored.length + unplanned > 0 && !isAborted()) cancelled = await doAll(scored);
    if (timed.length > 0 && !isDetached && !isAborted() && cancelled === 0) await takeTimes(timed);
  } finally {
    await meters.close();
  }
  return {
    ids: plan.experiments.map(({ id }) => id),
    stored,
    computed: account.computed(),
    failures: account.failures,
    cancelled: cancelled > 0 ? cancelled + timed.length : 0,
    interrupted: isAborted(),
    seconds: secondsSince(started),
  };

  /** Puts experiments in the queue, and sees to it that they are done. @returns how many were cancelled */
  async function doAll(all: typeof scored): Promise<number> {
    const run = randomUUID();
    const jobs = makeJobs(all, options.priority);
    const enqueue = (ids: ReadonlySet<string>) => {
      const wanted = jobs.filter(({ experiment }) => ids.has(experiment.id));
      return store.queue.enqueue(study.name, run, wanted, planned);
    };
    await sure(() => enqueue(new Set(all.map(({ id }) => id))), store, account.waiting);
    return all.length > 0 && !isDetached ? workAt(run, lanes, all, enqueue) : 0;
  }

  /**
   * Works with lanes of this process until every experiment has ended, here or elsewhere, or the run is stopped.
   *
   * @returns how many were cancelled
   */
  async function workAt(
    run: string,
    count: number,
    all: typeof scored,
    enqueue: (ids: ReadonlySet<string>) => Promise<void>,
  ): Promise<number> {
    const crew =
      count > 0
        ? createCrew(store, {
            lanes: count,
            run,
            kernels: options.kernels,
            threads: options.threads ?? 1,
            computeType: all[0].key.computeType,
            memory: Number.MAX_SAFE_INTEGER, // the lanes were counted by it
            untilDone: false,
            patienceMs: isPostgresAddress(store.path) ? patienceMs : 0,
            retryMs: options.retryMs,
            program: options.program,
            onEvent(event) {
              meters.ofCrew(event);
              account.ofCrew(event);
            },
          })
        : undefined;
    const over = new AbortController();
    const stop = () => over.abort();
    signal?.addEventListener("abort", stop, { once: true });
    const call = <T>(work: () => Promise<T>) => sure(work, store, account.waiting, over.signal);
    const work = crew?.work().finally(stop); // a crew that fails ends the run
    const seen = watchRun(store, study.name, run, new Set(all.map(({ id }) => id)), {
      account,
      crew,
      enqueue,
      call,
      signal: over.signal,
    }).catch((error) => {
      if (!over.signal.aborted) throw error; // a store that is away is no matter of a run that was stopped
      return 0;
    });
    seen.catch(() => {}).finally(() => crew?.stop(0));
    try {
      for (const end of await Promise.allSettled([work, seen])) if (end.status === "rejected") throw end.reason;
      return await seen;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }

  async function takeTimes(all: readonly PlannedExperiment[]): Promise<void> {
    const lane = createLane({ kernels: options.kernels, threads: availableParallelism() }, options.program);
    const stop = () => lane.close();
    const keep = (work: () => Promise<void>) => sure(work, store, account.waiting, signal);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      for (const experiment of all) {
        const outcome = await lane.run(experiment, (share) => account.advance(experiment.id, share));
        if (outcome.kind === "stopped") return;
        if (outcome.kind === "row") {
          await keep(() => store.add(outcome.row));
          meters.result(outcome.row, study.name);
          account.result(outcome.row);
        } else {
          const failure = { ...describeFailure(experiment, outcome.reason), study: study.name };
          await keep(() => store.addFailure(failure));
          meters.failure(failure, study.name);
          account.failure(failure);
        }
      }
    } catch (error) {
      if (!isAborted()) throw error; // a store that is away is no matter of a run that was stopped
    } finally {
      signal?.removeEventListener("abort", stop);
      await lane.close();
    }
  }
}

/** A call to the store that waits for a server that is away. */
function sure<T>(
  work: () => Promise<T>,
  store: StudyStore,
  onWait: (reason: string) => void,
  signal?: AbortSignal,
): Promise<T> {
  return persist(work, {
    isPassing: store.queue.isPassing,
    explain: store.explain,
    patienceMs: isPostgresAddress(store.path) ? patienceMs : 0,
    onWait,
    signal,
  });
}

function untilAborted(signal: AbortSignal | undefined): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve(undefined);
    signal?.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

const secondsSince = (started: number) => (performance.now() - started) / 1000;
