// The WASM kernel set: SIMD in AssemblyScript, threads over shared memory where there are any. Node and browsers.
// This side checks sizes, keeps memory and describes jobs; what is computed stands in assembly/.

import { checkHeads, checkIndices, checkLength, checkMatmul, checkSpans, checkTargets } from "../checks.ts";
import type { Activation, KernelBuffer, Kernels, KernelWeight } from "../kernels.ts";
import { JobRunner, weightScratch } from "./job.ts";
import { WasmMemory } from "./memory.ts";
import { compileModule, type WasmExports } from "./module.ts";
import { RotaryTables } from "./rotary.ts";
import { joinTiles, partialWords, tileRows } from "./score.ts";
import { canUseThreads, type StartThread, startBrowserThread, type Thread } from "./threads.ts";
import { storeWeight } from "./weight.ts";

const activationNumbers: Record<Activation, number> = { relu: 0, gelu: 1, geluTanh: 2, silu: 3 };
/** Tokens at a time in `scoreTargets`, as logits of one tile stay in the second cache. */
const scoredAtOnce = 512;

export interface WasmOptions {
  /** Threads, the caller's own among them; one where there is no shared memory, and on a browser's main thread. */
  threads?: number;
  /** How to start a thread; by default Web Workers. */
  startThread?: StartThread;
  /** Whether to use relaxed SIMD if the engine has it (default). */
  relaxed?: boolean;
}

/** Compiles the WASM kernels and starts their threads. */
export async function createWasmKernels(options: WasmOptions = {}): Promise<Kernels> {
  const { threads: wanted = 1, startThread = startBrowserThread, relaxed } = options;
  const shared = wanted > 1 && startThread !== undefined && canUseThreads();
  const module = await compileModule(shared, relaxed);
  const memory = new WasmMemory(shared);
  const instance = await WebAssembly.instantiate(module, { env: { memory: memory.memory } });
  const exports = instance.exports as unknown as WasmExports;
  const threads: Thread[] = [];
  for (let index = 1; shared && index < wanted; index++) {
    threads.push(startThread({ module, memory: memory.memory, index }));
  }
  return new WasmKernels(memory, exports, threads);
}

class WasmKernels implements Kernels {
  readonly name = "wasm";
  readonly computeType = "float32";
  readonly threads: number;
  readonly #memory: WasmMemory;
  readonly #exports: WasmExports;
  readonly #workers: Thread[];
  readonly #jobs: JobRunner;
  readonly #rotary: RotaryTables;
  readonly #places = new Map<KernelBuffer | KernelWeight, number>();
  #lists = 0; // a range for index lists of a call
  #listBytes = 0;

  constructor(memory: WasmMemory, exports: WasmExports, workers: Thread[]) {
    this.threads = workers.length + 1;
    this.#memory = memory;
    this.#exports = exports;
    this.#workers = workers;
    this.#jobs = new JobRunner(memory, exports, this.threads);
    this.#rotary = new RotaryTables(memory);
  }

  createBuffer(length: number): KernelBuffer {
    const buffer = { length };
    const address = this.#memory.allocate(length * 4);
    this.#memory.floats.fill(0, address / 4, address / 4 + length);
    this.#places.set(buffer, address);
    return buffer;
  }

  write(buffer: KernelBuffer, values: Float32Array, offset = 0): void {
    checkLength("write: buffer", buffer, offset + values.length);
    this.#memory.floats.set(values, this.#placeOf(buffer) / 4 + offset);
  }

  async read(buffer: KernelBuffer, offset = 0, length = buffer.length - offset): Promise<Float32Array> {
    checkLength("read: buffer", buffer, offset + length);
    const start = this.#placeOf(buffer) / 4 + offset;
    return this.#memory.floats.slice(start, start + length);
  }

  view(buffer: KernelBuffer): Float32Array {
    const start = this.#placeOf(buffer) / 4;
    return this.#memory.floats.subarray(start, start + buffer.length);
  }

