// The native kernel set: C++ behind Node-API, for the fastest instruction set that this processor has.
// This file checks sizes, keeps buffers as typed arrays, and hands them to addon.cpp; the arithmetic is in the headers.

import { checkHeads, checkIndices, checkLength, checkMatmul, checkSpans, checkTargets } from "../checks.ts";
import type { Activation, ComputeType, HeadLayout, KernelBuffer, Kernels, KernelWeight } from "../kernels.ts";
import type { KernelSet } from "../select.ts";
import { chooseInstructionSet, loadAddon } from "./addon-node.ts";
import { createWeight, type NativeWeight } from "./weight-node.ts";

interface NativeBuffer extends KernelBuffer {
  readonly values: Float32Array;
}

const activationCodes: Record<Activation, number> = { relu: 0, gelu: 1, geluTanh: 2, silu: 3 };

/** The native sets that may be chosen: `native` is the fastest of this processor, the others are forced by name. */
export const nativeSets: readonly KernelSet[] = [undefined, "avx512", "avx2", "portable"].map((instructionSet) => ({
  name: instructionSet ? `native-${instructionSet}` : "native",
  create: async ({ threads, computeType }) => createNativeKernels({ threads, computeType, instructionSet }),
}));

/** Choices of `createNativeKernels`. */
export interface NativeOptions {
  readonly threads: number;
  readonly instructionSet?: string;
  readonly computeType?: ComputeType;
}

/**
 * The native kernels.
 *
 * @param options - `threads`: how many, the caller's included; `instructionSet`: `avx512`, `avx2` or `portable`, by
 *   default the fastest of this processor; `computeType`: bfloat16 rounds activations and codebooks to it before they are
 *   multiplied, and sums in float32
 * @throws InputError if the addon is missing or the processor lacks the instruction set
 */
