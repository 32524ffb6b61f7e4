// Runs a study: plans every key, computes what the store does not have, keeps each result at once.
// It may be stopped or killed at any moment: what is stored stays, and the next run goes on with the rest.

import { availableParallelism, freemem } from "node:os";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { createLane, type Lane, type Outcome, type WorkerOptions } from "./lane.ts";
import { nameTimer, type Plan, type PlannedExperiment, planStudy } from "./plan.ts";
import { createTracker, learnFromRows, type StudyProgress } from "./progress.ts";
import { describeMachine } from "./resources.ts";
import type { Store } from "./store/store.ts";
import { isLatency, type ModelChoice, type Study } from "./study.ts";

/** How a study is run. */
export interface RunOptions {
  /** Experiments at the same time; default: one a core, as far as memory goes. */
  readonly workers?: number;
  /** Threads of the kernels in each worker; default 1. */
  readonly threads?: number;
  /** Kernel set by name; default: the fastest. */
  readonly kernels?: string;
  /** Stops the run: what is in the middle is given up, what is stored stays. */
  readonly signal?: AbortSignal;
  /** Told what happens, in order. */
  readonly onEvent?: (event: StudyEvent) => void;
  /** The program of the workers, for tests. */
  readonly workerFile?: URL;
}

/** What happens in a run. */
export type StudyEvent =
  | { readonly kind: "hashing"; readonly model: ModelChoice; readonly index: number; readonly total: number }
  | { readonly kind: "planned"; readonly planned: number; readonly stored: number; readonly workers: number }
  | { readonly kind: "progress"; readonly progress: StudyProgress }
  | { readonly kind: "result"; readonly row: ResultRow; readonly progress: StudyProgress }
  | { readonly kind: "failure"; readonly failure: FailureRow; readonly progress: StudyProgress };

/** What came of a run. */
export interface StudySummary {
  /** Ids of every experiment of the study whose model could be opened: its rows in the store, as far as they are there. */
  readonly ids: readonly string[];
  /** Experiments whose result was in the store before. */
  readonly stored: number;
  readonly computed: number;
  readonly failures: readonly FailureRow[];
  readonly interrupted: boolean;
  readonly seconds: number;
}

/** Memory of a worker beside the model: code, caches, tokens. */
const workerBytes = 150e6;
/** A model while it is quantized and loaded, against its file. */
const loadFactor = 3;

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
  const byMemory = Math.floor((0.9 * freemem()) / (workerBytes + loadFactor * plan.largestModel));
  return workers ?? Math.max(1, Math.min(Math.floor(availableParallelism() / threads), byMemory));
}

/**
 * Runs what is missing of a study.
 *
 * @throws InputError if a data file or the store cannot be used; a model or spec that cannot is a failure of its own
 *   experiments, stored and listed in the summary, and tried again by the next run
 */
export async function runStudy(study: Study, store: Store, options: RunOptions = {}): Promise<StudySummary> {
  const started = performance.now();
  const { signal, onEvent = () => {} } = options;
  const plan = await Promise.race([planOnKernels(study, options), untilAborted(signal)]);
  if (plan === undefined)
    return { ids: [], stored: 0, computed: 0, failures: [], interrupted: true, seconds: secondsSince(started) };
  const rows = await store.rows();
  const known = new Set(rows.map(({ id }) => id));
  const missing = plan.experiments.filter(({ id }) => !known.has(id));

  // Times are taken after everything else, one at a time, with the whole machine.
  const [timed, scored] = [true, false].map((wanted) => missing.filter(({ task }) => isLatency(task) === wanted));
  const workers = Math.max(Math.min(scored.length, countWorkers(plan, options)), Math.min(1, timed.length));
  const stored = plan.experiments.length - missing.length;
  const total = missing.length + plan.failures.length;
  onEvent({ kind: "planned", planned: total + stored, stored, workers });
  const tracker = createTracker(missing, plan.failures.length, Math.max(1, workers));
  learnFromRows(rows, plan.experiments, describeMachine(), tracker.learn);
  const failures: FailureRow[] = [];
  let computed = 0;

  const fail = async (failure: FailureRow, done?: number) => {
    failures.push(failure);
    await store.addFailure(failure);
    const progress = tracker.progress();
    onEvent({ kind: "failure", failure, progress: { ...progress, done: done ?? progress.done } });
  };
  for (const [i, failure] of plan.failures.entries()) await fail(failure, i + 1);

  const finish = async (experiment: PlannedExperiment, outcome: Exclude<Outcome, { kind: "stopped" }>) => {
    tracker.finish(experiment, outcome.kind === "row" ? outcome.row.seconds : undefined);
    if (outcome.kind === "row") {
      await store.add(outcome.row);
      computed++;
      onEvent({ kind: "result", row: outcome.row, progress: tracker.progress() });
      return;
    }
    const { id, model, spec, task } = experiment;
    const date = new Date().toISOString();
    await fail({ id, model: model.name, spec: spec.text, task: task.task, reason: outcome.reason, date });
  };

  const { kernels, threads = 1 } = options;
  const workerOptions: WorkerOptions = { kernels, threads, allowNonfinite: study.allowNonfinite };
  const lanes = Array.from({ length: workers }, () => createLane(workerOptions, options.workerFile));
  const timingLane = createLane({ ...workerOptions, threads: availableParallelism() }, options.workerFile);
  const runLane = async (lane: Lane, queue: PlannedExperiment[]) => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const experiment = next;
      if (await store.has(experiment.id)) {
        tracker.finish(experiment); // another process was faster
        continue;
      }
      const outcome = await lane.run(experiment, (share) => {
        tracker.advance(experiment, share);
        onEvent({ kind: "progress", progress: tracker.progress() });
      });
      if (outcome.kind === "stopped") return;
      await finish(experiment, outcome);
    }
  };
  const stop = () => Promise.all([...lanes, timingLane].map((lane) => lane.close()));
  signal?.addEventListener("abort", stop, { once: true });
  if (signal?.aborted) await stop();
  try {
    await Promise.all(lanes.map((lane) => runLane(lane, scored)));
    if (timed.length > 0) await Promise.all(lanes.map((lane) => lane.close()));
    await runLane(timingLane, timed);
  } finally {
    signal?.removeEventListener("abort", stop);
    await stop();
  }
  return {
    ids: plan.experiments.map(({ id }) => id),
    stored,
    computed,
    failures,
    interrupted: signal?.aborted ?? false,
    seconds: secondsSince(started),
  };
}

function untilAborted(signal: AbortSignal | undefined): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve(undefined);
    signal?.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

const secondsSince = (started: number) => (performance.now() - started) / 1000;
