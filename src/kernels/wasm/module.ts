// The compiled module, with relaxed SIMD where the engine has it. Either binary serves with threads, when it imports a
// shared memory, and without: where a page may not share memory, the import is declared unshared, which is one bit of it.

import { relaxedBase64, wasmBase64 } from "./binary.generated.ts";

/** What the module exports; assembly/index.ts has the meaning. */
export interface WasmExports {
  run(shared: boolean): number;
  work(thread: number): void;
  fail(): void;
  stop(): void;
}

/**
 * Compiles the kernels for a shared or an unshared memory.
 *
 * @param relaxed - whether to use relaxed SIMD if the engine has it
 */
export function compileModule(shared: boolean, relaxed = true): Promise<WebAssembly.Module> {
  const bytes = decode(relaxed ? relaxedBase64 : wasmBase64);
  if (!shared) bytes[memoryFlagsAt(bytes)] &= ~2;
  return relaxed && !WebAssembly.validate(bytes) ? compileModule(shared, false) : WebAssembly.compile(bytes);
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/**
 * Where the flags of the imported memory `env.memory` stand: bit 0 says that it has a maximum, bit 1 that it is shared.
 * An import is module name, field name (each with its length before it), kind (2: memory), flags.
 */
function memoryFlagsAt(bytes: Uint8Array): number {
  const head = [3, ..."env"].map((part) => (typeof part === "number" ? part : part.charCodeAt(0)));
  const field = [6, ..."memory"].map((part) => (typeof part === "number" ? part : part.charCodeAt(0)));
  const pattern = [...head, ...field, 2, 3];
  for (let i = 0; i + pattern.length <= bytes.length; i++) {
    if (pattern.every((byte, j) => bytes[i + j] === byte)) return i + pattern.length - 1;
  }
  throw new Error("the WASM module imports no shared memory");
}
