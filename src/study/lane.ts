// One lane of a study: a worker thread that runs experiments one after the other, replaced if it dies.

import { Worker } from "node:worker_threads";
import type { ResultRow } from "../result.ts";
import type { PlannedExperiment } from "./plan.ts";

/** What a worker is told at its start. */
export interface WorkerOptions {
  /** Kernel set by name; absent: the fastest. */
  readonly kernels?: string;
  /** Threads of the kernels in each worker. */
  readonly threads: number;
  /** Measures weights that are NaN or infinite too. */
  readonly allowNonfinite?: boolean;
}

/** What a worker says. */
export type WorkerAnswer =
  | { readonly kind: "progress"; readonly share: number }
  | { readonly kind: "row"; readonly row: ResultRow }
  | { readonly kind: "failure"; readonly reason: string };

/** How an experiment ended. */
export type Outcome = Exclude<WorkerAnswer, { kind: "progress" }> | { readonly kind: "stopped" };

/** Runs experiments one at a time. */
export interface Lane {
  /** Never rejects: a worker that dies is an outcome, and the next experiment gets a new one. */
  run(experiment: PlannedExperiment, onProgress: (share: number) => void): Promise<Outcome>;
  /** Ends the worker at once; an experiment that it is in the middle of is `stopped`, and so is every later one. */
  close(): Promise<void>;
}

// Beside this file, as TypeScript in the sources and as JavaScript in the package.
const defaultWorker = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

/** A lane; its worker starts with the first experiment. */
export function createLane(options: WorkerOptions, workerFile: URL = defaultWorker): Lane {
  let worker: Worker | undefined;
  let finish: ((outcome: Outcome) => void) | undefined; // of the experiment that is running
  let report: (share: number) => void = () => {};
  let isClosed = false;

  function startWorker(): Worker {
    const started = new Worker(workerFile, { workerData: options });
    const die = (reason: string) => {
      if (worker !== started) return;
      worker = undefined;
      finish?.({ kind: "failure", reason });
    };
    started.on("message", (answer: WorkerAnswer) => {
      if (answer.kind === "progress") report(answer.share);
      else finish?.(answer);
    });
    started.on("error", (error) => die(explainDeath(error)));
    started.on("exit", (code) => die(`The worker ended with code ${code}; the experiment may need more memory.`));
    return started;
  }

  return {
    run(experiment, onProgress) {
      if (isClosed) return Promise.resolve({ kind: "stopped" });
      worker ??= startWorker();
      const running = new Promise<Outcome>((resolve) => {
        finish = resolve;
      });
      report = onProgress;
      worker.postMessage(experiment);
      return running;
    },
    async close() {
      isClosed = true;
      finish?.({ kind: "stopped" });
      const last = worker;
      worker = undefined;
      await last?.terminate();
    },
  };
}

function explainDeath(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ERR_WORKER_OUT_OF_MEMORY") return "The worker ran out of memory; try fewer workers.";
  return `The worker died: ${message.split("\n")[0]}`;
}
