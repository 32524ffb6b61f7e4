// Where the time of a study goes: inside the kernels, quantizing and loading, and everything else (tokens, metrics, JSON),
// over experiments of a study file in the order in which one worker runs them.
//   node bench/kernel-share.ts [STUDY.yaml] [experiments]

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../src/checkpoint/open-node.ts";
import type { Kernels } from "../src/kernels/kernels.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { runExperiment } from "../src/study/experiment.ts";
import { makeJobs } from "../src/study/jobs.ts";
import { planStudy } from "../src/study/plan.ts";
import { createResources } from "../src/study/resources.ts";
import { parseStudy } from "../src/study/study-file.ts";

const [path = fileURLToPath(new URL("../experiments/books.yaml", import.meta.url)), count = "32"] =
  process.argv.slice(2);

/** The kernels with a clock: what runs in several calls at once counts once. */
function addClock(kernels: Kernels) {
  const clock = { ms: 0, running: 0, since: 0 };
  const enter = () => {
    if (clock.running++ === 0) clock.since = performance.now();
  };
  const leave = () => {
    if (--clock.running === 0) clock.ms += performance.now() - clock.since;
  };
  const addTo = (call: (...args: unknown[]) => unknown) => {
    return (...args: unknown[]) => {
      enter();
      let result: unknown;
      try {
        result = call.apply(kernels, args);
      } catch (error) {
        leave();
        throw error;
      }
      if (result instanceof Promise) return result.finally(leave);
      leave();
      return result;
    };
  };
  const members = Object.entries(kernels).map(([name, member]) => [
    name,
    typeof member === "function" ? addTo(member) : member,
  ]);
  const timed = Object.fromEntries(members) as Kernels;
  return { clock, timed };
}

const kernels = await selectKernels({ threads: 1 });
const { clock, timed } = addClock(kernels);
const resources = createResources(timed);
const study = parseStudy(readFileSync(path, "utf8"), path);
const { computeType } = kernels;
const { experiments } = await planStudy(study, { openCheckpoint, computeType });
// Whole batches, spread evenly over the study, so that large models have their part.
const batches = [...Map.groupBy(makeJobs(experiments), ({ batch }) => batch).values()];
const step = Math.max(1, experiments.length / Number(count));
const inOrder = batches.filter((_, i) => Math.floor(i / step) !== Math.floor((i - 1) / step)).flat();

let loadMs = 0;
const loading: typeof resources.loadModel = async (...args) => {
  const [started, before] = [performance.now(), clock.ms];
  const loaded = await resources.loadModel(...args);
  loadMs += performance.now() - started - (clock.ms - before);
  return loaded;
};
// What is compiled, encoded and drawn once is no part of a long study: each tokenizer's first batch comes before the clock.
const firsts = Map.groupBy(inOrder, ({ experiment }) => experiment.key.tokenizerHash).values();
for (const [{ batch }] of firsts)
  for (const job of inOrder) if (job.batch === batch) await runExperiment(job.experiment, resources);
clock.ms = 0;
const started = performance.now();
for (const { experiment } of inOrder) await runExperiment(experiment, { ...resources, loadModel: loading });
const total = performance.now() - started;
const share = (ms: number) => `${((100 * ms) / total).toFixed(1)} %`;
console.log(
  `${inOrder.length} experiments of ${study.name}, ${kernels.name}, 1 thread, ${(total / 1000).toFixed(1)} s`,
);
console.log(`in the kernels          ${share(clock.ms)}`);
console.log(`quantizing and loading  ${share(loadMs)}`);
console.log(`everything else         ${share(total - clock.ms - loadMs)}`);
await kernels.close();
