// A thread of threads-node.ts: makes the codes of one range after another.

import { parentPort } from "node:worker_threads";
import { fillRange, type RangeRequest } from "./threads-node.ts";

parentPort!.on("message", (request: RangeRequest) => {
  fillRange(request);
  parentPort!.postMessage("done");
});