  loadWeight(weight: Parameters<Kernels["loadWeight"]>[0]): KernelWeight {
    const [rows, columns] = weight.shape;
    const address = storeWeight(this.#memory, weight);
    const handle = { rows, columns };
    this.#places.set(handle, address);
    return handle;
  }

  release(handle: KernelBuffer | KernelWeight): void {
    this.#memory.free(this.#placeOf(handle));
    this.#places.delete(handle);
  }

  async close(): Promise<void> {
    this.#places.clear();
    this.#exports.stop();
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }

  embed(out: KernelBuffer, weight: KernelWeight, ids: Int32Array): void {
    checkLength("embed: out", out, ids.length * weight.columns);
    checkIndices("embed: id", ids, weight.rows);
    const [indices] = this.#list(ids);
    const given = { out: this.#placeOf(out), weight: this.#placeOf(weight), indices };
    this.#jobs.run("embed", ids.length, ids.length * weight.columns * 4, 1, given);
  }

  matmul(...[out, x, weight, tokens, path, bias]: Parameters<Kernels["matmul"]>): void {
    checkMatmul(out, x, weight, tokens, bias);
    if (tokens === 0) return;
    const { rows, columns } = weight;
    const generation = path === "generation";
    const given = {
      out: this.#placeOf(out),
      x: this.#placeOf(x),
      weight: this.#placeOf(weight),
      bias: bias && this.#placeOf(bias),
      tokens,
    };
    // A thread's share begins at a group of 512 codes, lest two threads decode one group.
    const step = Math.max(generation ? 4 : 8, rowsToGroup(columns));
    const work = rows * columns * (2 * tokens + 4);
    this.#jobs.run(generation ? "generationMatmul" : "scoringMatmul", rows, work, step, given);
  }

  layerNorm(...[out, x, tokens, gain, bias, epsilon]: Parameters<Kernels["layerNorm"]>): void {
    checkLength("layerNorm: out", out, tokens * gain.length);
    checkLength("layerNorm: x", x, tokens * gain.length);
    if (bias) checkLength("layerNorm: bias", bias, gain.length);
    this.#jobs.run("layerNorm", tokens, tokens * gain.length * 8, 1, {
      out: this.#placeOf(out),
      x: this.#placeOf(x),
      width: gain.length,
      second: this.#placeOf(gain),
      bias: bias && this.#placeOf(bias),
      factor: epsilon,
    });
  }

