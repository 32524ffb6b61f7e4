// A lane's program for tests of the scheduler: answers by the words in the spec's text instead of measuring anything.
// fp16 and int specs give a row; bf16 a reason; fp32 throws where nothing catches it; stored ends the process; nf4 is
// killed, nf5 takes all memory that NODE_OPTIONS leave it; dynamic specs take a
// while, float specs never come to an end; a file named `fail` in the model's folder makes all its
// experiments fail, one named `absent` says that the model is not here.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LaneAnswer } from "../../src/study/lane.ts";
import type { PlannedExperiment } from "../../src/study/plan.ts";
import { makeRow } from "./rows.ts";

const answer = (message: LaneAnswer) => process.send!(message);
process.on("disconnect", () => process.exit());
process.on("message", ({ id, key, model, spec }: PlannedExperiment) => {
  const isMarked = (name: string) => existsSync(join(model.path, name));
  if (isMarked("absent")) answer({ kind: "failure", cause: "absent", reason: "There is no model." });
  else if (spec.text === "bf16" || isMarked("fail"))
    answer({ kind: "failure", cause: "input", reason: "It cannot be done." });
  else if (spec.text === "fp32") throw new Error("A fault.\nWith a second line.");
  else if (spec.text === "stored") process.exit(7);
  else if (spec.text === "nf4") process.kill(process.pid, "SIGKILL");
  else if (spec.text === "nf5") fillMemory();
  else if (spec.text.startsWith("float")) answer({ kind: "progress", share: 0.5 });
  else {
    const { name, family } = model;
    const row = { ...makeRow(1), id, key, model: { ...makeRow(1).model, name, family } };
    setTimeout(() => answer({ kind: "row", row }), spec.text.startsWith("dynamic") ? 300 : 0);
  }
});

function fillMemory(): void {
  const all: number[][] = [];
  for (;;) all.push(Array.from({ length: 1000 }, (_, i) => i + 0.5));
}
