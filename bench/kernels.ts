// Speed of the kernels: matrix-vector products by width, products while scoring, and what surrounds them.
//
//   node bench/kernels.ts [KERNELS] [THREADS ..]       wasm; 1 2
//   KBIT_BENCH_PEERS=FOLDER node bench/kernels.ts      also ONNX Runtime Web on one thread; FOLDER has
//                                                      onnxruntime-web installed
//
// Each figure is the fastest of many runs, as other work on the machine can only slow a run down. A product of n weights
// and t tokens is 2 n t floating-point operations. Memory bandwidth is that of copying 256 MiB, bytes read and written.

import { cpus } from "node:os";
import type { KernelBuffer, Kernels } from "../src/kernels/kernels.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { quantize } from "../src/quantize/quantize.ts";
import { measureSize } from "../src/quantize/size.ts";
import { parseSpec } from "../src/quantize/spec-text.ts";
import { fromFloat32 } from "../src/tensor/convert.ts";
import { createRandom } from "../src/tensor/random.ts";
import { createOnnxProduct } from "./onnx-peer.ts";

const [name = "wasm", ...counts] = process.argv.slice(2);
const threadCounts = counts.length > 0 ? counts.map(Number) : [1, 2];
const peers = process.env.KBIT_BENCH_PEERS;
const side = 4096; // of the matrix that meets a vector
const scoringShapes = [
  { rows: 128, columns: 128, tokens: 256 },
  { rows: 512, columns: 128, tokens: 256 },
  { rows: 768, columns: 768, tokens: 256 },
  { rows: 2048, columns: 2048, tokens: 128 },
];

/** Seconds of the fastest run in about half a second. */
async function timeSeconds(action: () => unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 500;
  for (let run = 0; run < 7 || performance.now() < end; run++) {
    const start = performance.now();
    await action();
    if (run > 1) best = Math.min(best, (performance.now() - start) / 1000);
  }
  return best;
}

function report(what: string, figure: number, unit: string, note = ""): void {
  console.log(`${what.padEnd(52)} ${figure.toFixed(2).padStart(8)} ${unit} ${note}`);
}

const random = createRandom(0);
const values = Float32Array.from({ length: side * side }, () => random.normal() * 0.02);

function matrix(kind: string, rows: number, columns: number) {
  const some = values.slice(0, rows * columns);
  if (kind === "F32" || kind === "F16" || kind === "BF16") return fromFloat32(kind, some, [rows, columns], kind);
  const spec = parseSpec(kind);
  if (spec.kind !== "quantized") throw new Error(`${kind} is no k-bit spec`);
  return quantize(some, [rows, columns], spec);
}

async function measureBandwidth(): Promise<number> {
  const from = new Uint8Array(2 ** 28).fill(1);
  const to = new Uint8Array(2 ** 28);
  return (2 * from.length) / 1e9 / (await timeSeconds(() => to.set(from)));
}

function bufferOf(kernels: Kernels, count: number): KernelBuffer {
  const buffer = kernels.createBuffer(count);
  kernels.write(buffer, values.subarray(0, count));
  return buffer;
}

async function measureVector(kernels: Kernels, bandwidth: number, label: string): Promise<void> {
  const x = bufferOf(kernels, side);
  const out = kernels.createBuffer(side);
  for (const kind of [...[2, 3, 4, 5, 6, 7, 8].map((bits) => `quantile${bits}:b64`), "BF16", "F16", "F32"]) {
    const stored = matrix(kind, side, side);
    const bits = "codes" in stored ? measureSize(stored).total : stored.bytes.length * 8;
    const weight = kernels.loadWeight(stored);
    const seconds = await timeSeconds(() => kernels.matmul(out, x, weight, 1, "generation"));
    const bytes = bits / 8 / 1e9 / seconds;
    const note = `${bytes.toFixed(1)} GB/s, ${((100 * bytes) / bandwidth).toFixed(0)} % of copying`;
    report(`${label}: vector x ${kind}`, (side * side) / 1e9 / seconds, "G weights/s", note);
    kernels.release(weight);
  }
  kernels.release(x);
  kernels.release(out);
}

