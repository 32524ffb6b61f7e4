// The kernel contract in plain loops: the definition of correct, against which every other set is tested.
// Values are float32, sums are float64. It leaves out all speed.

import type { QuantizedTensor } from "../quantize/quantized.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkHeads, checkIndices, checkLength, checkMatmul, checkSpans, checkTargets } from "./checks.ts";
import type {
  Activation,
  AttentionSpans,
  HeadLayout,
  KernelBuffer,
  Kernels,
  KernelWeight,
  TargetScores,
} from "./kernels.ts";
import { activations } from "./reference-activations.ts";
import { createReferenceWeight, type ReferenceWeight } from "./reference-weight.ts";

/** A kernel set on plain arrays: slow, readable, one thread. */
export function createReferenceKernels(): Kernels {
  const buffers = new Map<KernelBuffer, Float32Array>();
  const weights = new Map<KernelWeight, ReferenceWeight>();

  function valuesOf(buffer: KernelBuffer): Float32Array {
    const values = buffers.get(buffer);
    if (!values) throw new Error("a buffer of another kernel set, or one that was released");
    return values;
  }
  function weightOf(handle: KernelWeight): ReferenceWeight {
    const weight = weights.get(handle);
    if (!weight) throw new Error("a weight of another kernel set, or one that was released");
    return weight;
  }

  return {
    name: "reference",
    computeType: "float32",
    threads: 1,

    createBuffer(length) {
      const buffer = { length };
      buffers.set(buffer, new Float32Array(length));
      return buffer;
    },
    write: (buffer, values, offset = 0) => valuesOf(buffer).set(values, offset),
    async read(buffer, offset = 0, length = buffer.length - offset) {
      checkLength("read: buffer", buffer, offset + length);
      return valuesOf(buffer).slice(offset, offset + length);
    },
    view: valuesOf,
    loadWeight(stored: Tensor | QuantizedTensor) {
      const weight = createReferenceWeight(stored);
      weights.set(weight, weight);
      return weight;
    },
    release(handle) {
      if (!buffers.delete(handle as KernelBuffer) && !weights.delete(handle as KernelWeight)) {
        throw new Error("release: a handle of another kernel set, or one that was released");
      }
    },
    async close() {
      buffers.clear();
      weights.clear();
    },

    embed(out, weight, ids) {
      checkLength("embed: out", out, ids.length * weight.columns);
      checkIndices("embed: id", ids, weight.rows);
      embed(valuesOf(out), weightOf(weight), ids);
    },
    matmul(out, x, weight, tokens, _path, bias) {
      checkMatmul(out, x, weight, tokens, bias);
      matmul(valuesOf(out), valuesOf(x), weightOf(weight), tokens, bias && valuesOf(bias));
    },
    layerNorm(out, x, tokens, gain, bias, epsilon) {
      checkLength("layerNorm: out", out, tokens * gain.length);
      checkLength("layerNorm: x", x, tokens * gain.length);
      if (bias) checkLength("layerNorm: bias", bias, gain.length);
      layerNorm(valuesOf(out), valuesOf(x), tokens, valuesOf(gain), bias && valuesOf(bias), epsilon);
    },
    rmsNorm(out, x, tokens, gain, epsilon) {
      checkLength("rmsNorm: out", out, tokens * gain.length);
      checkLength("rmsNorm: x", x, tokens * gain.length);
      rmsNorm(valuesOf(out), valuesOf(x), tokens, valuesOf(gain), epsilon);
    },
    placeHeads(out, x, layout) {
      checkHeads(out, x, layout);
      placeHeads(valuesOf(out), valuesOf(x), layout);
    },
    attend(out, query, keys, values, spans) {
      checkSpans(out, query, keys, values, spans);
      attend(valuesOf(out), valuesOf(query), valuesOf(keys), valuesOf(values), spans);
    },
    activate(x, activation, length) {
      checkLength("activate: x", x, length);
      activate(valuesOf(x), activation, length);
    },
    add(out, a, b, length) {
      for (const buffer of [out, a, b]) checkLength("add", buffer, length);
      const [sum, left, right] = [valuesOf(out), valuesOf(a), valuesOf(b)];
      for (let i = 0; i < length; i++) sum[i] = left[i] + right[i];
    },
    multiply(out, a, b, length) {
      for (const buffer of [out, a, b]) checkLength("multiply", buffer, length);
      const [product, left, right] = [valuesOf(out), valuesOf(a), valuesOf(b)];
      for (let i = 0; i < length; i++) product[i] = left[i] * right[i];
    },
    gather(out, x, rows, width) {
      checkLength("gather: out", out, rows.length * width);
      checkIndices("gather: row", rows, Math.floor(x.length / width));
      const [to, from] = [valuesOf(out), valuesOf(x)];
      rows.forEach((row, i) => {
        to.set(from.subarray(row * width, (row + 1) * width), i * width);
      });
    },
    async scoreTargets(x, head, targets, bias, cap) {
      checkTargets(x, head, targets, bias);
      return scoreTargets(valuesOf(x), weightOf(head), targets, bias && valuesOf(bias), cap);
    },
  };
}

/** Sum of products of `row` with the values of `x` from `offset`. */
function dot(row: Float32Array, x: Float32Array, offset: number): number {
  let sum = 0;
  for (let i = 0; i < row.length; i++) sum += row[i] * x[offset + i];
  return sum;
}

function embed(out: Float32Array, weight: ReferenceWeight, ids: Int32Array): void {
  const row = new Float32Array(weight.columns);
  ids.forEach((id, t) => {
    weight.readRow(id, row);
    out.set(row, t * weight.columns);
  });
}

