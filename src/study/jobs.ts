// From planned experiments to jobs of the queue: what each needs, what it shares with others, what comes first.

import { createHash } from "node:crypto";
import { availableParallelism, freemem } from "node:os";
import type { PlannedExperiment } from "./plan.ts";
import type { Job } from "./store/queue.ts";

/** Memory of a lane beside the model: 170 MB of code and heap, and what it keeps, which is weights, buffers and requests. */
const laneBytes = 350e6;
/** A model while it is quantized and loaded, against its file. */
const loadFactor = 3;

/** Bytes that an experiment needs. */
export function estimateMemory(fileBytes: number): number {
  return Math.round(laneBytes + loadFactor * fileBytes);
}

/** Memory that a worker may use where nobody says how much. */
export function freeMemory(): number {
  return Math.floor(0.9 * freemem());
}

/** Experiments at the same time where nobody says how many: one a core, as far as memory goes. */
export function countLanes(largestModel: number, threads: number): number {
  const byMemory = Math.floor(freeMemory() / estimateMemory(largestModel));
  return Math.max(1, Math.min(Math.floor(availableParallelism() / threads), byMemory));
}

/** @param experiments - the cheapest first */
export function makeJobs(experiments: readonly PlannedExperiment[], priority = 0): Job[] {
  const sizes = new Map<string, number>();
  return experiments.map((experiment, position) => {
    const { weightsHash, configHash, tokenizerHash, spec } = experiment.key;
    const shared = [weightsHash, configHash, tokenizerHash, spec].join(" ");
    const batch = createHash("sha256").update(shared).digest("hex").slice(0, 24);
    const rank = sizes.get(batch) ?? 0;
    sizes.set(batch, rank + 1);
    return { experiment, memory: estimateMemory(experiment.fileBytes), priority, rank, position, batch };
  });
}
