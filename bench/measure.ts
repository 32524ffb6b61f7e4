// What bench/index.ts measures with: a loaded model that decodes and takes prompts, and the machine's own limits.

import { roundInputs } from "../src/kernels/inputs.ts";
import type { ComputeType, InputType } from "../src/kernels/kernels.ts";
import { createMachineProbe } from "../src/kernels/native/addon-node.ts";
import { selectKernels } from "../src/kernels/select-node.ts";
import { loadModel } from "../src/model/load.ts";
import { llama, randomCheckpoint } from "./llama-shape.ts";

/** Results by key. */
export type Figures = Record<string, unknown>;

/** Seconds of the fastest of some milliseconds. */
export const fastest = (milliseconds: readonly number[]): number => Math.min(...milliseconds) / 1000;

export interface BenchModel {
  /** Seconds of the fastest token. */
  decodeSeconds(tokens: number): Promise<number>;
  /** Seconds of a prompt of that length. */
  prefillSeconds(tokens: number): Promise<number>;
  close(): Promise<void>;
}

export interface BenchKernels {
  readonly threads: number;
  readonly name?: string;
  readonly computeType?: ComputeType;
  readonly inputs?: InputType;
}

/** The random model at a spec, loaded. */
export async function openModel(spec: string, { inputs, ...kernelOptions }: BenchKernels): Promise<BenchModel> {
  const selected = await selectKernels(kernelOptions);
  const kernels = inputs === undefined ? selected : roundInputs(selected, inputs);
  const model = await loadModel(randomCheckpoint(spec), kernels, { maxTokens: 512, allowNonfinite: true });
  return {
    async decodeSeconds(tokens) {
      const times: number[] = [];
      let last = performance.now();
      for await (const _token of model.generate([1], { maxTokens: tokens + 1 })) {
        const now = performance.now();
        times.push(now - last);
        last = now;
      }
      return fastest(times.slice(1));
    },
    async prefillSeconds(tokens) {
      const prompt = Array.from({ length: tokens }, (_, i) => 3 + ((i * 7919) % (llama.vocabulary - 1000)));
      const start = performance.now();
      for await (const _token of model.generate(prompt, { maxTokens: 1 })) break;
      return (performance.now() - start) / 1000;
    },
    async close() {
      await model.close();
      await kernels.close();
    },
  };
}

/** The machine's limits: the best of several tries each. */
export function createMachine(threads: number) {
  const probe = createMachineProbe(threads);
  const bytes = new Uint8Array(2 ** 29).fill(1);
  const best = (measure: () => number) => Math.max(...Array.from({ length: 5 }, measure));
  return {
    bytesPerSecond: () => best(() => bytes.length / probe.readSeconds(bytes)),
    operationsPerSecond: (type: ComputeType) => best(() => probe.operationsPerSecond(type)),
    close: async () => probe.close(),
  };
}
