// OpenBookQA: which of four answers completes a statement of elementary science.
// lm-eval 1.0; the question stands alone, without "Question:".

import { stripStart } from "../python-text.ts";
import { defineTask } from "../task.ts";
import { findLabel } from "./label.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/openbookqa */
export const openbookqa = defineTask({
  name: "openbookqa",
  version: "1",
  files: ["openbookqa.jsonl"],
  hub: { name: "allenai/openbookqa", config: "main", split: "test" },
  kind: "choice",
  fields: { question_stem: "text", choices: "labelled", answerKey: "text" },
  metrics: ["acc", "acc_norm", "acc_bytes"],
  prompt: ({ question_stem, choices, answerKey }) => ({
    pairs: choices.text.map((choice) => ({ context: question_stem, continuation: ` ${choice}` })),
    choices: choices.text,
    gold: findLabel(choices.label, stripStart(answerKey)),
  }),
});
