// A crew: the lanes of one process, which take jobs from the queue of a store, run them, and see to it that a job of a
// worker that died comes back. Whatever happens to a process, a connection or a clock, a job ends with one result or a
// reason: a lease is no point in time but a count that goes on, and every statement may be sent twice.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { FailureRow, ResultRow } from "../result.ts";
import { describeFailure } from "./failure.ts";
import { createLane, type Lane, type LaneOptions, type Outcome } from "./lane.ts";
import { countPaused, explainPause } from "./pause.ts";
import { persist } from "./persist.ts";
import { describePlace, isAlive } from "./place.ts";
import type { TakenJob } from "./store/queue.ts";
import type { Disagreement, StudyStore } from "./store/store.ts";

/** How a crew works. */
export interface CrewOptions extends LaneOptions {
  /** Experiments at the same time. */
  readonly lanes: number;
  readonly computeType: string;
  /** Bytes for all lanes together. */
  readonly memory: number;
  /** Only jobs of this run; absent: of everyone. */
  readonly run?: string;
  /** Ends when nothing is queued or paused and nothing runs anywhere; otherwise it waits for more. */
  readonly untilDone: boolean;
  /** Milliseconds between signs of life; default 10 seconds. After six without one a worker is taken for dead. */
  readonly beatMs?: number;
  /** Milliseconds before the second attempt, four times that before the third; default 5 seconds. */
  readonly retryMs?: number;
  /** How long a database may be away, in milliseconds; default ten minutes. */
  readonly patienceMs?: number;
  readonly onEvent?: (event: CrewEvent) => void;
  /** The program of the lanes, for tests. */
  readonly program?: URL;
}

/** What happens in a crew. */
export type CrewEvent =
  | { readonly kind: "begin"; readonly job: TakenJob }
  | { readonly kind: "progress"; readonly job: TakenJob; readonly share: number }
  | { readonly kind: "result"; readonly job: TakenJob; readonly row: ResultRow }
  /** `isFinal` is false where it will be tried again. */
  | { readonly kind: "failure"; readonly job: TakenJob; readonly failure: FailureRow; readonly isFinal: boolean }
  | { readonly kind: "disagreement"; readonly disagreement: Disagreement }
  | { readonly kind: "handback"; readonly job: TakenJob }
  | { readonly kind: "buried"; readonly worker: string; readonly jobs: number; readonly reason: string }
  | { readonly kind: "waiting"; readonly reason: string };

/** What others may know of a crew. */
export interface CrewReport {
  readonly host: string;
  readonly kernels: string;
  /** What it takes: jobs of this compute type, of so many bytes, of this run or of any. */
  readonly computeType: string;
  readonly memory: number;
  readonly run?: string;
  readonly lanes: number;
  /** What runs now. */
  readonly running: readonly { model: string; spec: string; task: string; share: number; seconds: number }[];
  readonly done: number;
  readonly failed: number;
  /** Of what is done: costs and seconds together, and squares enough to learn from. */
  readonly cost: number;
  readonly seconds: number;
}

/** The lanes of one process at work. */
export interface Crew {
  readonly id: string;
  /** What it is at now. */
  report(): CrewReport;
  /** Works until it is stopped or all is done. @throws InputError if the store cannot be used for too long */
  work(): Promise<void>;
  /** Takes nothing more; what is not finished after so many milliseconds is handed back, and no store is waited for. */
  stop(graceMs: number): Promise<void>;
}

const beatsToDeath = 6;
const maxAttempts = 3;
/** Between looks into an empty queue, in milliseconds. */
const shortestPollMs = 100;
const longestPollMs = 2000;

