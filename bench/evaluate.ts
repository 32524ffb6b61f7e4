// How fast is `kbit eval --text`, in tokens a second, beside transformers on the same cores?
//
//     KBIT_BENCH_PYTHON=python3 node bench/evaluate.ts [--windows 100] [--repeats 3] [--threads N]
//
// Both sides score the same windows of the bundled text with the bundled family, weights as stored, computing in float32,
// from the text to its perplexity; loading is not timed. Runs alternate, the fastest of each side counts, and the two must
// agree on the perplexity.

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openCheckpoint } from "../src/checkpoint/open-node.ts";
import { measurePerplexity } from "../src/evaluate/perplexity.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { loadModel } from "../src/model/load.ts";

interface Run {
  readonly seconds: number;
  readonly nll: number;
  readonly tokens: number;
}

const { values } = parseArgs({
  options: {
    windows: { type: "string", default: "100" },
    repeats: { type: "string", default: "3" },
    threads: { type: "string" },
  },
});
const windows = Number(values.windows);
const repeats = Number(values.repeats);
const python = process.env["KBIT_BENCH_PYTHON"];
const threads = Number(values.threads ?? availableParallelism());
const books = fileURLToPath(new URL("../models/books/", import.meta.url));
const textFile = `${books}heldout.txt`;
const text = readFileSync(textFile, "utf8");
const script = fileURLToPath(new URL("evaluate.py", import.meta.url));

async function runKbit(folder: string): Promise<Run> {
  const checkpoint = await openCheckpoint(folder);
  const kernels = await selectKernels({ name: process.env["KBIT_KERNELS"], threads });
  kernelName = `${kernels.name}, ${kernels.computeType}`;
  const model = await loadModel(checkpoint, kernels);
  await measurePerplexity(model, text, { limit: 4 });
  const started = performance.now();
  const { nll, tokens } = await measurePerplexity(model, text, { limit: windows });
  const seconds = (performance.now() - started) / 1000;
  await model.close();
  await kernels.close();
  await checkpoint.close();
  return { seconds, nll, tokens };
}

function runTransformers(folder: string): Run {
  const out = execFileSync(python!, [script, folder, textFile, String(windows), String(threads)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(out.trim().split("\n").at(-1)!);
}

let kernelName = "";
const fastest = (runs: readonly Run[]) => runs.reduce((a, b) => (b.seconds < a.seconds ? b : a));
const rate = ({ tokens, seconds }: Run) => Math.round(tokens / seconds);

const rows: string[] = [];
for (const name of readdirSync(books)
  .filter((entry) => entry.startsWith("books-"))
  .sort()) {
  const ours: Run[] = [];
  const theirs: Run[] = [];
  for (let i = 0; i < repeats; i++) {
    ours.push(await runKbit(books + name));
    if (python) theirs.push(runTransformers(books + name));
  }
  const kbit = fastest(ours);
  if (!python) {
    rows.push(`| ${name} | ${rate(kbit)} | | |`);
    continue;
  }
  const peer = fastest(theirs);
  if (kbit.tokens !== peer.tokens || Math.abs(kbit.nll - peer.nll) > 1e-4) {
    throw new Error(
      `${name}: kbit gives ${kbit.nll} over ${kbit.tokens} tokens, transformers ${peer.nll} over ${peer.tokens}`,
    );
  }
  rows.push(`| ${name} | ${rate(kbit)} | ${rate(peer)} | ${(peer.seconds / kbit.seconds).toFixed(2)} |`);
}

console.log(`${cpus()[0].model}, ${threads} threads, ${kernelName}, ${windows} windows, best of ${repeats}\n`);
console.log("| model | kbit, tokens/s | transformers, tokens/s | ratio |\n|---|---|---|---|");
console.log(rows.join("\n"));
