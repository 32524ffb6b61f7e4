// The account of one run: which of its experiments have ended and how, told as events, each once, wherever it happened.

import type { FailureRow, ResultRow } from "../result.ts";
import type { CrewEvent, CrewReport } from "./crew.ts";
import type { PlannedExperiment } from "./plan.ts";
import { createTracker, type StudyProgress } from "./progress.ts";
import type { Disagreement } from "./store/store.ts";
import type { ModelChoice } from "./study.ts";

/** A crew, here or elsewhere. */
export interface WorkingCrew {
  readonly id: string;
  readonly report: CrewReport;
}

/** What happens in a run. */
export type StudyEvent =
  | { readonly kind: "hashing"; readonly model: ModelChoice; readonly index: number; readonly total: number }
  /** `unplanned` experiments are of models that do not open. */
  | {
      readonly kind: "planned";
      readonly planned: number;
      readonly stored: number;
      readonly unplanned: number;
      readonly workers: number;
    }
  | { readonly kind: "progress"; readonly progress: StudyProgress }
  | { readonly kind: "result"; readonly row: ResultRow; readonly progress: StudyProgress }
  | { readonly kind: "failure"; readonly failure: FailureRow; readonly progress: StudyProgress }
  /** Who is at what, every second or so. */
  | { readonly kind: "workers"; readonly workers: readonly WorkingCrew[] }
  /** An attempt that will be made again. */
  | { readonly kind: "retry"; readonly failure: FailureRow }
  /** A result that came out differently the second time. */
  | { readonly kind: "disagreement"; readonly disagreement: Disagreement }
  /** The store is away; the run goes on when it is back. */
  | { readonly kind: "waiting"; readonly reason: string };

export type Account = ReturnType<typeof createAccount>;

/** @param failed - experiments of models that do not open, which are told first @param workers - for the time that is left */
export function createAccount(
  experiments: readonly PlannedExperiment[],
  failed: number,
  workers: number,
  onEvent: (event: StudyEvent) => void,
) {
  const tracker = createTracker(experiments, failed, workers);
  const open = new Map(experiments.map((experiment) => [experiment.id, experiment]));
  const failures: FailureRow[] = [];
  let computed = 0;
  let notice: (id: string) => void = () => {};

  /** The experiment, the first time that it ends. */
  const end = (id: string, seconds?: number) => {
    const experiment = open.get(id);
    if (experiment === undefined) return false;
    open.delete(id);
    tracker.finish(experiment, seconds);
    return true;
  };
  const account = {
    failures,
    computed: () => computed,
    learn: tracker.learn,
    /** Called whenever an experiment has ended. */
    onEnd(call: (id: string) => void) {
      notice = call;
    },
    advance(id: string, share: number) {
      const experiment = open.get(id);
      if (experiment === undefined) return;
      tracker.advance(experiment, share);
      onEvent({ kind: "progress", progress: tracker.progress() });
    },
    result(row: ResultRow) {
      if (!end(row.id, row.seconds)) return;
      computed++;
      onEvent({ kind: "result", row, progress: tracker.progress() });
      notice(row.id);
    },
    failure(failure: FailureRow) {
      if (failure.id !== undefined && !end(failure.id)) return;
      failures.push(failure);
      const { done, ...progress } = tracker.progress();
      // Those of models that do not open are told one by one, though they were over before the run began.
      onEvent({ kind: "failure", failure, progress: { ...progress, done: failure.id ? done : failures.length } });
      if (failure.id !== undefined) notice(failure.id);
    },
    workers: (workers: readonly WorkingCrew[]) => onEvent({ kind: "workers", workers }),
    waiting: (reason: string) => onEvent({ kind: "waiting", reason }),
    /** What this process itself does. */
    ofCrew(event: CrewEvent) {
      if (event.kind === "progress") account.advance(event.job.experiment.id, event.share);
      else if (event.kind === "result") account.result(event.row);
      else if (event.kind === "failure" && event.isFinal) account.failure(event.failure);
      else if (event.kind === "failure") onEvent({ kind: "retry", failure: event.failure });
      else if (event.kind === "disagreement" || event.kind === "waiting") onEvent(event);
    },
  };
  return account;
}
