// The kernel sets that conformance tests hold to the reference, and what the tests share: matrices, buffers, bounds.

import type { KernelBuffer, Kernels } from "../../src/kernels/kernels.ts";
import { nativeSets } from "../../src/kernels/native/native-node.ts";
import { startNodeThread } from "../../src/kernels/wasm/threads-node.ts";
import { createWasmKernels } from "../../src/kernels/wasm/wasm.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedTensor } from "../../src/quantize/quantized.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createRandom } from "../../src/tensor/random.ts";

/** A kernel set under test, by one and by two threads. */
export interface TestedSet {
  readonly name: string;
  create(threads: number): Promise<Kernels>;
}

export const testedSets: TestedSet[] = [
  { name: "wasm", create: (threads) => createWasmKernels({ threads, startThread: startNodeThread }) },
  {
    name: "wasm without relaxed SIMD",
    create: (threads) => createWasmKernels({ threads, startThread: startNodeThread, relaxed: false }),
  },
];

// The native sets that this machine has: each that was compiled and that the processor supports.
for (const { name, create } of nativeSets.filter((set) => set.name !== "native")) {
  const works = await create({ threads: 1 }).then(
    (kernels) => kernels.close().then(() => true),
    () => false,
  );
  if (works) testedSets.push({ name, create: (threads) => create({ threads }) });
}

/** Normal random numbers. */
export function randomValues(length: number, seed: number, deviation = 1): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random.normal() * deviation);
}

/** A random matrix quantized as `text` says; `outliers` spreads that many outlier columns over it, column 0 among them. */
export function quantizedMatrix(
  text: string,
  rows: number,
  columns: number,
  { seed = 1, outliers = 0 } = {},
): QuantizedTensor {
  const spec = parseSpec(text);
  if (spec.kind !== "quantized") throw new Error(`${text} is no k-bit spec`);
  const outlierColumns = Uint32Array.from({ length: outliers }, (_, j) => Math.floor((j * columns) / outliers));
  const values = randomValues(rows * columns, seed, 0.1);
  return quantize(values, [rows, columns], spec, outliers > 0 ? { outlierColumns } : {});
}

/** A buffer that holds `values`. */
export function bufferOf(kernels: Kernels, values: Float32Array): KernelBuffer {
  const buffer = kernels.createBuffer(values.length);
  kernels.write(buffer, values);
  return buffer;
}

/** The largest |a - b| / (scale or scale[i]); infinite where a value is NaN. */
export function worstError(a: Float32Array, b: Float32Array, scale: number | Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i] - b[i]) / (typeof scale === "number" ? scale : scale[i]);
    worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return worst;
}

/** `sum |weight| |x|` of each output, `(tokens, rows)`: what the rounding errors of a product are measured against. */
export function sumOfMagnitudes(weight: Float32Array, x: Float32Array, columns: number): Float32Array {
  const rows = weight.length / columns;
  const sums = new Float32Array((x.length / columns) * rows);
  for (let i = 0; i < sums.length; i++) {
    const [t, r] = [Math.floor(i / rows), i % rows];
    let sum = 1e-30;
    for (let c = 0; c < columns; c++) sum += Math.abs(weight[r * columns + c] * x[t * columns + c]);
    sums[i] = sum;
  }
  return sums;
}
