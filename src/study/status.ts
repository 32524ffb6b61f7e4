// How the studies of a store stand: read from the store alone, so from any machine.

import type { CrewReport } from "./crew.ts";
import { createCostModel } from "./progress.ts";
import type { FailedJob } from "./store/overview.ts";
import type { StudyStore } from "./store/store.ts";

/** One study of the queue. */
interface StudyState {
  readonly name: string;
  readonly isPaused: boolean;
  readonly isCancelled: boolean;
  readonly experiments: number;
  readonly done: number;
  readonly running: number;
  /** Paused ones too. */
  readonly queued: number;
  readonly failed: number;
  /** From the times measured by those who work now; absent where nobody does. */
  readonly secondsLeft?: number;
}

/** A worker. */
interface WorkerState {
  readonly id: string;
  readonly report: CrewReport;
  readonly silentSeconds: number;
  /** Whether it missed several signs of life. */
  readonly isSilent: boolean;
}

/** Everything about a store that changes while studies run. */
export interface StudyStatus {
  readonly store: string;
  readonly results: number;
  /** Results of the last minute. */
  readonly perMinute: number;
  readonly studies: readonly StudyState[];
  readonly workers: readonly WorkerState[];
  /** Experiments that failed and will not be tried again by themselves, of all studies: those that `failures` lists. */
  readonly failed: number;
  readonly troubles: readonly Omit<FailedJob, "experiment">[];
  readonly disagreements: number;
}

/** Reads it. */
export async function readStatus(store: StudyStore): Promise<StudyStatus> {
  const { queue } = store;
  const counts = await queue.counts();
  const workers = (await queue.workers<CrewReport>()).map(({ id, report, ageMs, beatMs }) => {
    return { id, report, silentSeconds: ageMs / 1000, isSilent: ageMs > 3 * beatMs };
  });
  const lanes = workers.reduce((sum, { report, isSilent }) => (isSilent ? sum : sum + report.lanes), 0);
  const model = createCostModel();
  for (const { report } of workers)
    if (report.done > 0) model.observe(report.cost / report.done, report.seconds / report.done);
  const troubles = (await queue.troubles()).map(({ experiment: _, ...rest }) => rest);
  const studyOf = new Map(troubles.map(({ id, study }) => [id, study]));
  const failures = await store.failures();
  const ofFailures = failures.map(({ id = "", study }) => studyOf.get(id) ?? study);
  const studies = (await queue.studies()).map(({ name, isPaused, isCancelled, experiments }): StudyState => {
    const of = (...states: string[]) => counts.filter((count) => count.study === name && states.includes(count.state));
    const sum = (key: "jobs" | "cost", ...states: string[]) =>
      of(...states).reduce((all, count) => all + count[key], 0);
    const [running, queued] = [sum("jobs", "running"), sum("jobs", "queued", "paused")];
    const failed = ofFailures.filter((study) => study === name).length; // in the queue or before it
    const left = running + queued;
    const seconds =
      lanes > 0 && left > 0 ? model.estimate(sum("cost", "running", "queued", "paused"), left) / lanes : undefined;
    const done = Math.max(0, experiments - left - failed);
    return {
      name,
      isPaused,
      isCancelled,
      experiments,
      done,
      running,
      queued,
      failed,
      ...(seconds !== undefined && { secondsLeft: seconds }),
    };
  });
  return {
    store: store.path,
    results: (await store.count()).results,
    perMinute: await queue.countSince(60_000),
    studies,
    workers,
    failed: failures.length,
    troubles,
    disagreements: (await store.disagreements()).length,
  };
}
