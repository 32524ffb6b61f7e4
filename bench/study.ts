// How many experiments an hour, beside a straightforward pipeline in Python on the same cores?
//
//     KBIT_BENCH_PYTHON=python3 node bench/study.ts [--model MODEL] [--limit 400] [--threads 2] [--rounds 2] [--batches 1,8]
//                                                   [--lean] [--apart] [--clock wall|cpu]
//
// The same grid on both sides (study.py says how the other does it): a model at the paper's bits as int and float in blocks of
// 64 and 1024, on two bundled zero-shot tasks, in float32. Timed is from the first model to the last result: of kbit also the
// start of its workers, reading and encoding documents, hashing and storing; of Python neither the start nor the documents.
// Both run in turns, the fastest run of each counts, and every metric must agree. A batch of 1 is the harness's default, and so
// is the error of a perplexity by 100,000 resamples. `--lean` spares Python (not kbit) the perplexity of last words and its error.
// On a machine that others use, `--clock cpu --threads 1` compares processor time.
// `--apart` also times the peer as launch scripts run it: a process for each experiment, start included.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { ResultRow } from "../src/result.ts";

const pathOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: {
    model: { type: "string", default: pathOf("../models/books/books-0.8m") },
    specs: { type: "string", default: makeGrid().join(",") },
    limit: { type: "string", default: "400" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "2" },
    batches: { type: "string", default: "1,8" },
    lean: { type: "boolean", default: false },
    apart: { type: "boolean", default: false },
    clock: { type: "string", default: "wall" },
  },
});
const { model, specs, limit, threads, batches } = values;
const names = ["continuation", "lastword"];
const data = pathOf("../models/families");
const experiments = specs.split(",").length * names.length;
const folder = mkdtempSync(join(tmpdir(), "kbit-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** The paper's 3 to 8 bits and exponent bits, as the other side can quantize them too. */
function makeGrid(): string[] {
  const types = [3, 4, 5, 6, 7, 8].flatMap((bits) => [
    `int${bits}`,
    bits === 3 ? "float3:e2" : `float${bits}:e3${bits > 4 ? ":bnb" : ""}`,
  ]);
  return types.flatMap((type) => [64, 1024].map((block) => `${type}:b${block}:a32`));
}

interface Run {
  readonly seconds: number;
  /** By spec, task and name. */
  readonly metrics: Readonly<Record<string, number>>;
}

let stores = 0;
const times = join(folder, "times");

/** Runs a program: what it prints, and its seconds by the clock that was asked for, start included. */
function start(command: readonly string[]): { answer: string; seconds: number } {
  const script = `TIMEFORMAT='%R %U %S'; { time "$@"; } 2> '${times}'`;
  const answer = execFileSync("bash", ["-c", script, "bash", ...command], { encoding: "utf8", maxBuffer: 1e9 });
  const [wall, user, system] = readFileSync(times, "utf8").trim().split("\n").at(-1)!.split(" ").map(Number);
  return { answer, seconds: values.clock === "cpu" ? user + system : wall };
}

function runOurs(): Run {
  const files = names.map((name) => join(data, `${name}.json`)).join(",");
  const args = ["study", "run", model, "--specs", specs, "--tasks", files, "--limit", limit, "--workers", threads];
  const command = [
    process.execPath,
    pathOf("../src/cli/kbit.ts"),
    ...args,
    "--db",
    join(folder, `${stores++}.db`),
    "--json",
  ];
  const first = start(command);
  const { rows } = JSON.parse(first.answer) as { rows: ResultRow[] };
  const again = start(command); // all is stored: what it takes now, starting and planning take
  const metrics = rows.flatMap(({ key, metrics }) =>
    Object.entries(metrics).flatMap(([name, { value, standardError }]) => [
      [`${key.spec} ${key.task} ${name}`, value],
      [`${key.spec} ${key.task} ${name}_stderr`, standardError],
    ]),
  );
  return { seconds: first.seconds - again.seconds, metrics: Object.fromEntries(metrics) };
}

const python = process.env["KBIT_BENCH_PYTHON"];
const peerCommand = (batch: string, spec = specs, tasks = names.join(",")) => [
  python!,
  pathOf("study.py"),
  model,
  data,
  spec,
  tasks,
  limit,
  threads,
  batch,
  values.clock,
  values.lean ? "0" : "100000",
];
const runTheirs = (batch: string): Run => JSON.parse(start(peerCommand(batch)).answer.trim().split("\n").at(-1)!);

const ours: Run[] = [];
const theirs = new Map<string, Run[]>(batches.split(",").map((batch) => [batch, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  ours.push(runOurs());
  if (python) for (const [batch, runs] of theirs) runs.push(runTheirs(batch));
}
const fastest = (runs: readonly Run[]) => runs.reduce((a, b) => (b.seconds < a.seconds ? b : a));
const kbit = fastest(ours);
const secondsEach = kbit.seconds / experiments;

function say(what: string, seconds: number): void {
  const perHour = Math.round(3600 / seconds).toLocaleString("en-US");
  console.log(
    `${what.padEnd(48)} ${perHour.padStart(8)} experiments an hour, 1 / ${(seconds / secondsEach).toFixed(1)}`,
  );
}

console.log(
  `${cpus()[0].model}, ${threads} cores, ${model}, ${experiments} experiments of ${limit} documents, ${values.clock} clock\n`,
);
say("kbit", secondsEach);
if (python) {
  for (const [batch, runs] of theirs) {
    const peer = fastest(runs);
    for (const [name, value] of Object.entries(peer.metrics)) {
      // Accuracies are counts: what ties in float32 may fall either way once in a while.
      const allowed = name.endsWith(" acc") ? 2.5 / Number(limit) : 0.01 * value;
      if (!(Math.abs(kbit.metrics[name] - value) <= allowed))
        throw new Error(`${name}: ${kbit.metrics[name]} here and ${value} there`);
    }
    say(`Python, one process for all, batches of ${batch}`, peer.seconds / experiments);
  }
  if (values.apart) {
    const spec = specs.split(",")[0];
    for (const batch of theirs.keys()) {
      const seconds = names.reduce((sum, name) => sum + start(peerCommand(batch, spec, name)).seconds, 0);
      say(`Python, a process for each, batches of ${batch}`, seconds / names.length);
    }
  }
}