function matmul(
  out: Float32Array,
  x: Float32Array,
  weight: ReferenceWeight,
  tokens: number,
  bias?: Float32Array,
): void {
  const { rows, columns } = weight;
  const row = new Float32Array(columns);
  for (let r = 0; r < rows; r++) {
    weight.readRow(r, row);
    for (let t = 0; t < tokens; t++) out[t * rows + r] = dot(row, x, t * columns) + (bias ? bias[r] : 0);
  }
}

function layerNorm(
  out: Float32Array,
  x: Float32Array,
  tokens: number,
  gain: Float32Array,
  bias: Float32Array | undefined,
  epsilon: number,
): void {
  const width = gain.length;
  for (let t = 0; t < tokens; t++) {
    const row = x.slice(t * width, (t + 1) * width);
    let mean = 0;
    for (const value of row) mean += value / width;
    let variance = 0;
    for (const value of row) variance += (value - mean) ** 2 / width;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < width; i++) out[t * width + i] = (row[i] - mean) * scale * gain[i] + (bias ? bias[i] : 0);
  }
}

function rmsNorm(out: Float32Array, x: Float32Array, tokens: number, gain: Float32Array, epsilon: number): void {
  const width = gain.length;
  for (let t = 0; t < tokens; t++) {
    const row = x.slice(t * width, (t + 1) * width);
    let square = 0;
    for (const value of row) square += value ** 2 / width;
    const scale = 1 / Math.sqrt(square + epsilon);
    for (let i = 0; i < width; i++) out[t * width + i] = row[i] * scale * gain[i];
  }
}

function placeHeads(out: Float32Array, x: Float32Array, layout: HeadLayout): void {
  const { tokens, heads, headSize, width, offset, stride, slots, rotary } = layout;
  for (let t = 0; t < tokens; t++) {
    for (let h = 0; h < heads; h++) {
      const from = t * width + offset + h * stride;
      const to = (slots[t] * heads + h) * headSize;
      for (let i = 0; i < headSize; i++) out[to + i] = x[from + i];
      if (!rotary) continue;
      const half = rotary.size / 2;
      for (let i = 0; i < half; i++) {
        // The angle is rounded to float32, as transformers does: that matters at long contexts.
        const angle = Math.fround(rotary.positions[t] * rotary.frequencies[i]);
        const cos = Math.cos(angle) * rotary.magnitude;
        const sin = Math.sin(angle) * rotary.magnitude;
        out[to + i] = x[from + i] * cos - x[from + half + i] * sin;
        out[to + half + i] = x[from + half + i] * cos + x[from + i] * sin;
      }
    }
  }
}

function attend(
  out: Float32Array,
  query: Float32Array,
  keys: Float32Array,
  values: Float32Array,
  { tokens, heads, keyHeads, headSize, scale, spans, slopes, cap }: AttentionSpans,
): void {
  for (let t = 0; t < tokens; t++) {
    const [prefixStart, prefixLength, ownStart, ownLength] = spans.subarray(t * 4, t * 4 + 4);
    const count = prefixLength + ownLength;
    const slotOf = (j: number) => (j < prefixLength ? prefixStart + j : ownStart + j - prefixLength);
    for (let h = 0; h < heads; h++) {
      const keyHead = Math.floor(h / (heads / keyHeads));
      const head = query.subarray((t * heads + h) * headSize, (t * heads + h + 1) * headSize);
      const scores = new Float64Array(count);
      for (let j = 0; j < count; j++) {
        const distance = count - 1 - j;
        const score = capValue(dot(head, keys, (slotOf(j) * keyHeads + keyHead) * headSize) * scale, cap);
        scores[j] = score - (slopes ? slopes[h] * distance : 0);
      }
      const largest = scores.reduce((a, b) => Math.max(a, b));
      const exps = scores.map((score) => Math.exp(score - largest));
      const total = exps.reduce((a, b) => a + b);
      for (let i = 0; i < headSize; i++) {
        let sum = 0;
        for (let j = 0; j < count; j++) sum += exps[j] * values[(slotOf(j) * keyHeads + keyHead) * headSize + i];
        out[(t * heads + h) * headSize + i] = sum / total;
      }
    }
  }
}

function capValue(value: number, cap: number | undefined): number {
  return cap ? cap * Math.tanh(value / cap) : value;
}

function activate(x: Float32Array, activation: Activation, length: number): void {
  for (let i = 0; i < length; i++) x[i] = activations[activation](x[i]);
}

function scoreTargets(
  x: Float32Array,
  head: ReferenceWeight,
  targets: Int32Array,
  bias: Float32Array | undefined,
  cap: number | undefined,
): TargetScores {
  const count = targets.length;
  const row = new Float32Array(head.columns);
  const best = new Int32Array(count);
  const largest = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  const sums = new Float64Array(count); // of exp(logit - largest) so far
  const chosen = new Float64Array(count); // logit of the target
  for (let r = 0; r < head.rows; r++) {
    head.readRow(r, row);
    for (let i = 0; i < count; i++) {
      const logit = Math.fround(capValue(dot(row, x, i * head.columns) + (bias ? bias[r] : 0), cap));
      if (r === targets[i]) chosen[i] = logit;
      if (logit > largest[i]) {
        sums[i] *= Math.exp(largest[i] - logit);
        largest[i] = logit;
        best[i] = r;
      }
      sums[i] += Math.exp(logit - largest[i]);
    }
  }
  return { logProbs: Float32Array.from(chosen, (logit, i) => logit - largest[i] - Math.log(sums[i])), best };
}
