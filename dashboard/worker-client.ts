// The page's side of the worker: one request at a time, its progress and its end.

import type { WorkerReply, WorkerRequest } from "./worker.ts";

/** The worker as the views use it. */
export interface WorkerClient {
  /** Asks; resolves with the last reply. Rejects with a sentence if it fails or another request took its place. */
  ask(request: WorkerRequest, onReply?: (reply: WorkerReply) => void): Promise<WorkerReply>;
  /** Ends the writing of text after the token that is being made. */
  stop(): void;
}

/** Starts the worker. */
export function openWorker(): WorkerClient {
  const worker = new Worker("/worker.js", { type: "module", name: "kbit" });
  const waiting = new Map<
    number,
    { onReply?: (reply: WorkerReply) => void; settle: PromiseWithResolvers<WorkerReply> }
  >();
  let last = 0;
  worker.addEventListener("message", ({ data }: MessageEvent<WorkerReply & { readonly id: number }>) => {
    const asked = waiting.get(data.id);
    if (data.kind === "progress" || data.kind === "text") return asked?.onReply?.(data);
    waiting.delete(data.id);
    if (data.kind === "failed") asked?.settle.reject(new Error(data.reason));
    else asked?.settle.resolve(data);
  });
  worker.addEventListener("error", (event) => {
    for (const { settle } of waiting.values())
      settle.reject(new Error(event.message || "The worker cannot be started."));
    waiting.clear();
  });
  return {
    ask(request, onReply) {
      const settle = Promise.withResolvers<WorkerReply>();
      waiting.set(++last, { onReply, settle });
      worker.postMessage({ ...request, id: last });
      return settle.promise;
    },
    stop: () => worker.postMessage({ kind: "stop" }),
  };
}
