// LAMBADA, OpenAI's version: the last word of a passage.
// lm-eval 1.0; the text is split at single spaces, and the perplexity is one a word.

import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/lambada */
export const lambadaOpenai = defineTask({
  name: "lambada_openai",
  version: "1",
  files: ["lambada_openai.jsonl"],
  hub: { name: "EleutherAI/lambada_openai", config: "default", split: "test" },
  kind: "continuation",
  fields: { text: "text" },
  metrics: ["acc", "perplexity"],
  prompt({ text }) {
    const words = text.split(" ");
    return { context: words.slice(0, -1).join(" "), continuation: ` ${words.at(-1)}` };
  },
});