/** A crew on a store; it begins with `work`. */
export function createCrew(store: StudyStore, options: CrewOptions): Crew {
  const { queue } = store;
  const { beatMs = 10_000, retryMs = 5000, patienceMs = 600_000, onEvent = () => {} } = options;
  const id = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`.replaceAll(/[,%_]/g, "-");
  const place = describePlace();
  const free = Array.from({ length: options.lanes }, (): { lane: Lane; batch?: string } => {
    return { lane: createLane(options, options.program) };
  });
  const lanes = free.map(({ lane }) => lane);
  const held = new Map<string, { readonly job: TakenJob; share: number; readonly since: number }>();
  const tally = { done: 0, failed: 0, cost: 0, seconds: 0 };
  const work = new Set<Promise<void>>();
  const patience = new AbortController(); // at its end nothing is waited for any more
  let isStopping = false;
  let isUnsure = false; // whether a job may bear this crew's name that it does not know
  let pausedTold = 0;
  let fault: unknown; // what ends the crew: a store that cannot be used
  let wake: () => void = () => {};

  const tellWait = (reason: string) => {
    if (patienceMs > 0) onEvent({ kind: "waiting", reason });
  };
  const sure = <T>(call: () => Promise<T>, ms = patienceMs) =>
    persist(call, {
      isPassing: queue.isPassing,
      explain: (error) => store.explain(error),
      patienceMs: Math.min(ms, patienceMs),
      onWait: tellWait,
      signal: patience.signal,
    });
  const nap = (ms: number) => {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  };

  async function claim(batch: string | undefined): Promise<TakenJob | undefined> {
    const taken = [...held.values()].reduce((sum, { job }) => sum + job.memory, 0);
    const { computeType, run } = options;
    const memory = options.memory - taken;
    const holds = [...held.keys()];
    let isAgain = false;
    return sure(async () => {
      // After a failure the answer may have been lost that gave us a job.
      if (isAgain) {
        const [lost] = await queue.reclaim(id, holds);
        if (lost) return lost;
      }
      isAgain = true;
      return queue.claim({ worker: id, computeType, memory, run, batch, holds });
    }).catch((error) => {
      isUnsure = true; // it may have been given all the same
      if (isStopping) return undefined;
      throw error;
    });
  }

  async function run(slot: (typeof free)[number], job: TakenJob): Promise<void> {
    const { experiment } = job;
    const entry = { job, share: 0, since: performance.now() };
    held.set(experiment.id, entry);
    onEvent({ kind: "begin", job });
    const outcome = await slot.lane.run(experiment, (share) => {
      entry.share = share;
      onEvent({ kind: "progress", job, share });
    });
    try {
      await settle(job, outcome);
    } finally {
      held.delete(experiment.id);
      slot.batch = outcome.kind === "row" ? job.batch : undefined;
      free.push(slot);
    }
  }

  async function settle(job: TakenJob, outcome: Outcome): Promise<void> {
    const { experiment, attempt } = job;
    if (outcome.kind === "stopped") {
      await sure(() => queue.handBack(experiment.id, id), 5000);
      onEvent({ kind: "handback", job });
      return;
    }
    if (outcome.kind === "row") {
      const disagreements = await sure(() => queue.complete(outcome.row));
      tally.done++;
      tally.cost += experiment.cost;
      tally.seconds += outcome.row.seconds;
      onEvent({ kind: "result", job, row: outcome.row });
      for (const disagreement of disagreements) onEvent({ kind: "disagreement", disagreement });
      return;
    }
    const { reason, cause } = outcome;
    let isFinal = cause === "input" || attempt >= maxAttempts;
    if (cause === "absent") isFinal = await sure(() => queue.refuse(experiment.id, id, reason));
    else {
      const retryInMs = isFinal ? undefined : retryMs * 4 ** (attempt - 1) * (0.75 + Math.random() / 2);
      await sure(() => queue.fail(experiment.id, id, { reason, retryInMs }));
    }
    if (isFinal) tally.failed++;
    onEvent({ kind: "failure", job, failure: describeFailure(experiment, reason), isFinal });
  }

  function report(): CrewReport {
    const running = [...held.values()].map(({ job: { experiment }, share, since }) => {
      const { model, spec, task } = experiment;
      return {
        model: model.name,
        spec: spec.text,
        task: task.task,
        share,
        seconds: (performance.now() - since) / 1000,
      };
    });
    const { lanes: count, computeType, memory, run, kernels = "" } = options;
    return { host: hostname(), kernels, computeType, memory, run, lanes: count, running, ...tally };
  }

  const beat = () => queue.beat(id, { place, process: process.pid, beatMs }, report());

  // Workers that were silent when last looked at, by what they had counted, since when.
  const silent = new Map<string, { readonly beat: number; readonly since: number }>();
  async function buryDead(): Promise<void> {
    const suspects = (await queue.suspects(place, beatsToDeath)).filter((worker) => worker.id !== id);
    for (const known of silent.keys()) if (!suspects.some((worker) => worker.id === known)) silent.delete(known);
    for (const { id: worker, place: where, process: pid, beat: count, beatMs: every } of suspects) {
      const before = silent.get(worker);
      if (before?.beat !== count) silent.set(worker, { beat: count, since: performance.now() });
      const isGone = where === place && !isAlive(pid);
      const silentMs = before?.beat === count ? performance.now() - before.since : 0;
      if (!isGone && silentMs < beatsToDeath * every) continue;
      const end = `The worker ${worker} ${isGone ? "has died" : `gave no sign of life for ${Math.round(silentMs / 1000)} s`}`;
      const reason = `${end} while the experiment ran; it may need more memory.`;
      const jobs = await queue.bury(worker, count, reason);
      silent.delete(worker);
      if (jobs !== undefined)
        onEvent({ kind: "buried", worker, jobs, reason: jobs > 0 ? reason : `${end}; it was idle.` });
    }
  }

  /** Whether nothing is left that could become this crew's. */
  async function isDone(): Promise<boolean> {
    if (!options.untilDone || held.size > 0) return false;
    const counts = await sure(() => queue.counts(options.run)).catch((error) => {
      if (isStopping) return [];
      throw error;
    });
    const paused = countPaused(counts);
    if (paused > 0 && paused !== pausedTold) tellWait(explainPause(paused));
    pausedTold = paused;
    return counts.every(({ state }) => state === "failed");
  }

  async function dispatch(): Promise<void> {
    for (let pollMs = shortestPollMs; !isStopping && fault === undefined; ) {
      const slot = free.pop();
      const job = slot && (await claim(slot.batch));
      if (slot && job) {
        const running = run(slot, job).catch((error) => {
          fault ??= error;
        });
        work.add(running);
        running.finally(() => {
          work.delete(running);
          wake();
        });
        pollMs = shortestPollMs;
        continue;
      }
      if (slot) {
        free.push(slot);
        if (await isDone()) break;
      }
      // With a free lane for more work, without one for a lane.
      await nap(slot ? pollMs * (0.75 + Math.random() / 2) : 60_000);
      pollMs = Math.min(longestPollMs, pollMs * 2);
    }
    await Promise.all(work);
    if (fault !== undefined) throw fault;
  }

  return {
    id,
    report,
    async work() {
      try {
        await sure(beat);
        await sure(buryDead);
      } catch (error) {
        if (isStopping) return;
        throw error;
      }
      // One at a time, and what fails is for the next time: the jobs themselves wait for the database.
      let isBusy = false;
      const pulse = setInterval(() => {
        if (isBusy) return;
        isBusy = true;
        beat()
          .then(buryDead)
          .catch((error) => tellWait(String((store.explain(error) as Error).message)))
          .finally(() => {
            isBusy = false;
          });
      }, beatMs);
      try {
        await dispatch();
      } finally {
        clearInterval(pulse);
        await Promise.all(lanes.map((lane) => lane.close()));
        await Promise.all(work);
        // A worker that is found dead gives back what it held; one that has left does not.
        if (fault === undefined && !isUnsure) await sure(() => queue.leave(id), 5000).catch(() => {});
      }
    },
    async stop(graceMs) {
      isStopping = true;
      wake();
      if (graceMs > 0 && work.size > 0) {
        let timer: NodeJS.Timeout | undefined;
        const grace = new Promise((resolve) => {
          timer = setTimeout(resolve, graceMs);
        });
        await Promise.race([Promise.allSettled(work), grace]);
        clearTimeout(timer);
      }
      patience.abort();
      await Promise.all(lanes.map((lane) => lane.close()));
      wake();
    },
  };
}
