// Where the time of a study goes, over experiments of a study file in the order in which one worker runs them:
//   in the kernels   products, attention, norms, log-probabilities
//   quantizing       the same native loops over weights, and the codebooks that they take
//   loading          what else makes a model of a checkpoint: reading, checking, planning, memory
//   everything else  requests, scores, metrics, standard errors, rows
//   node bench/kernel-share.ts [STUDY.yaml] [experiments]

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../src/checkpoint/open-node.ts";
import type { Kernels } from "../src/kernels/kernels.ts";
import { selectQuantizer } from "../src/kernels/quantizer-node.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { runExperiment } from "../src/study/experiment.ts";
import { makeJobs } from "../src/study/jobs.ts";
import { planStudy } from "../src/study/plan.ts";
import { createResources } from "../src/study/resources.ts";
import { parseStudy } from "../src/study/study-file.ts";

const [path = fileURLToPath(new URL("../experiments/books.yaml", import.meta.url)), count = "32"] =
  process.argv.slice(2);

/** Milliseconds inside the functions that it is put on; what runs in several calls at once counts once. */
function createClock() {
  const clock = { ms: 0 };
  let running = 0;
  let since = 0;
  const leave = () => {
    if (--running === 0) clock.ms += performance.now() - since;
  };
  const on = <A extends unknown[], R>(call: (...args: A) => R) => {
    return (...args: A): R => {
      if (running++ === 0) since = performance.now();
      let result: R;
      try {
        result = call(...args);
      } catch (error) {
        leave();
        throw error;
      }
      if (result instanceof Promise) return result.finally(leave) as R;
      leave();
      return result;
    };
  };
  return { clock, on };
}

/** Members of a kernel set that only keep or move data. */
const memory = new Set(["createBuffer", "write", "read", "view", "loadWeight", "release", "close"]);

const kernels = await selectKernels({ threads: 1 });
const { clock: computing, on: onComputing } = createClock();
const { clock: quantizing, on: onQuantizing } = createClock();
const timed = Object.fromEntries(
  Object.entries(kernels).map(([name, member]) => [
    name,
    typeof member === "function" && !memory.has(name) ? onComputing(member) : member,
  ]),
) as Kernels;
const quantizer = await selectQuantizer({ threads: 1, name: kernels.name });
const resources = createResources(timed, { quantize: onQuantizing(quantizer.quantize) });
const study = parseStudy(readFileSync(path, "utf8"), path);
const { computeType } = kernels;
const { experiments } = await planStudy(study, { openCheckpoint, computeType });
// Whole batches, spread evenly over the study, so that large models have their part.
const batches = [...Map.groupBy(makeJobs(experiments), ({ batch }) => batch).values()];
const step = Math.max(1, experiments.length / Number(count));
const inOrder = batches.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step)).flat();

let loadMs = 0;
const loading: typeof resources.loadModel = async (...args) => {
  const [started, before] = [performance.now(), quantizing.ms];
  const loaded = await resources.loadModel(...args);
  loadMs += performance.now() - started - (quantizing.ms - before);
  return loaded;
};
// What is compiled, prepared and drawn once is no part of a long study: each tokenizer's first batch comes before the clock.
const firsts = Map.groupBy(inOrder, ({ experiment }) => experiment.key.tokenizerHash).values();
for (const [{ batch }] of firsts)
  for (const job of inOrder) if (job.batch === batch) await runExperiment(job.experiment, resources);
computing.ms = quantizing.ms = 0;
const started = performance.now();
for (const { experiment } of inOrder) await runExperiment(experiment, { ...resources, loadModel: loading });
const total = performance.now() - started;
const share = (ms: number) => `${((100 * ms) / total).toFixed(1)} %`;
console.log(
  `${inOrder.length} experiments of ${study.name}, ${kernels.name}, 1 thread, ${(total / 1000).toFixed(1)} s`,
);
console.log(`in the kernels   ${share(computing.ms)}`);
console.log(`quantizing       ${share(quantizing.ms)}`);
console.log(`loading          ${share(loadMs)}`);
console.log(`everything else  ${share(total - computing.ms - quantizing.ms - loadMs)}`);
await kernels.close();
await quantizer.close();
