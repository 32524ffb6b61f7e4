// Does a kernel set compute what the reference computes, on this machine? A few small shapes at first use.
// The conformance tests go far beyond it; this catches a machine, an engine or a build on which a set is wrong.

import { quantize } from "../quantize/quantize.ts";
import type { QuantizedTensor } from "../quantize/quantized.ts";
import type { QuantizedSpec } from "../quantize/spec.ts";
import { parseSpec } from "../quantize/spec-text.ts";
import { fromFloat32 } from "../tensor/convert.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ComputeType, KernelBuffer, Kernels } from "./kernels.ts";
import { createReferenceKernels } from "./reference.ts";

/** Largest difference that float32 arithmetic explains for values near 1; bfloat16 has 8 bits of mantissa. */
const tolerances = { float32: 1e-4, bfloat16: 0.1 } as const;

const rows = 21;
const columns = 100;
const wideColumns = 512; // rows of whole groups of codes take paths of their own
const tokens = 5;
const heads = 2;
const headSize = columns / heads;

/**
 * Compares a kernel set with the reference.
 *
 * @returns undefined if they agree, else a sentence about the first operation that differs
 */
export async function testKernels(kernels: Kernels): Promise<string | undefined> {
  const expected = await computeAll(createReferenceKernels());
  const computed = await computeAll(kernels);
  for (const [operation, values] of Object.entries(expected)) {
    const worst = computed[operation].reduce((most, value, i) => Math.max(most, distance(value, values[i])), 0);
    if (!(worst <= tolerances[kernels.computeType as ComputeType]))
      return `${operation} is off by ${worst.toPrecision(2)}`;
  }
  return undefined;
}

/** NaN counts as infinitely far. */
function distance(a: number, b: number): number {
  const difference = Math.abs(a - b);
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}

/** The result of every operation by its name. */
async function computeAll(kernels: Kernels): Promise<Record<string, Float32Array>> {
  const results: Record<string, Float32Array> = {};
  const held: KernelBuffer[] = [];
  const hold = (values: Float32Array) => {
    const buffer = kernels.createBuffer(values.length);
    kernels.write(buffer, values);
    held.push(buffer);
    return buffer;
  };
  const x = hold(wave(tokens * columns, 1));
  const out = hold(new Float32Array(tokens * columns));
  const bias = hold(wave(columns, 3));
  const narrowBias = hold(wave(rows, 4));

  for (const [name, stored] of weights()) {
    const weight = kernels.loadWeight(stored);
    for (const path of ["generation", "scoring"] as const) {
      kernels.matmul(out, x, weight, tokens, path, narrowBias);
      results[`matmul (${path}) of ${name}`] = await kernels.read(out, 0, tokens * rows);
    }
    kernels.embed(out, weight, Int32Array.of(0, 20, 7));
    results[`embed of ${name}`] = await kernels.read(out, 0, 3 * columns);
    const { logProbs, best } = await kernels.scoreTargets(x, weight, Int32Array.of(0, 20, 3, 4, 5), narrowBias);
    results[`scoreTargets of ${name}`] = Float32Array.of(...logProbs, ...best);
    kernels.release(weight);
  }

  const wide = hold(wave(2 * wideColumns, 6));
  for (const bits of [2, 3, 4, 5, 6, 7, 8]) {
    const weight = kernels.loadWeight(quantizeWave(`int${bits}:b64`, 5, wideColumns));
    for (const path of ["generation", "scoring"] as const) {
      kernels.matmul(out, wide, weight, 2, path);
      results[`wide matmul (${path}) of ${bits} bits`] = await kernels.read(out, 0, 10);
    }
    kernels.release(weight);
  }

  kernels.layerNorm(out, x, tokens, bias, bias, 1e-5);
  results.layerNorm = await kernels.read(out);
  kernels.rmsNorm(out, x, tokens, bias, 1e-5);
  results.rmsNorm = await kernels.read(out);
  for (const activation of ["relu", "gelu", "geluTanh", "silu"] as const) {
    kernels.add(out, x, x, tokens * columns);
    kernels.activate(out, activation, tokens * columns);
    results[activation] = await kernels.read(out);
  }
  kernels.multiply(out, x, out, tokens * columns);
  results.multiply = await kernels.read(out);

  const slots = Int32Array.of(4, 3, 2, 1, 0);
  const rotary = { size: 20, positions: Int32Array.of(0, 1, 2, 3, 900), frequencies: wave(10, 5), magnitude: 1.1 };
  const layout = { tokens, heads, headSize, width: columns, offset: 0, stride: headSize, slots, rotary };
  kernels.placeHeads(out, x, layout);
  results.placeHeads = await kernels.read(out);
  const spans = Int32Array.of(0, 1, 1, 1, 0, 2, 2, 1, 0, 0, 0, 3, 1, 0, 0, 4, 0, 3, 3, 2);
  const attended = hold(new Float32Array(tokens * columns));
  const slopes = Float32Array.of(0.5, 0.25);
  kernels.attend(attended, x, out, x, { tokens, heads, keyHeads: heads, headSize, scale: 0.2, spans, slopes });
  results.attend = await kernels.read(attended);
  kernels.gather(out, x, Int32Array.of(4, 0), columns);
  results.gather = await kernels.read(out, 0, 2 * columns);
  for (const buffer of held) kernels.release(buffer);
  return results;
}

function weights(): [string, Tensor | QuantizedTensor][] {
  const values = wave(rows * columns, 2);
  const found: [string, Tensor | QuantizedTensor][] = [];
  for (const type of ["F32", "F16", "BF16"] as const)
    found.push([type, fromFloat32(type, values, [rows, columns], type)]);
  for (const text of ["int2:b64", "int3:b64", "nf4:b64", "int5:brow", "int6:b64:center", "int7:b100", "int8"]) {
    found.push([text, quantizeWave(text, rows, columns)]);
  }
  return found;
}

function quantizeWave(text: string, rows: number, columns: number): QuantizedTensor {
  return quantize(wave(rows * columns, 2), [rows, columns], parseSpec(text) as QuantizedSpec);
}

/** Values in (-1, 1) without a pattern, the same on every machine. */
function wave(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}
