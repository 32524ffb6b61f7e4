// The choice of who quantizes in Node: the native loops where they were built and agree with the reference, else threads
// that run the reference itself. Both give the same bits.

import { availableParallelism } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { quantize } from "../quantize/quantize.ts";
import type { QuantizedSpec } from "../quantize/spec.ts";
import { parseSpec } from "../quantize/spec-text.ts";
import { createThreadedQuantizer, type ThreadedQuantizer } from "../quantize/threads-node.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { createNativeQuantizer } from "./native/quantize-node.ts";

export interface QuantizerOptions {
  /** Default: one for each processor that this process may use. */
  readonly threads?: number;
  /** A kernel set by its name, as `selectKernels` takes it; one that is not native stands for the reference. */
  readonly name?: string;
}

/** The fastest quantizer that works here, of the bits of `quantize`. @throws InputError if a native set is named and cannot run */
export async function selectQuantizer(options: QuantizerOptions = {}): Promise<ThreadedQuantizer> {
  const { threads = availableParallelism(), name } = options;
  if (name !== undefined && !name.startsWith("native")) return createThreadedQuantizer(threads);
  const instructionSet = name?.slice("native-".length) || undefined;
  const quantizer = tryNative(threads, instructionSet, name !== undefined);
  if (!quantizer) return createThreadedQuantizer(threads);
  // Asked once in this process for each set, as it guards against a miscompiled addon.
  const key = instructionSet ?? "fastest";
  if (!agreed.has(key)) agreed.set(key, agrees(quantizer));
  if (await agreed.get(key)) return quantizer;
  await quantizer.close();
  return createThreadedQuantizer(threads);
}

const agreed = new Map<string, Promise<boolean>>();

function tryNative(threads: number, instructionSet: string | undefined, isNamed: boolean) {
  try {
    return createNativeQuantizer(threads, instructionSet);
  } catch (error) {
    if (isNamed) throw error;
    return undefined;
  }
}

/** Whether a small matrix gets the codes of the reference. */
async function agrees(quantizer: ThreadedQuantizer): Promise<boolean> {
  const shape = [29, 61] as const; // whole groups and a ragged tail
  const values = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * 1.7) ** 3 / (1 + (i % 7)));
  try {
    for (const text of ["int3:b64", "float4:e2:b64", "quantile4:b48", "nf6:b33", "int8:brow"]) {
      const spec = parseSpec(text) as QuantizedSpec;
      for (const type of ["F32", "F16", "BF16"] as const) {
        const tensor = fromFloat32("self-test", values, shape, type);
        const ours = await quantizer.quantize(tensor, shape, spec, { name: tensor.name });
        if (!isDeepStrictEqual(ours, quantize(toFloat32(tensor), shape, spec, { name: tensor.name }))) return false;
      }
    }
    return true;
  } catch {
    return false;
  }
}
