// A worker for tests of the scheduler: answers by the words in the spec's text instead of measuring anything.
// fp16 and int specs give a row; bf16 a reason; fp32 throws where nothing catches it; stored ends the thread;
// float specs never come to an end; a file named `fail` in the model's folder makes all its experiments fail.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import type { PlannedExperiment } from "../../src/study/plan.ts";
import { makeRow } from "./rows.ts";

const port = parentPort!;
port.on("message", ({ id, key, model, spec }: PlannedExperiment) => {
  if (spec.text === "bf16" || existsSync(join(model.path, "fail")))
    port.postMessage({ kind: "failure", reason: "It cannot be done." });
  else if (spec.text === "fp32") throw new Error("A fault.\nWith a second line.");
  else if (spec.text === "stored") process.exit(7);
  else if (spec.text.startsWith("float")) port.postMessage({ kind: "progress", share: 0.5 });
  else {
    const { name, family } = model;
    port.postMessage({ kind: "row", row: { ...makeRow(1), id, key, model: { ...makeRow(1).model, name, family } } });
  }
});
