// Cosines and sines of rotary positions, computed once for each position in float64 and kept in WASM memory.

import type { HeadLayout } from "../kernels.ts";
import type { WasmMemory } from "./memory.ts";

type Rotary = NonNullable<HeadLayout["rotary"]>;

interface Table {
  readonly frequencies: Float32Array;
  readonly magnitude: number;
  address: number; // (positions, 2, size / 2): cosines, then sines of each position
  positions: number;
}

/** The tables of the rotary embeddings met so far: a model has one, or two. */
export class RotaryTables {
  readonly #memory: WasmMemory;
  readonly #tables: Table[] = [];

  constructor(memory: WasmMemory) {
    this.#memory = memory;
  }

  /** Address of the table that holds the positions of the first `tokens` tokens. */
  find({ size, positions, frequencies, magnitude }: Rotary, tokens: number): number {
    const half = size / 2;
    let last = 0;
    for (let t = 0; t < tokens; t++) {
      if (positions[t] < 0) throw new Error(`placeHeads: position ${positions[t]}`);
      last = Math.max(last, positions[t]);
    }
    let table = this.#tables.find(
      (known) =>
        known.magnitude === magnitude &&
        known.frequencies.length === half &&
        known.frequencies.every((frequency, i) => frequency === frequencies[i]),
    );
    if (!table) {
      table = { frequencies: frequencies.slice(0, half), magnitude, address: 0, positions: 0 };
      this.#tables.push(table);
    }
    if (last >= table.positions) this.#extend(table, 2 ** Math.ceil(Math.log2(Math.max(last + 1, 64))));
    return table.address;
  }

  #extend(table: Table, positions: number): void {
    const half = table.frequencies.length;
    const turns = new Float32Array(positions * half * 2);
    for (let position = 0; position < positions; position++) {
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(position * table.frequencies[i]);
        turns[position * 2 * half + i] = Math.cos(angle) * table.magnitude;
        turns[position * 2 * half + half + i] = Math.sin(angle) * table.magnitude;
      }
    }
    if (table.address) this.#memory.free(table.address);
    table.address = this.#memory.allocate(turns.byteLength);
    this.#memory.floats.set(turns, table.address / 4);
    table.positions = positions;
  }
}
