// Quantizes one matrix on several threads: the blocks are cut into ranges, and each range's codes are the same whoever
// makes them (quantizeBlocks). Weights and codes lie in memory that all threads share; worker-node.ts is a thread.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { groupSize, packedBytes } from "./pack.ts";
import { type BlockCoding, prepareBlocks, type QuantizeOptions, quantize, quantizeBlocks } from "./quantize.ts";
import type { QuantizedTensor } from "./quantized.ts";
import type { QuantizedSpec } from "./spec.ts";

/** What a thread is asked: the codes of the weights `[from, to)`, into `codes`. */
export interface RangeRequest {
  readonly weights: Float32Array; // shared
  readonly codes: Uint8Array; // shared
  readonly from: number;
  readonly to: number;
  readonly coding: BlockCoding;
}

/** Quantizes like `quantize`, bit for bit, on several threads; a second matrix is prepared while they work on a first. */
export interface ThreadedQuantizer {
  quantize(
    weights: Float32Array,
    shape: readonly [number, number],
    spec: QuantizedSpec,
    options?: QuantizeOptions,
  ): Promise<QuantizedTensor>;
  close(): Promise<void>;
}

/** Below this many weights a thread of one's own is quickest. */
const minThreadedWeights = 2 ** 18;
/** Ranges a thread, so that a slow thread does not keep the others waiting. */
const rangesPerThread = 4;

/** Starts threads; default: one a core. */
export function createThreadedQuantizer(threads = availableParallelism()): ThreadedQuantizer {
  if (threads <= 1) return { quantize: async (...args) => quantize(...args), close: async () => {} };
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(`./worker-node.${extension}`, import.meta.url)),
  );
  const free: SharedArrayBuffer[] = [];
  let workersAreFree: Promise<void> = Promise.resolve();

  /** A shared copy of the weights, in the memory of an earlier matrix where that is large enough. */
  function share(weights: Float32Array): Float32Array {
    const used = free.pop();
    const memory = used && used.byteLength >= weights.byteLength ? used : new SharedArrayBuffer(weights.byteLength);
    const shared = new Float32Array(memory, 0, weights.length);
    shared.set(weights);
    return shared;
  }

  async function makeCodes(weights: Float32Array, coding: BlockCoding): Promise<Uint8Array> {
    const codes = new Uint8Array(new SharedArrayBuffer(packedBytes(weights.length, coding.bits)));
    const request = { weights, codes, coding: { ...coding, absmax: copyShared(coding.absmax) } };
    const step = Math.ceil(weights.length / (threads * rangesPerThread) / groupSize) * groupSize;
    let next = 0;
    const work = async (worker: Worker) => {
      while (next < weights.length) {
        const from = next;
        next = Math.min(from + step, weights.length);
        await ask(worker, { ...request, from, to: next });
      }
    };
    await Promise.all(workers.map(work));
    return new Uint8Array(codes);
  }

  return {
    async quantize(weights, shape, spec, options) {
      if (weights.length < minThreadedWeights) return quantize(weights, shape, spec, options);
      const { tensor, rest, coding } = prepareBlocks(weights, shape, spec, options);
      const shared = share(rest);
      const codes = workersAreFree.then(() => makeCodes(shared, coding));
      workersAreFree = codes.then(
        () => void free.push(shared.buffer as SharedArrayBuffer),
        () => {},
      );
      return { ...tensor, codes: await codes };
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

/** What a thread does with a request. */
export function fillRange({ weights, codes, from, to, coding }: RangeRequest): void {
  codes.set(quantizeBlocks(weights, from, to, coding), packedBytes(from, coding.bits));
}

function copyShared(values: Float32Array): Float32Array {
  const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}

function ask(worker: Worker, request: RangeRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      worker.off("message", done).off("error", fail).off("exit", stop);
      end();
    };
    const done = () => settle(resolve);
    const fail = (error: unknown) => settle(() => reject(error));
    const stop = () => settle(() => reject(new Error("a quantizing thread has stopped")));
    worker.on("message", done).on("error", fail).on("exit", stop);
    worker.postMessage(request);
  });
}
