// A thread of the WASM kernels: what workerSource of src/kernels/wasm/threads.ts says, as a file that the page's policy
// allows to run.

import type { ThreadStart } from "../src/kernels/wasm/threads.ts";

addEventListener("message", ({ data: start }: MessageEvent<ThreadStart>) => {
  const instance = new WebAssembly.Instance(start.module, { env: { memory: start.memory } });
  const { work, fail } = instance.exports as { work(index: number): void; fail(): void };
  try {
    work(start.index);
  } catch (error) {
    fail();
    throw error;
  }
});
