// PIQA: which of two ways reaches a physical goal.
// lm-eval 1.0; two continuations of one context.

import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/piqa */
export const piqa = defineTask({
  name: "piqa",
  version: "1",
  files: ["piqa.jsonl"],
  hub: { name: "baber/piqa", split: "validation" },
  kind: "choice",
  fields: { goal: "text", sol1: "text", sol2: "text", label: "index" },
  metrics: ["acc", "acc_norm", "acc_bytes"],
  prompt({ goal, sol1, sol2, label }) {
    const context = `Question: ${goal}\nAnswer:`;
    const choices = [sol1, sol2];
    return { pairs: choices.map((choice) => ({ context, continuation: ` ${choice}` })), choices, gold: label };
  },
});
