// Speed of quantize() and dequantize() on one core: 4 bits, blocks of 64, a 4096 x 4096 float32 matrix.
//
//   node bench/quantize.ts
//   KBIT_BENCH_PYTHON=python3 node bench/quantize.ts     also times bitsandbytes on the CPU, on one and on all threads
//
// Each figure is the fastest of seven runs after one to warm up, as other work on the machine can only slow a run down.
// GB/s are those of the float32 weights.

import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { dequantize, quantize } from "../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../src/quantize/spec.ts";
import { parseSpec } from "../src/quantize/spec-text.ts";
import { createRandom } from "../src/tensor/random.ts";

const [rows, columns] = [4096, 4096];
const count = rows * columns;
const runs = 7;

function timeSeconds(action: () => unknown): number {
  action();
  return Math.min(
    ...Array.from({ length: runs }, () => {
      const start = performance.now();
      action();
      return (performance.now() - start) / 1000;
    }),
  );
}

function report(what: string, seconds: number): void {
  const rate = `${(count / seconds / 1e6).toFixed(0).padStart(6)} M weights/s`;
  console.log(`${what.padEnd(44)} ${rate} ${((4 * count) / seconds / 1e9).toFixed(2).padStart(7)} GB/s`);
}

const random = createRandom(0);
const weights = Float32Array.from({ length: count }, () => random.normal() * 0.02);

console.log(`${cpus()[0].model}, ${cpus().length} cores, node ${process.version}, ${rows} x ${columns} weights`);
for (const type of ["int4", "float4:e3", "float4:e2", "dynamic4", "quantile4", "nf4", "bnbfp4", "int3", "int8"]) {
  const spec = parseSpec(`${type}:b64`) as QuantizedSpec;
  report(
    `quantize   ${type}:b64`,
    timeSeconds(() => quantize(weights, [rows, columns], spec)),
  );
  const quantized = quantize(weights, [rows, columns], spec);
  report(
    `dequantize ${type}:b64`,
    timeSeconds(() => dequantize(quantized)),
  );
}

const python = process.env.KBIT_BENCH_PYTHON;
if (python) {
  const script = `
import time
import torch, bitsandbytes
import bitsandbytes.functional as bnb
weights = torch.randn(${rows}, ${columns}) * 0.02
for threads in (1, torch.get_num_threads()):
    torch.set_num_threads(threads)
    for kind in ("nf4", "fp4"):
        times = []
        for run in range(${runs + 1}):
            start = time.perf_counter()
            bnb.quantize_4bit(weights, blocksize=64, quant_type=kind)
            times.append(time.perf_counter() - start)
        print(f"bitsandbytes {bitsandbytes.__version__} {kind}, threads {threads}\\t{min(times[1:])}")
`;
  const output = execFileSync(python, ["-c", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  for (const line of output.trim().split("\n")) {
    const [what, seconds] = line.split("\t");
    report(`quantize   ${what}`, Number(seconds));
  }
}
