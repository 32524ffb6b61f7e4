// The memory of the WASM kernels: it grows up to 4 GiB, and its views are made anew when it has grown.

import { InputError } from "../../input-error.ts";
import { Allocator } from "./allocator.ts";

const pageBytes = 65536;
const initialPages = 16;
/** The last page stays unused, so that a kernel may step a little past the end of a range without leaving 32 bits. */
const lastEnd = 2 ** 32 - pageBytes;

/** The first bytes hold the control words and the job (assembly/index.ts); ranges start behind them. */
const firstFree = pageBytes;

/** A memory, its typed views and the ranges in it. */
export class WasmMemory {
  readonly memory: WebAssembly.Memory;
  readonly #allocator = new Allocator(firstFree);
  #bytes: Uint8Array;
  #floats: Float32Array;
  #words: Uint32Array;

  /** @param shared - whether threads are to share it; the caller knows that it may be */
  constructor(shared: boolean) {
    this.memory = createMemory(shared);
    [this.#bytes, this.#floats, this.#words] = viewsOf(this.memory);
  }

  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#renew();
    return this.#bytes;
  }
  get floats(): Float32Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#renew();
    return this.#floats;
  }
  get words(): Uint32Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#renew();
    return this.#words;
  }

  /**
   * The address of a new range of `bytes` bytes, a multiple of 64.
   * @throws InputError if it does not fit 4 GiB or what the machine has
   */
  allocate(bytes: number): number {
    return this.#allocator.allocate(bytes, (end) => this.#reach(end));
  }

  free(address: number): void {
    this.#allocator.free(address);
  }

  #reach(end: number): void {
    const pages = Math.ceil(end / pageBytes) - this.memory.buffer.byteLength / pageBytes;
    if (pages <= 0) return;
    try {
      if (end > lastEnd) throw new RangeError("past the last page");
      this.memory.grow(pages);
    } catch {
      throw new InputError(
        `the WASM kernels need ${Math.ceil(end / 2 ** 20)} MiB, more than the 4096 MiB that WASM can address or than ` +
          "this machine gives; take a smaller model, fewer bits, or kernels outside WASM",
      );
    }
  }

  #renew(): void {
    [this.#bytes, this.#floats, this.#words] = viewsOf(this.memory);
  }
}

/** Some systems refuse to set 4 GiB of addresses aside; they get less. */
function createMemory(shared: boolean): WebAssembly.Memory {
  for (let maximum = 65536; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: initialPages, maximum, shared });
    } catch (error) {
      if (maximum <= 4096) throw error;
    }
  }
}

function viewsOf({ buffer }: WebAssembly.Memory): [Uint8Array, Float32Array, Uint32Array] {
  return [new Uint8Array(buffer), new Float32Array(buffer), new Uint32Array(buffer)];
}
