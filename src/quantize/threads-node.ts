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

/** Quantizes like `quantize`, bit for bit, on several threads. One matrix at a time. */
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
  let pool = new SharedArrayBuffer(0);

  /** Memory that lasts until the next matrix. */
  function share(weights: Float32Array): Float32Array {
    if (weights.buffer instanceof SharedArrayBuffer) return weights;
    if (pool.byteLength < weights.byteLength) pool = new SharedArrayBuffer(weights.byteLength);
    const shared = new Float32Array(pool, 0, weights.length);
    shared.set(weights);
    return shared;
  }

  return {
    async quantize(weights, shape, spec, options) {
      if (weights.length < minThreadedWeights) return quantize(weights, shape, spec, options);
      const { tensor, rest, coding } = prepareBlocks(weights, shape, spec, options);
      const codes = new Uint8Array(new SharedArrayBuffer(packedBytes(rest.length, coding.bits)));
      const sharedCoding = { ...coding, absmax: copyShared(coding.absmax) };
      const request = { weights: share(rest), codes, coding: sharedCoding };
      const step = Math.ceil(rest.length / (threads * rangesPerThread) / groupSize) * groupSize;
      let next = 0;
      const work = async (worker: Worker) => {
        while (next < rest.length) {
          const from = next;
          next = Math.min(from + step, rest.length);
          await ask(worker, { ...request, from, to: next });
        }
      };
      await Promise.all(workers.map(work));
      return { ...tensor, codes: new Uint8Array(codes) };
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
