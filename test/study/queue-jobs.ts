// Jobs for the tests of the queue, to the rows of rows.ts.

import type { PlannedExperiment } from "../../src/study/plan.ts";
import type { Job } from "../../src/study/store/queue.ts";
import { makeRow } from "./rows.ts";

/** A job whose result is `makeRow(number)`. */
export function makeJob(number: number, changes: Partial<Job> = {}): Job {
  const { id, key, model } = makeRow(number);
  const experiment = {
    id,
    key,
    model: { path: `/models/${model.name}`, name: model.name, family: model.family },
    spec: { text: key.spec, spec: { kind: "baseline", type: "fp16" } },
    task: { task: "perplexity", data: "/data", limit: null },
    tokens: 10,
    cost: 100 + number,
  } as PlannedExperiment;
  return { experiment, memory: 1000, priority: 0, rank: 0, position: number, batch: `batch-${number}`, ...changes };
}
