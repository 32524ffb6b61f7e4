// One call of the WASM kernels: its fields in memory, its division into tasks, and its run by one thread or all.

import type { WasmMemory } from "./memory.ts";
import type { WasmExports } from "./module.ts";

/** Operations, by the numbers that assembly/job.ts gives them. */
export const operations = {
  generationMatmul: 0,
  scoringMatmul: 1,
  embed: 2,
  layerNorm: 3,
  rmsNorm: 4,
  placeHeads: 5,
  attend: 6,
  activate: 7,
  add: 8,
  multiply: 9,
  gather: 10,
  scoreTargets: 11,
} as const;

/** The fields of a job in their order in memory, 32 bits each; `factor` and `cap` are floats. */
const fields = [
  "op",
  "tasks",
  "unit",
  "size",
  "scratch",
  "scratchBytes",
  "out",
  "x",
  "weight",
  "bias",
  "tokens",
  "width",
  "second",
  "third",
  "indices",
  "heads",
  "keyHeads",
  "headSize",
  "stride",
  "offset",
  "rotary",
  "turns",
  "positions",
  "slopes",
  "factor",
  "which",
  "chosen",
  "cap",
] as const;

/** What an operation is given: addresses and sizes; absent ones are 0. */
export type JobFields = Partial<Record<Exclude<(typeof fields)[number], "op" | "tasks" | "scratch">, number>>;

const jobAddress = 2048;
/** Work below this many floating-point operations is not worth a second thread. */
const smallestShare = 300_000;
/** Tasks a thread, so that one that is held up leaves its share to the others. */
const tasksPerThread = 4;

/** Runs jobs one after another on one memory. */
export class JobRunner {
  readonly #memory: WasmMemory;
  readonly #exports: WasmExports;
  readonly #threads: number;
  #scratch = 0;
  #scratchBytes = 0; // a thread

  constructor(memory: WasmMemory, exports: WasmExports, threads: number) {
    this.#memory = memory;
    this.#exports = exports;
    this.#threads = threads;
  }

  /**
   * Runs an operation over `size` rows, tokens or values and returns when it is done.
   *
   * @param work - floating-point operations in all, roughly: decides how many tasks there are
   * @param step - a task's share is a multiple of it
   * @param given - `scratchBytes`: what a thread needs, if more than the decoding of weights; `unit` fixes the share
   */
  run(op: keyof typeof operations, size: number, work: number, step: number, given: JobFields): void {
    if (size === 0) return;
    const threads = Math.max(1, Math.min(this.#threads, Math.floor(work / smallestShare)));
    const pieces = threads === 1 ? 1 : threads * tasksPerThread;
    const unit = given.unit ?? Math.ceil(size / pieces / step) * step;
    const tasks = Math.ceil(size / unit);
    this.#reserve(given.scratchBytes ?? 0);
    const { words, floats } = this.#memory;
    const at = jobAddress / 4;
    fields.forEach((field, i) => {
      words[at + i] = (given as Partial<Record<string, number>>)[field] ?? 0;
    });
    words[at] = operations[op];
    words[at + 1] = tasks;
    words[at + 2] = unit;
    words[at + 3] = size;
    words[at + 4] = this.#scratch;
    words[at + 5] = this.#scratchBytes;
    floats[at + fields.indexOf("factor")] = given.factor ?? 0;
    floats[at + fields.indexOf("cap")] = given.cap ?? 0;
    const shared = threads > 1 && tasks > 1;
    if (!this.#exports.run(shared)) throw new Error("a thread of the WASM kernels failed");
  }

  #reserve(bytes: number): void {
    const needed = Math.ceil(Math.max(bytes, weightScratch) / 64) * 64;
    if (needed <= this.#scratchBytes) return;
    if (this.#scratch) this.#memory.free(this.#scratch);
    this.#scratch = 0;
    this.#scratchBytes = 0;
    this.#scratch = this.#memory.allocate(needed * this.#threads);
    this.#scratchBytes = needed;
  }
}

/** Scratch for the weights being decoded, a thread. */
export const weightScratch = 40_960;
