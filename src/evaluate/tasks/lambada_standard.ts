// LAMBADA, the standard version, tokenized and in lower case: the last word of a passage.
// lm-eval 1.0; the prompt is that of lambada_openai.

import { defineTask } from "../task.ts";
import { lambadaOpenai } from "./lambada_openai.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/lambada */
export const lambadaStandard = defineTask({
  ...lambadaOpenai,
  name: "lambada_standard",
  files: ["lambada_standard.jsonl"],
  hub: { name: "cimec/lambada", split: "test" },
});
