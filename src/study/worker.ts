// A worker thread: takes experiments one at a time, runs each, and answers with a row or a reason.

import { parentPort, workerData } from "node:worker_threads";
import { selectKernels } from "../kernels/select-node.ts";
import { type Resources, runExperiment } from "./experiment.ts";
import type { WorkerAnswer, WorkerOptions } from "./lane.ts";
import { explainFailure, type PlannedExperiment } from "./plan.ts";
import { createResources } from "./resources.ts";

const port = parentPort!;
const answer = (message: WorkerAnswer) => port.postMessage(message);

async function createWorkerResources(): Promise<Resources> {
  const { kernels: name, threads, allowNonfinite } = workerData as WorkerOptions;
  return createResources(await selectKernels({ name, threads }), { allowNonfinite });
}

let resources: Promise<Resources> | undefined;
port.on("message", async (experiment: PlannedExperiment) => {
  try {
    resources ??= createWorkerResources();
    let last = 0;
    const row = await runExperiment(experiment, await resources, (share) => {
      if (performance.now() - last < 250) return;
      last = performance.now();
      answer({ kind: "progress", share });
    });
    answer({ kind: "row", row });
  } catch (error) {
    answer({ kind: "failure", reason: explainFailure(error) });
  }
});
