// ARC, easy and challenge: school questions of science with three to five answers.
// lm-eval 1.0; the two differ in their documents only.

import { defineTask } from "../task.ts";
import { findLabel } from "./label.ts";

function defineArc(name: string, config: string) {
  return defineTask({
    name,
    version: "1",
    files: [`${name}.jsonl`],
    hub: { name: "allenai/ai2_arc", config, split: "test" },
    kind: "choice",
    fields: { question: "text", choices: "labelled", answerKey: "text" },
    metrics: ["acc", "acc_norm", "acc_bytes"],
    prompt({ question, choices, answerKey }) {
      const context = `Question: ${question}\nAnswer:`;
      return {
        pairs: choices.text.map((choice) => ({ context, continuation: ` ${choice}` })),
        choices: choices.text,
        gold: findLabel(choices.label, answerKey),
      };
    },
  });
}

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/arc */
export const arcEasy = defineArc("arc_easy", "ARC-Easy");
export const arcChallenge = defineArc("arc_challenge", "ARC-Challenge");
