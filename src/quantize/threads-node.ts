// Quantizes matrices on several threads, bit for bit as one thread does: each thread takes a matrix, and a matrix that
// is very large is cut into ranges that all threads share. worker-node.ts is a thread.

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { InputError } from "../input-error.ts";
import { toFloat32 } from "../tensor/convert.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { groupSize, packedBytes } from "./pack.ts";
import { type BlockCoding, prepareBlocks, type QuantizeOptions, quantize, quantizeBlocks } from "./quantize.ts";
import type { QuantizedTensor } from "./quantized.ts";
import type { QuantizedSpec } from "./spec.ts";

/** What a thread is asked: a whole matrix. */
interface MatrixRequest {
  readonly kind: "matrix";
  readonly weights: Float32Array; // shared, (rows, columns)
  readonly shape: readonly [number, number];
  readonly spec: QuantizedSpec;
  readonly options: QuantizeOptions | undefined;
}

/** What every thread is asked: to take the next range of weights and make its codes, until none is left. */
interface CodesRequest {
  readonly kind: "codes";
  readonly weights: Float32Array; // shared
  readonly codes: Uint8Array; // shared
  readonly coding: BlockCoding;
  /** Weights a range, a multiple of 512. */
  readonly step: number;
  /** Number of ranges taken so far, shared: `(1)`. */
  readonly taken: Int32Array;
}

/** Work for a thread. */
export type ThreadRequest = MatrixRequest | CodesRequest;

/** What a thread answers: the matrix, nothing for codes, or why it could not be done. */
export interface ThreadReply {
  readonly tensor?: QuantizedTensor;
  readonly refusal?: string;
  readonly fault?: string;
}

/** Quantizes like `quantize`, bit for bit, on several threads; stored tensors too. */
export interface ThreadedQuantizer {
  readonly threads: number;
  quantize(
    weights: Float32Array | Tensor,
    shape: readonly [number, number],
    spec: QuantizedSpec,
    options?: QuantizeOptions,
  ): Promise<QuantizedTensor>;
  close(): Promise<void>;
}

/** Below this many weights a matrix is not worth a message. */
const minThreadedWeights = 2 ** 16;
/** Ranges a thread, so that a slow thread does not keep the others waiting. */
const rangesPerThread = 8;

/**
 * Starts threads.
 *
 * @param threads - default: one a core
 * @param sharedWeights - from how many weights on a matrix is cut into ranges
 */
export function createThreadedQuantizer(threads = availableParallelism(), sharedWeights = 2 ** 26): ThreadedQuantizer {
  if (threads <= 1) {
    const run: ThreadedQuantizer["quantize"] = async (weights, ...rest) => quantize(floatsOf(weights), ...rest);
    return { threads: 1, quantize: run, close: async () => {} };
  }
  const pool = createPool(threads);
  const free: SharedArrayBuffer[] = [];

  /** A shared copy of the weights, in the memory of an earlier matrix where that is large enough. */
  function share(weights: Float32Array): Float32Array {
    const used = free.pop();
    const memory = used && used.byteLength >= weights.byteLength ? used : new SharedArrayBuffer(weights.byteLength);
    const shared = new Float32Array(memory, 0, weights.length);
    shared.set(weights);
    return shared;
  }

  async function makeCodes(weights: Float32Array, coding: BlockCoding): Promise<Uint8Array> {
    const request: CodesRequest = {
      kind: "codes",
      weights,
      codes: new Uint8Array(new SharedArrayBuffer(packedBytes(weights.length, coding.bits))),
      coding: { ...coding, absmax: copyShared(coding.absmax) },
      step: Math.ceil(weights.length / (threads * rangesPerThread) / groupSize) * groupSize,
      taken: new Int32Array(new SharedArrayBuffer(4)),
    };
    await Promise.all(Array.from({ length: threads }, () => pool.run(request)));
    return new Uint8Array(request.codes);
  }

  return {
    threads,
    async quantize(given, shape, spec, options) {
      const weights = floatsOf(given);
      if (weights.length < minThreadedWeights) return quantize(weights, shape, spec, options);
      const prepared = weights.length >= sharedWeights ? prepareBlocks(weights, shape, spec, options) : undefined;
      const shared = share(prepared?.rest ?? weights);
      try {
        if (prepared) return { ...prepared.tensor, codes: await makeCodes(shared, prepared.coding) };
        return (await pool.run({ kind: "matrix", weights: shared, shape, spec, options })).tensor!;
      } finally {
        free.push(shared.buffer as SharedArrayBuffer);
      }
    },
    close: () => pool.close(),
  };
}

function floatsOf(weights: Float32Array | Tensor): Float32Array {
  return weights instanceof Float32Array ? weights : toFloat32(weights);
}

/** What a thread does with a request. */
export function answer(request: ThreadRequest): ThreadReply {
  try {
    if (request.kind === "codes") return fillRanges(request);
    return { tensor: quantize(request.weights, request.shape, request.spec, request.options) };
  } catch (error) {
    return error instanceof InputError ? { refusal: error.message } : { fault: String((error as Error).stack) };
  }
}

function fillRanges({ weights, codes, coding, step, taken }: CodesRequest): ThreadReply {
  for (;;) {
    const from = Atomics.add(taken, 0, 1) * step;
    if (from >= weights.length) return {};
    const to = Math.min(from + step, weights.length);
    codes.set(quantizeBlocks(weights, from, to, coding), packedBytes(from, coding.bits));
  }
}

function copyShared(values: Float32Array): Float32Array {
  const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  return shared;
}

/** Threads and the requests that wait for one. */
function createPool(threads: number): { run(request: ThreadRequest): Promise<ThreadReply>; close(): Promise<void> } {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const url = new URL(`./worker-node.${extension}`, import.meta.url);
  const workers = Array.from({ length: threads }, () => new Worker(url));
  const idle = [...workers];
  const waiting: ((worker: Worker) => void)[] = [];
  return {
    async run(request) {
      const worker = idle.pop() ?? (await new Promise<Worker>((resolve) => waiting.push(resolve)));
      const reply = await ask(worker, request);
      const next = waiting.shift();
      if (next) next(worker);
      else idle.push(worker);
      if (reply.refusal !== undefined) throw new InputError(reply.refusal);
      if (reply.fault !== undefined) throw new Error(reply.fault);
      return reply;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

function ask(worker: Worker, request: ThreadRequest): Promise<ThreadReply> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      worker.off("message", done).off("error", fail).off("exit", stop);
      end();
    };
    const done = (reply: ThreadReply) => settle(() => resolve(reply));
    const fail = (error: unknown) => settle(() => reject(error));
    const stop = () => settle(() => reject(new Error("a quantizing thread has stopped")));
    worker.on("message", done).on("error", fail).on("exit", stop);
    worker.postMessage(request);
  });
}