async function measureScoring(kernels: Kernels, label: string): Promise<void> {
  for (const { rows, columns, tokens } of scoringShapes) {
    const x = bufferOf(kernels, tokens * columns);
    const out = kernels.createBuffer(tokens * rows);
    for (const kind of ["quantile4:b64", "F16"]) {
      const weight = kernels.loadWeight(matrix(kind, rows, columns));
      const seconds = await timeSeconds(() => kernels.matmul(out, x, weight, tokens, "scoring"));
      const what = `${label}: ${tokens} tokens x ${rows} x ${columns} ${kind}`;
      report(what, (2 * rows * columns * tokens) / 1e9 / seconds, "GFLOP/s");
      kernels.release(weight);
    }
    kernels.release(x);
    kernels.release(out);
  }
}

async function measureRest(kernels: Kernels, label: string): Promise<void> {
  const [tokens, heads, headSize, vocabulary] = [256, 4, 32, 2048];
  const width = heads * headSize;
  const [query, keys, cached, out] = Array.from({ length: 4 }, () => bufferOf(kernels, tokens * width));
  const spans = Int32Array.from({ length: tokens * 4 }, (_, i) => (i % 4 === 3 ? (i - 3) / 4 + 1 : 0));
  const layout = { tokens, heads, keyHeads: heads, headSize, scale: 0.2, spans };
  const attention = await timeSeconds(() => kernels.attend(out, query, keys, cached, layout));
  const terms = 2 * width * tokens * (tokens + 1);
  report(
    `${label}: causal attention, ${tokens} tokens, ${heads} heads of ${headSize}`,
    terms / 1e9 / attention,
    "GFLOP/s",
  );
  const head = kernels.loadWeight(matrix("F16", vocabulary, width));
  const targets = new Int32Array(tokens);
  const scoring = await timeSeconds(() => kernels.scoreTargets(query, head, targets));
  report(`${label}: scores over ${vocabulary} words, ${width} wide`, tokens / 1e6 / scoring, "M tokens/s");
  const hidden = bufferOf(kernels, tokens * 4 * width);
  const activation = await timeSeconds(() => kernels.activate(hidden, "gelu", hidden.length));
  report(`${label}: gelu`, hidden.length / 1e9 / activation, "G values/s");
}

async function measurePeer(folder: string): Promise<void> {
  const vector = { tokens: 1, rows: side, columns: side };
  const products = [vector, ...scoringShapes].flatMap((shape) =>
    [true, false].map((fourBits) => ({ ...shape, fourBits })),
  );
  for (const product of products) {
    const { tokens, rows, columns, fourBits } = product;
    const { version, run } = await createOnnxProduct(folder, product);
    const seconds = await timeSeconds(run);
    const label = `onnxruntime-web ${version}, threads 1: ${fourBits ? "4 bits" : "F32"}`;
    if (tokens === 1) report(`${label}, vector`, (rows * columns) / 1e9 / seconds, "G weights/s");
    else report(`${label}, ${tokens} x ${rows} x ${columns}`, (2 * rows * columns * tokens) / 1e9 / seconds, "GFLOP/s");
  }
}

console.log(`${cpus()[0].model}, ${cpus().length} cores, node ${process.version}`);
const bandwidth = await measureBandwidth();
report("copying memory", bandwidth, "GB/s");
for (const threads of threadCounts) {
  const kernels = await selectKernels({ name, threads });
  const label = `${kernels.name}, threads ${threads}`;
  await measureVector(kernels, bandwidth, label);
  await measureScoring(kernels, label);
  await measureRest(kernels, label);
  await kernels.close();
}
if (peers) await measurePeer(peers);
