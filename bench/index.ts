// npm run bench: how fast kbit is against its peers and against the machine, on a Llama-shaped model of 1.1 B random weights.
//
//   npm run bench -- [--json] [--folder FOLDER] [--threads N] [--rounds N]
//                    [--only decode,bits,prefill,batch,wasm,quantize,start] [--plot]
//
// FOLDER (default: kbit-bench in the system's folder for temporary files) takes llama.cpp as node-llama-cpp ships it and
// the models: about 4 GB, kept for the next run. What is compared is measured in turns, and each figure is the fastest
// of its runs, as other work on the machine can only slow a run down. --plot keeps bits and batch in bench/latency.json and
// draws docs/images/latency.svg of them.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkKernelSets } from "../src/kernels/select-node.ts";
import { measureBatches } from "./batch.ts";
import { measureBits } from "./decode-bits.ts";
import { ggufBytesPerToken, writeGguf } from "./gguf.ts";
import { benchFolder, bytesPerToken, weightsPerToken } from "./llama-shape.ts";
import { createMachine, type Figures, fastest, openModel } from "./measure.ts";
import { type Peer, startPeer } from "./peer-process.ts";
import { plotLatency } from "./plot.ts";
import { measureQuantizing } from "./quantize.ts";
import { measureStart } from "./start.ts";

const { values: flags } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    folder: { type: "string", default: join(tmpdir(), "kbit-bench") },
    threads: { type: "string", default: "2" },
    plot: { type: "boolean", default: false },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "decode,bits,prefill,batch,wasm,quantize,start" },
  },
});
const threads = Number(flags.threads);
const rounds = Number(flags.rounds);
const wanted = new Set(flags.only.split(","));
const fourBits = "int4:b64:embed:head";
const figures: Figures = {};

function say(text: string): void {
  if (!flags.json) console.log(text);
}

function report(key: string, value: number | Record<string, unknown>, note = ""): void {
  figures[key] = value;
  say(`${key.padEnd(28)} ${typeof value === "number" ? value.toFixed(3).padStart(10) : ""} ${note}`);
}

/** The folder that llama.cpp is installed in, as node-llama-cpp ships it. */
function installLlamaCpp(): string {
  const place = join(flags.folder, "peer");
  mkdirSync(place, { recursive: true });
  if (!existsSync(join(place, "node_modules/node-llama-cpp"))) {
    const packages = ["node-llama-cpp@3.22.1", `@node-llama-cpp/${process.platform}-${process.arch}@3.22.1`];
    execFileSync("npm", ["install", "--prefix", place, "--ignore-scripts", "--omit=optional", ...packages], {
      stdio: "ignore",
    });
  }
  return place;
}

/** llama.cpp with a model of that type, both made if they are not there. */
async function startLlamaCpp(type: "F16" | "Q4_0"): Promise<Peer> {
  const place = installLlamaCpp();
  const path = join(flags.folder, `random-${type}.gguf`);
  if (!existsSync(path)) {
    writeGguf(`${path}.new`, type);
    renameSync(`${path}.new`, path);
  }
  return startPeer(join(benchFolder, "llamacpp-peer.ts"), [place, path, String(threads)]);
}

async function measureDecoding(): Promise<void> {
  const machine = createMachine(threads);
  const ours4 = await openModel(fourBits, { threads, computeType: "bfloat16" });
  const ours32 = await openModel(fourBits, { threads });
  const ours16 = await openModel("fp16", { threads });
  const theirs4 = await startLlamaCpp("Q4_0");
  const theirs16 = await startLlamaCpp("F16");
  const best = { ours4: Infinity, ours32: Infinity, ours16: Infinity, theirs4: Infinity, theirs16: Infinity, read: 0 };
  for (let round = 0; round < rounds; round++) {
    best.ours4 = Math.min(best.ours4, await ours4.decodeSeconds(24));
    best.theirs4 = Math.min(best.theirs4, fastest(await theirs4.ask("decode 24")));
    best.read = Math.max(best.read, machine.bytesPerSecond());
    best.ours32 = Math.min(best.ours32, await ours32.decodeSeconds(24));
    best.ours16 = Math.min(best.ours16, await ours16.decodeSeconds(12));
    best.theirs16 = Math.min(best.theirs16, fastest(await theirs16.ask("decode 12")));
  }
  const [bytes4, bytes16] = [bytesPerToken(fourBits), bytesPerToken("fp16")];
  const side = (seconds: number, bytes: number) =>
    `${(1 / seconds).toFixed(1)} tokens/s, ${(bytes / 1e6).toFixed(0)} MB read a token`;
  report("decode4_vs_llamacpp_q4_0", best.theirs4 / best.ours4, `${side(best.ours4, bytes4)} (bfloat16)`);
  report("decode4_float32_vs_llamacpp_q4_0", best.theirs4 / best.ours32, `${side(best.ours32, bytes4)} (float32)`);
  say(`    llama.cpp Q4_0: ${side(best.theirs4, ggufBytesPerToken("Q4_0"))}`);
  report("decode16_vs_llamacpp_f16", best.theirs16 / best.ours16, side(best.ours16, bytes16));
  say(`    llama.cpp F16: ${side(best.theirs16, ggufBytesPerToken("F16"))}`);
  const share = bytes4 / best.ours4 / best.read;
  report("decode4_bandwidth_share", share, `of ${(best.read / 1e9).toFixed(1)} GB/s by a plain read loop`);
  figures.decode16_bandwidth_share = bytes16 / best.ours16 / best.read;
  for (const end of [theirs4, theirs16]) end.close();
  for (const model of [ours4, ours32, ours16]) await model.close();
  await machine.close();
}

