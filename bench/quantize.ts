// Speed of quantizing: 4096 x 4096 float16 weights to codes and scales in memory, blocks of 64, by the quantizer that
// `kbit quantize` uses, and beside it llama.cpp's own for Q4_0 (ggml-quantize.cpp).
//
//   node bench/quantize.ts [THREADS]                     also the reference, which runs anywhere, on one thread
//   KBIT_BENCH_PYTHON=python3 node bench/quantize.ts     also bitsandbytes on the CPU, on one and on all threads
//
// Each figure is the fastest of its runs, as other work on the machine can only slow a run down; what is compared is
// measured in turns.

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { selectQuantizer } from "../src/kernels/quantizer-node.ts";
import { dequantize, quantize } from "../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../src/quantize/spec.ts";
import { parseSpec } from "../src/quantize/spec-text.ts";
import { fromFloat32 } from "../src/tensor/convert.ts";
import { createRandom } from "../src/tensor/random.ts";
import { benchFolder } from "./llama-shape.ts";
import { type Peer, startProgram } from "./peer-process.ts";

const shape = [4096, 4096] as const;
const count = shape[0] * shape[1];
const types = ["int4", "float4:e2", "float4:e3", "quantile4", "dynamic4", "nf4", "nf4:dq", "int3", "int8"];
const withBlocks = (type: string) => type.replace(/^[^:]+/, "$&:b64");

function randomWeights(): Float32Array {
  const random = createRandom(0);
  return Float32Array.from({ length: count }, () => random.normal() * 0.02);
}

/** Million weights a second. */
const speed = (milliseconds: number) => count / milliseconds / 1000;

/**
 * M weights a second by spec, those of llama.cpp's quantizer to Q4_0 where it can be called, and how often as fast as it
 * `int4:b64` is.
 *
 * @param peerFolder - where node-llama-cpp is installed
 */
export async function measureQuantizing(
  threads: number,
  rounds: number,
  peerFolder: string,
  say: (text: string) => void,
): Promise<{ ours: Record<string, number>; theirs?: number; ratio?: number }> {
  const tensor = fromFloat32("weights", randomWeights(), shape, "F16");
  const quantizer = await selectQuantizer({ threads });
  const peer = await startGgml(peerFolder, threads, say);
  const ours: Record<string, number> = {};
  let theirs: number | undefined;
  for (const type of types) {
    const spec = withBlocks(type);
    ours[spec] = 0;
    for (let round = 0; round < 3 * rounds; round++) {
      const start = performance.now();
      await quantizer.quantize(tensor, shape, parseSpec(spec) as QuantizedSpec);
      ours[spec] = Math.max(ours[spec], speed(performance.now() - start));
      if (peer && type === "int4") theirs = Math.max(theirs ?? 0, speed((await peer.ask(""))[0]));
    }
    say(`    ${spec.padEnd(26)} ${ours[spec].toFixed(0).padStart(6)} M weights/s`);
  }
  peer?.close();
  await quantizer.close();
  return { ours, theirs, ratio: theirs && ours["int4:b64"] / theirs };
}

/** llama.cpp's quantizer, where a compiler is. */
async function startGgml(folder: string, threads: number, say: (text: string) => void): Promise<Peer | undefined> {
  const program = join(folder, "ggml-quantize");
  const [source, target] = [join(benchFolder, "ggml-quantize.cpp"), `${process.platform}-${process.arch}`];
  try {
    execFileSync("c++", ["-O2", "-std=c++20", source, "-o", program, "-ldl", "-pthread"]);
    const bins = join(folder, "node_modules/@node-llama-cpp", target, "bins", target);
    const library = readdirSync(bins).find((name) => name.startsWith("libggml-base."));
    return await startProgram(program, [join(bins, library!), String(threads), ...shape.map(String)]);
  } catch (error) {
    say(`    llama.cpp's quantizer cannot be called here: ${(error as Error).message.split("\n")[0]}`);
    return undefined;
  }
}

function timeBest(action: () => unknown, runs = 7): number {
  action();
  return Math.min(
    ...Array.from({ length: runs }, () => {
      const start = performance.now();
      action();
      return performance.now() - start;
    }),
  );
}

function measureReference(): void {
  const weights = randomWeights();
  for (const type of ["int4", "float4:e2", "quantile4", "nf4", "int8"]) {
    const spec = parseSpec(withBlocks(type)) as QuantizedSpec;
    const quantized = quantize(weights, shape, spec);
    const figures = [timeBest(() => quantize(weights, shape, spec)), timeBest(() => dequantize(quantized))].map(speed);
    console.log(
      `    ${withBlocks(type).padEnd(26)} ${figures[0].toFixed(0).padStart(6)} M weights/s, ` +
        `${figures[1].toFixed(0)} back to float32`,
    );
  }
}

function measureBitsandbytes(python: string): void {
  const script = `
import time
import torch, bitsandbytes
import bitsandbytes.functional as bnb
weights = torch.randn(${shape.join(", ")}) * 0.02
for threads in (1, torch.get_num_threads()):
    torch.set_num_threads(threads)
    for kind in ("nf4", "fp4"):
        times = []
        for run in range(8):
            start = time.perf_counter()
            bnb.quantize_4bit(weights, blocksize=64, quant_type=kind)
            times.append(time.perf_counter() - start)
        print(f"bitsandbytes {bitsandbytes.__version__} {kind}, threads {threads}\\t{min(times[1:])}")
`;
  const output = execFileSync(python, ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  for (const line of output.trim().split("\n")) {
    const [what, seconds] = line.split("\t");
    console.log(`    ${what.padEnd(40)} ${speed(1000 * Number(seconds)).toFixed(0)} M weights/s`);
  }
}

if (import.meta.main) {
  const threads = Number(process.argv[2] ?? 2);
  const folder = join(process.env.KBIT_BENCH_FOLDER ?? join(process.env.TMPDIR ?? "/tmp", "kbit-bench"), "peer");
  console.log(
    `${cpus()[0].model}, ${cpus().length} cores, node ${process.version}, ${shape.join(" x ")} float16 weights`,
  );
  const { theirs, ratio } = await measureQuantizing(threads, 3, existsSync(folder) ? folder : "", console.log);
  if (ratio)
    console.log(
      `    llama.cpp to Q4_0: ${theirs!.toFixed(0)} M weights/s; int4:b64 is ${ratio.toFixed(1)} times as fast`,
    );
  console.log("the reference, float32, one thread:");
  measureReference();
  if (process.env.KBIT_BENCH_PYTHON) measureBitsandbytes(process.env.KBIT_BENCH_PYTHON);
  process.exit(0);
}
