// BoolQ: yes or no to a question on a passage.
// lm-eval 2.0; two continuations of one context.

import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/super_glue/boolq */
export const boolq = defineTask({
  name: "boolq",
  version: "2",
  files: ["boolq.jsonl"],
  hub: { name: "aps/super_glue", config: "boolq", split: "validation" },
  kind: "choice",
  fields: { question: "text", passage: "text", label: "index" },
  metrics: ["acc"],
  prompt({ question, passage, label }) {
    const context = `${passage}\nQuestion: ${question}?\nAnswer:`;
    const choices = ["no", "yes"];
    return { pairs: choices.map((choice) => ({ context, continuation: ` ${choice}` })), choices, gold: label };
  },
});
