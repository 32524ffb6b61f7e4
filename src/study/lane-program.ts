// The program of a lane: takes experiments one at a time, runs each, and answers with a row or a reason.

import { InputError } from "../input-error.ts";
import { selectQuantizer } from "../kernels/quantizer-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import { type Resources, runExperiment } from "./experiment.ts";
import { explainFailure } from "./failure.ts";
import type { FailureCause, LaneAnswer, LaneOptions } from "./lane.ts";
import type { PlannedExperiment } from "./plan.ts";
import { createResources } from "./resources.ts";
import { AbsentError } from "./roots.ts";

const answer = (message: LaneAnswer) => process.send!(message);

async function createOwnResources(): Promise<Resources> {
  const { kernels: name, threads, roots }: LaneOptions = JSON.parse(process.argv[2]);
  const kernels = await selectKernels({ name, threads });
  // A lane shares its cores with others: no threads but those of the native kernels.
  const isNative = kernels.name.startsWith("native");
  const quantizer = isNative ? await selectQuantizer({ threads: kernels.threads, name: kernels.name }) : undefined;
  return createResources(kernels, { roots, quantize: quantizer?.quantize });
}

function findCause(error: unknown): FailureCause {
  if (error instanceof AbsentError) return "absent";
  return error instanceof InputError ? "input" : "fault";
}

let resources: Promise<Resources> | undefined;
process.on("message", async (experiment: PlannedExperiment) => {
  try {
    resources ??= createOwnResources();
    let last = 0;
    const row = await runExperiment(experiment, await resources, (share) => {
      if (performance.now() - last < 250) return;
      last = performance.now();
      answer({ kind: "progress", share });
    });
    answer({ kind: "row", row });
  } catch (error) {
    answer({ kind: "failure", cause: findCause(error), reason: explainFailure(error) });
  }
});
process.on("disconnect", () => process.exit()); // nobody is left who would take the result
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {}); // told to the whole group; the parent decides
