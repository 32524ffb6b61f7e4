// Threads of the WASM kernels: what a worker is given, and how a browser starts one. threads-node.ts does it in Node.

/** What a thread needs to work: it instantiates `module` on `memory` and calls `work(index)`. */
export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** From 1; 0 is the caller's own thread. */
  readonly index: number;
}

/** A thread that was started. */
export interface Thread {
  /** Resolves when it is gone. */
  end(): Promise<void>;
}

/** Starts a thread without waiting for it: until it works, the other threads do its share. */
export type StartThread = (start: ThreadStart) => Thread;

/** The body of a worker, in plain JavaScript so that it needs no file of its own; `start` is its ThreadStart. */
export const workerSource = `
const { work, fail } = new WebAssembly.Instance(start.module, { env: { memory: start.memory } }).exports;
try { work(start.index); } catch (error) { fail(); throw error; }
`;

/** Whether this thread may share memory with others and wait for them; a browser's main thread may not wait. */
export function canUseThreads(): boolean {
  const mayWait = typeof document === "undefined";
  return mayWait && typeof SharedArrayBuffer === "function" && (globalThis.crossOriginIsolated ?? true);
}

/** Starts a Web Worker; undefined where there are none. */
export const startBrowserThread: StartThread | undefined =
  typeof Worker === "undefined"
    ? undefined
    : (start) => {
        const source = `onmessage = ({ data: start }) => { ${workerSource} }`;
        const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
        const worker = new Worker(url);
        worker.postMessage(start);
        return {
          async end() {
            worker.terminate();
            URL.revokeObjectURL(url);
          },
        };
      };
