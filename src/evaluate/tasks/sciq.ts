// SciQ: a question of science with a passage that supports the answer.
// lm-eval 1.0; the right answer is always the last of four.

import { stripStart } from "../python-text.ts";
import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/sciq */
export const sciq = defineTask({
  name: "sciq",
  version: "1",
  files: ["sciq.jsonl"],
  hub: { name: "allenai/sciq", split: "test" },
  kind: "choice",
  fields: {
    question: "text",
    distractor1: "text",
    distractor2: "text",
    distractor3: "text",
    correct_answer: "text",
    support: "text",
  },
  metrics: ["acc", "acc_norm", "acc_bytes"],
  prompt({ question, distractor1, distractor2, distractor3, correct_answer, support }) {
    const context = `${stripStart(support)}\nQuestion: ${question}\nAnswer:`;
    const choices = [distractor1, distractor2, distractor3, correct_answer];
    return { pairs: choices.map((choice) => ({ context, continuation: ` ${choice}` })), choices, gold: 3 };
  },
});
