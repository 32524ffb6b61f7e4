// llama.cpp as node-llama-cpp ships it, in a process of its own: loads a model and answers "decode N" and "prefill N" on
// its standard input with seconds, one line each.
//
//   node bench/llamacpp-peer.ts FOLDER MODEL THREADS       FOLDER has node-llama-cpp installed

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, modelPath, threads] = process.argv.slice(2);
const entry = pathToFileURL(join(folder, "node_modules/node-llama-cpp/dist/index.js")).href;
const { getLlama } = await import(entry);
const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, logLevel: "error" });
const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
const count = Number(threads);
const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: { ideal: count, min: count } });
const sequence = context.getSequence();
console.log("ready");

/** Milliseconds of each of `tokens` tokens. */
async function decode(tokens: number): Promise<number[]> {
  await sequence.clearHistory();
  const times: number[] = [];
  let last = performance.now();
  for await (const _token of sequence.evaluate([1], { temperature: 0, yieldEogToken: true })) {
    const now = performance.now();
    times.push(now - last);
    last = now;
    if (times.length > tokens) break;
  }
  return times.slice(1);
}

/** Milliseconds of a prompt. */
async function prefill(tokens: number): Promise<number[]> {
  await sequence.clearHistory();
  const prompt = Array.from({ length: tokens }, (_, i) => 3 + ((i * 7919) % 31000));
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(prompt);
  return [performance.now() - start];
}

for await (const line of createInterface({ input: process.stdin })) {
  const [action, tokens] = line.split(" ");
  console.log(JSON.stringify(await (action === "decode" ? decode : prefill)(Number(tokens))));
}
process.exit(0);