export function createNativeKernels(options: NativeOptions): Kernels {
  const addon = loadAddon();
  const chosen = chooseInstructionSet(addon.listInstructionSets(), options.instructionSet);
  const { computeType = "float32" } = options;
  const kernels = new addon.Kernels(chosen, options.threads, computeType === "bfloat16");
  const live = new Set<KernelBuffer | KernelWeight>();

  const keep = <T extends KernelBuffer | KernelWeight>(handle: T): T => {
    live.add(handle);
    return handle;
  };
  const valuesOf = (buffer: KernelBuffer) => {
    if (!live.has(buffer)) throw new Error("a buffer of another kernel set, or one that was released");
    return (buffer as NativeBuffer).values;
  };
  const optionalValuesOf = (buffer: KernelBuffer | undefined) => buffer && valuesOf(buffer);
  const matrixOf = (weight: KernelWeight) => {
    if (!live.has(weight)) throw new Error("a weight of another kernel set, or one that was released");
    return (weight as NativeWeight).matrix;
  };
  const turns = createTurnCache();

  return {
    name: `native-${chosen}`,
    computeType,
    threads: options.threads,

    createBuffer: (length) => keep({ length, values: new Float32Array(length) } as NativeBuffer),
    write: (buffer, values, offset = 0) => valuesOf(buffer).set(values, offset),
    async read(buffer, offset = 0, length = buffer.length - offset) {
      checkLength("read: buffer", buffer, offset + length);
      return valuesOf(buffer).slice(offset, offset + length);
    },
    view: valuesOf,
    loadWeight: (weight) => keep(createWeight(addon, weight, computeType)),
    release(handle) {
      if (!live.delete(handle)) throw new Error("release: a handle of another kernel set, or one that was released");
      if ("matrix" in handle) addon.releaseMatrix(handle.matrix as object);
    },
    async close() {
      for (const handle of live) if ("matrix" in handle) addon.releaseMatrix(handle.matrix as object);
      live.clear();
      kernels.close();
    },

    embed(out, weight, ids) {
      checkLength("embed: out", out, ids.length * weight.columns);
      checkIndices("embed: id", ids, weight.rows);
      kernels.embed(valuesOf(out), matrixOf(weight), ids);
    },
    matmul(out, x, weight, tokens, path, bias) {
      checkMatmul(out, x, weight, tokens, bias);
      kernels.matmul(
        valuesOf(out),
        valuesOf(x),
        matrixOf(weight),
        tokens,
        path === "generation",
        optionalValuesOf(bias),
      );
    },
    layerNorm(out, x, tokens, gain, bias, epsilon) {
      checkLength("layerNorm: out", out, tokens * gain.length);
      checkLength("layerNorm: x", x, tokens * gain.length);
      if (bias) checkLength("layerNorm: bias", bias, gain.length);
      kernels.layerNorm(valuesOf(out), valuesOf(x), valuesOf(gain), optionalValuesOf(bias), tokens, epsilon);
    },
    rmsNorm(out, x, tokens, gain, epsilon) {
      checkLength("rmsNorm: out", out, tokens * gain.length);
      checkLength("rmsNorm: x", x, tokens * gain.length);
      kernels.rmsNorm(valuesOf(out), valuesOf(x), valuesOf(gain), tokens, epsilon);
    },
    placeHeads(out, x, layout) {
      checkHeads(out, x, layout);
      const { tokens, heads, headSize, width, offset, stride, slots, rotary } = layout;
      const turn = rotary && turns(rotary, tokens);
      const [to, from] = [valuesOf(out), valuesOf(x)];
      kernels.placeHeads(
        to,
        from,
        slots,
        turn?.cosines,
        turn?.sines,
        heads,
        headSize,
        width,
        offset,
        stride,
        rotary?.size ?? 0,
        tokens,
      );
    },
    attend(out, query, keys, values, spans) {
      checkSpans(out, query, keys, values, spans);
      const { tokens, heads, keyHeads, headSize, scale, slopes, cap = 0 } = spans;
      const [to, q, k, v] = [out, query, keys, values].map(valuesOf);
      kernels.attend(to, q, k, v, spans.spans, slopes, tokens, heads, keyHeads, headSize, scale, cap);
    },
    activate(x, activation, length) {
      checkLength("activate: x", x, length);
      kernels.activate(valuesOf(x), activationCodes[activation], length);
    },
    add(out, a, b, length) {
      for (const buffer of [out, a, b]) checkLength("add", buffer, length);
      kernels.combine(valuesOf(out), valuesOf(a), valuesOf(b), length, false);
    },
    multiply(out, a, b, length) {
      for (const buffer of [out, a, b]) checkLength("multiply", buffer, length);
      kernels.combine(valuesOf(out), valuesOf(a), valuesOf(b), length, true);
    },
    gather(out, x, rows, width) {
      checkLength("gather: out", out, rows.length * width);
      checkIndices("gather: row", rows, Math.floor(x.length / width));
      const [to, from] = [valuesOf(out), valuesOf(x)];
      rows.forEach((row, i) => {
        to.set(from.subarray(row * width, (row + 1) * width), i * width);
      });
    },
    async scoreTargets(x, head, targets, bias, cap = 0) {
      checkTargets(x, head, targets, bias);
      const logProbs = new Float32Array(targets.length);
      const best = new Int32Array(targets.length);
      kernels.scoreTargets(logProbs, best, valuesOf(x), matrixOf(head), targets, optionalValuesOf(bias), cap);
      return { logProbs, best };
    },
  };
}

/** Sines and cosines of a forward pass: its layers ask with the same few objects, each of which is computed once. */
function createTurnCache() {
  type Rotary = NonNullable<HeadLayout["rotary"]>;
  const known = new WeakMap<Rotary, { tokens: number; cosines: Float32Array; sines: Float32Array }>();
  return (rotary: Rotary, tokens: number) => {
    const last = known.get(rotary);
    if (last?.tokens === tokens) return last;
    const { frequencies, magnitude, size, positions } = rotary;
    const half = size / 2;
    const cosines = new Float32Array(tokens * half); // (tokens, size / 2)
    const sines = new Float32Array(tokens * half);
    for (let i = 0; i < tokens * half; i++) {
      const angle = Math.fround(positions[Math.floor(i / half)] * frequencies[i % half]);
      cosines[i] = Math.cos(angle) * magnitude;
      sines[i] = Math.sin(angle) * magnitude;
    }
    const turn = { tokens, cosines, sines };
    known.set(rotary, turn);
    return turn;
  };
}