async function measurePrefill(): Promise<void> {
  const tokens = 512;
  const machine = createMachine(threads);
  const float32 = await openModel(fourBits, { threads });
  const bfloat16 = await openModel(fourBits, { threads, computeType: "bfloat16" });
  const theirs4 = await startLlamaCpp("Q4_0");
  const theirs16 = await startLlamaCpp("F16");
  const best = { float32: Infinity, bfloat16: Infinity, theirs4: Infinity, theirs16: Infinity, peak: 0, peak16: 0 };
  for (let round = 0; round < rounds; round++) {
    best.float32 = Math.min(best.float32, await float32.prefillSeconds(tokens));
    best.peak = Math.max(best.peak, machine.operationsPerSecond("float32"));
    best.theirs16 = Math.min(best.theirs16, fastest(await theirs16.ask(`prefill ${tokens}`)));
    best.bfloat16 = Math.min(best.bfloat16, await bfloat16.prefillSeconds(tokens));
    best.peak16 = Math.max(best.peak16, machine.operationsPerSecond("bfloat16"));
    best.theirs4 = Math.min(best.theirs4, fastest(await theirs4.ask(`prefill ${tokens}`)));
  }
  // All matrices but the head, which sees the last token only.
  const operations = 2 * (weightsPerToken() - 32000 * 2048) * tokens;
  const speed = (seconds: number) => `${(tokens / seconds).toFixed(0)} tokens/s`;
  report(
    "prefill32_vs_llamacpp_f16",
    best.theirs16 / best.float32,
    `${speed(best.float32)}; theirs ${speed(best.theirs16)}`,
  );
  const share = operations / best.float32 / best.peak;
  report("prefill32_peak_share", share, `of ${(best.peak / 1e9).toFixed(0)} GFLOP/s`);
  report(
    "prefill16_vs_llamacpp_q4_0",
    best.theirs4 / best.bfloat16,
    `${speed(best.bfloat16)}; theirs ${speed(best.theirs4)}`,
  );
  figures.prefill16_peak_share = operations / best.bfloat16 / best.peak16;
  for (const end of [theirs4, theirs16]) end.close();
  for (const model of [float32, bfloat16]) await model.close();
  await machine.close();
}

async function measureWasm(): Promise<void> {
  const avx2 = await openModel(fourBits, { threads: 1, name: "native-avx2" });
  const wasm = await openModel(fourBits, { threads: 1, name: "wasm" });
  const rounded = await openModel(fourBits, { threads: 1, name: "wasm", inputs: "int8" });
  const [native, float32, int8] = [[avx2, 8] as const, [wasm, 4] as const, [rounded, 4] as const].map(
    ([model, tokens]) => ({ model, tokens, seconds: Infinity }),
  );
  for (let round = 0; round < rounds; round++) {
    for (const one of [native, float32, int8])
      one.seconds = Math.min(one.seconds, await one.model.decodeSeconds(one.tokens));
  }
  const speed = ({ seconds }: { seconds: number }) => `${(1 / seconds).toFixed(2)} tokens/s on one thread`;
  report("wasm_vs_avx2", native.seconds / float32.seconds, `${speed(float32)}; AVX2 ${speed(native)}`);
  report("wasm_int8_inputs_vs_avx2", native.seconds / int8.seconds, speed(int8));
  for (const { model } of [native, float32, int8]) await model.close();
}

const sets = await checkKernelSets();
const running = sets.find(({ reason }) => reason === undefined);
figures.machine = {
  processor: cpus()[0].model,
  cores: cpus().length,
  node: process.version,
  threads,
  kernels: running?.name,
};
say(`${cpus()[0].model}, ${cpus().length} cores, node ${process.version}, ${threads} threads`);
if (wanted.has("decode")) await measureDecoding();
if (wanted.has("bits"))
  report("decode_bits_efficiency", await measureBits(threads, rounds, say), "of 16 / stored bits");
if (wanted.has("prefill")) await measurePrefill();
if (wanted.has("batch")) report("throughput_by_batch", await measureBatches(threads, say), "tokens/s of all products");
if (wanted.has("wasm")) await measureWasm();
if (wanted.has("quantize")) {
  const { ours, theirs, ratio } = await measureQuantizing(threads, rounds, installLlamaCpp(), say);
  report("quantize_mweights_s", ours, "M float16 weights/s, file to codes");
  if (ratio !== undefined) report("quantize_int4_vs_llamacpp_q4_0", ratio, `theirs ${theirs!.toFixed(0)} M weights/s`);
}
if (wanted.has("start")) {
  const { first_token_ms, resident_extra_mb, page } = await measureStart(flags.folder, threads, rounds);
  report("first_token_ms", first_token_ms, page);
  report("resident_extra_mb", resident_extra_mb);
}
if (flags.plot) plotLatency(figures);
if (flags.json) console.log(JSON.stringify(figures, null, 2));
process.exit(0);
