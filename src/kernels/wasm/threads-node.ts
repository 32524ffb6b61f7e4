// Threads of the WASM kernels in Node: worker threads that do not keep the process alive.

import { Worker } from "node:worker_threads";
import { type StartThread, workerSource } from "./threads.ts";

/** Starts a worker thread. */
export const startNodeThread: StartThread = (start) => {
  const source = `const start = require("node:worker_threads").workerData; ${workerSource}`;
  const worker = new Worker(source, { eval: true, execArgv: [], workerData: start });
  worker.on("error", () => {}); // the kernels notice by themselves that a thread failed
  worker.unref();
  return {
    async end() {
      await worker.terminate();
    },
  };
};