  rmsNorm(out: KernelBuffer, x: KernelBuffer, tokens: number, gain: KernelBuffer, epsilon: number): void {
    checkLength("rmsNorm: out", out, tokens * gain.length);
    checkLength("rmsNorm: x", x, tokens * gain.length);
    this.#jobs.run("rmsNorm", tokens, tokens * gain.length * 5, 1, {
      out: this.#placeOf(out),
      x: this.#placeOf(x),
      width: gain.length,
      second: this.#placeOf(gain),
      factor: epsilon,
    });
  }

  placeHeads(...[out, x, layout]: Parameters<Kernels["placeHeads"]>): void {
    checkHeads(out, x, layout);
    const { tokens, heads, headSize, width, offset, stride, slots, rotary } = layout;
    const turns = rotary && rotary.size > 0 ? this.#rotary.find(rotary, tokens) : 0;
    const [indices, positions] = this.#list(slots.subarray(0, tokens), rotary?.positions.subarray(0, tokens));
    this.#jobs.run("placeHeads", tokens, tokens * heads * headSize * 3, 1, {
      out: this.#placeOf(out),
      x: this.#placeOf(x),
      heads,
      headSize,
      width,
      offset,
      stride,
      indices,
      positions,
      rotary: turns ? rotary?.size : 0,
      turns,
    });
  }

  attend(...[out, query, keys, values, layout]: Parameters<Kernels["attend"]>): void {
    checkSpans(out, query, keys, values, layout);
    const { tokens, heads, keyHeads, headSize, scale, spans, slopes, cap } = layout;
    let longest = 0;
    let total = 0;
    for (let t = 0; t < tokens; t++) {
      const count = spans[t * 4 + 1] + spans[t * 4 + 3];
      longest = Math.max(longest, count);
      total += count;
    }
    const [indices, slopesAt] = this.#list(spans.subarray(0, tokens * 4), slopes?.subarray(0, heads));
    this.#jobs.run("attend", tokens * heads, total * heads * (headSize * 4 + 20), 1, {
      out: this.#placeOf(out),
      x: this.#placeOf(query),
      second: this.#placeOf(keys),
      third: this.#placeOf(values),
      indices,
      heads,
      keyHeads,
      headSize,
      slopes: slopesAt,
      factor: scale,
      cap,
      scratchBytes: (longest + 4) * 4,
    });
  }

  activate(x: KernelBuffer, activation: Activation, length: number): void {
    checkLength("activate: x", x, length);
    const given = { x: this.#placeOf(x), which: activationNumbers[activation] };
    this.#jobs.run("activate", length, length * (activation === "relu" ? 1 : 30), 64, given);
  }

  add(out: KernelBuffer, a: KernelBuffer, b: KernelBuffer, length: number): void {
    this.#combine("add", out, a, b, length);
  }

  multiply(out: KernelBuffer, a: KernelBuffer, b: KernelBuffer, length: number): void {
    this.#combine("multiply", out, a, b, length);
  }

  #combine(op: "add" | "multiply", out: KernelBuffer, a: KernelBuffer, b: KernelBuffer, length: number): void {
    for (const buffer of [out, a, b]) checkLength(op, buffer, length);
    const given = { out: this.#placeOf(out), x: this.#placeOf(a), second: this.#placeOf(b) };
    this.#jobs.run(op, length, length, 64, given);
  }

  gather(out: KernelBuffer, x: KernelBuffer, rows: Int32Array, width: number): void {
    checkLength("gather: out", out, rows.length * width);
    checkIndices("gather: row", rows, Math.floor(x.length / width));
    const [indices] = this.#list(rows);
    const given = { out: this.#placeOf(out), x: this.#placeOf(x), width, indices };
    this.#jobs.run("gather", rows.length, rows.length * width, 1, given);
  }

  async scoreTargets(...[x, head, targets, bias, cap]: Parameters<Kernels["scoreTargets"]>) {
    checkTargets(x, head, targets, bias);
    const scores = { logProbs: new Float32Array(targets.length), best: new Int32Array(targets.length) };
    const tiles = Math.ceil(head.rows / tileRows);
    for (let start = 0; start < targets.length; start += scoredAtOnce) {
      const some = targets.subarray(start, start + scoredAtOnce);
      const tokens = some.length;
      const partialCount = tiles * tokens * partialWords;
      const [indices] = this.#list(some);
      const out = this.#memory.allocate((partialCount + tokens) * 4);
      const chosen = out + partialCount * 4;
      this.#jobs.run("scoreTargets", head.rows, head.rows * (head.columns * 2 + 20) * tokens, tileRows, {
        out,
        chosen,
        x: this.#placeOf(x) + start * head.columns * 4,
        weight: this.#placeOf(head),
        bias: bias && this.#placeOf(bias),
        tokens,
        indices,
        unit: tileRows,
        cap,
        scratchBytes: weightScratch + tokens * tileRows * 4,
      });
      const { floats, words } = this.#memory;
      joinTiles(
        floats.subarray(out / 4, chosen / 4),
        words.subarray(out / 4, chosen / 4),
        floats.subarray(chosen / 4, chosen / 4 + tokens),
        scores,
        start,
      );
      this.#memory.free(out);
    }
    return scores;
  }

  #placeOf(handle: KernelBuffer | KernelWeight): number {
    const address = this.#places.get(handle);
    if (address === undefined) throw new Error("a buffer or weight of another kernel set, or one that was released");
    return address;
  }

  /** Copies the lists of a call into memory and gives their addresses; an absent list is at 0. */
  #list(...lists: (Int32Array | Float32Array | undefined)[]): number[] {
    const bytes = lists.reduce((sum, list) => sum + (list?.byteLength ?? 0), 0);
    if (bytes > this.#listBytes) {
      if (this.#listBytes > 0) this.#memory.free(this.#lists);
      this.#listBytes = 0;
      this.#lists = this.#memory.allocate(bytes * 2);
      this.#listBytes = bytes * 2;
    }
    let at = this.#lists;
    return lists.map((list) => {
      if (!list) return 0;
      const address = at;
      if (list instanceof Float32Array) this.#memory.floats.set(list, at / 4);
      else this.#memory.words.set(list, at / 4);
      at += list.byteLength;
      return address;
    });
  }
}

/** Rows that together are whole groups of 512 codes, or 1 if those were too many. */
function rowsToGroup(columns: number): number {
  let rows = 512;
  while (rows > 1 && ((rows / 2) * columns) % 512 === 0) rows /= 2;
  return rows > 64 ? 1 : rows;
}
