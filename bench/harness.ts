// How many requests of zero-shot tasks a second, beside lm-evaluation-harness with transformers on the same cores?
//
//     KBIT_BENCH_PYTHON=python3 node bench/harness.ts --data DIR [--model MODEL] [--limit 100] [--repeats 2] [--threads 2]
//                                                     [--tasks lambada_openai,winogrande,hellaswag,piqa] [--batches 1,8,32]
//                                                     [--clock wall|cpu] [--softmax float32|float64] [--pick spaced|first]
//
// Both sides score the same documents, evenly spaced over each file or its first (as the paper's limit of 400 takes them), on the same model, weights as stored, computing in float32, from documents to metrics;
// loading is not timed, and there is no bootstrap. Each side runs in a process of its own, in turns, the fastest run of each
// counts (the peer's at its best batch size), and the two must agree on accuracy; the log-likelihood of each request is compared. Without KBIT_BENCH_PYTHON: kbit alone.
// On a machine that others use, `--clock cpu --threads 1` compares processor time. PyTorch's float32 softmax over a
// large vocabulary is off by some 1e-5 a token; `--softmax float64` takes that out of the differences.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openCheckpoint } from "../src/checkpoint/open-node.ts";
import { parseDocuments } from "../src/evaluate/documents.ts";
import { evaluateTask } from "../src/evaluate/task.ts";
import { tasks } from "../src/evaluate/tasks/index.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { loadModel } from "../src/model/load.ts";

interface TaskRun {
  readonly seconds: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly requests?: number;
  readonly batch?: number;
  /** Of each request, in the order of the documents. */
  readonly logLikelihoods: readonly number[];
  /** Seconds of it that went into tokenization. */
  readonly encodeSeconds?: number;
}

type Run = Readonly<Record<string, TaskRun>> & { readonly peakMegabytes: number };

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string", default: fileURLToPath(new URL("../models/books/books-1.7m", import.meta.url)) },
    tasks: { type: "string", default: "lambada_openai,winogrande,hellaswag,piqa" },
    limit: { type: "string", default: "100" },
    repeats: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
    batches: { type: "string", default: "1,8,32" },
    clock: { type: "string", default: "wall" },
    softmax: { type: "string", default: "float32" },
    pick: { type: "string", default: "spaced" },
    run: { type: "boolean", default: false },
  },
});
/** Seconds of the clock that was asked for. */
const readClock = () =>
  values.clock === "cpu" ? (process.cpuUsage().user + process.cpuUsage().system) / 1e6 : performance.now() / 1000;

if (values.data === undefined) throw new Error("--data DIR: the folder of the documents, <task>.jsonl");
const { data, model: path, tasks: names, limit, threads } = values;

/** This side, in a process of its own. */
async function runOnce(): Promise<Run> {
  const checkpoint = await openCheckpoint(path);
  const kernels = await selectKernels({ name: process.env["KBIT_KERNELS"], threads: Number(threads) });
  const model = await loadModel(checkpoint, kernels);
  const out: Record<string, TaskRun> = {};
  for (const name of names.split(",")) {
    const task = tasks[name];
    const lines = readFileSync(join(data!, task.files[0]), "utf8").trim().split("\n");
    const chosen = Array.from(
      { length: Number(limit) },
      (_, i) => lines[values.pick === "first" ? i : Math.floor((i * lines.length) / Number(limit))],
    );
    const documents = parseDocuments(chosen.join("\n"), task.fields, name);
    const started = readClock();
    let encoded = started;
    const result = await evaluateTask(model, task, documents, {
      bootstrapIterations: 0,
      onProgress: (phase) => {
        if (phase === "encode") encoded = readClock();
      },
    });
    const seconds = readClock() - started;
    const logLikelihoods = result.documents.flatMap((document) => document.logLikelihoods);
    const requests = logLikelihoods.length;
    const metrics = Object.fromEntries(Object.entries(result.metrics).map(([metric, { value }]) => [metric, value]));
    out[name] = { seconds, metrics, requests, logLikelihoods, encodeSeconds: encoded - started };
  }
  await model.close();
  await kernels.close();
  return { ...out, peakMegabytes: process.resourceUsage().maxRSS / 1024 } as unknown as Run;
}

if (values.run) {
  console.log(JSON.stringify(await runOnce()));
  process.exit(0);
}

const python = process.env["KBIT_BENCH_PYTHON"];
const script = fileURLToPath(new URL("harness.py", import.meta.url));
const readLast = (out: string): Run => JSON.parse(out.trim().split("\n").at(-1)!);
const start = (command: string, args: readonly string[]) =>
  readLast(execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));

const ours: Run[] = [];
const theirs: Run[] = [];
for (let i = 0; i < Number(values.repeats); i++) {
  ours.push(start(process.execPath, [fileURLToPath(import.meta.url), "--run", ...process.argv.slice(2)]));
  if (python)
    theirs.push(
      start(python, [
        script,
        path,
        data,
        names,
        limit,
        threads,
        values.batches,
        values.clock,
        values.softmax,
        values.pick,
      ]),
    );
}
const fastest = (runs: readonly Run[], name: string) =>
  runs.map((run) => run[name]).reduce((a, b) => (b.seconds < a.seconds ? b : a));

console.log(
  `${cpus()[0].model}, ${threads} threads, ${path}, ${limit} documents a task (${values.pick}), best of ${values.repeats}, ${values.clock} clock\n`,
);
console.log(
  "| task | requests | kbit, requests/s | of it tokenizing | lm-eval, requests/s | at batch | ratio | largest difference, nats |",
);
console.log("|---|---|---|---|---|---|---|---|");
for (const name of names.split(",")) {
  const kbit = fastest(ours, name);
  const peer = python ? fastest(theirs, name) : undefined;
  const requests = kbit.requests!;
  const share = `${Math.round((100 * kbit.encodeSeconds!) / kbit.seconds)} %`;
  const rate = (seconds: number) => (requests / seconds).toFixed(1);
  const differences = peer?.logLikelihoods.map((value, i) => Math.abs(value - kbit.logLikelihoods[i])) ?? [];
  const beside = peer
    ? [
        rate(peer.seconds),
        peer.batch,
        (peer.seconds / kbit.seconds).toFixed(2),
        Math.max(...differences).toExponential(1),
      ]
    : ["", "", "", ""];
  console.log(`| ${[name, requests, rate(kbit.seconds), share, ...beside].join(" | ")} |`);
  for (const [metric, value] of Object.entries(peer?.metrics ?? {})) {
    // Accuracies are counts: a tie of two choices in float32 may fall either way once in a while.
    const allowed = metric.startsWith("acc") ? 1.5 / Number(limit) : 1e-3 * value;
    if (Math.abs(kbit.metrics[metric] - value) > allowed) {
      throw new Error(`${name}: ${metric} is ${kbit.metrics[metric]} here and ${value} there`);
    }
  }
}
const peak = (runs: readonly Run[]) => Math.round(Math.max(...runs.map((run) => run.peakMegabytes)));
console.log(`\npeak memory: kbit ${peak(ours)} MB${python ? `, lm-eval ${peak(theirs)} MB` : ""}`);
