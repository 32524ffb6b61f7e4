// A thread of threads-node.ts: does one request after another.

import { parentPort } from "node:worker_threads";
import { answer, type ThreadRequest } from "./threads-node.ts";

parentPort!.on("message", (request: ThreadRequest) => parentPort!.postMessage(answer(request)));
