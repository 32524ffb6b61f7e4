// HellaSwag: which of four endings continues a scene.
// lm-eval 1.0, with its cleaning of WikiHow marks; four continuations of one context.

import { capitalize, replaceSpans, strip } from "../python-text.ts";
import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/hellaswag */
export const hellaswag = defineTask({
  name: "hellaswag",
  version: "1",
  files: ["hellaswag.jsonl"],
  hub: { name: "Rowan/hellaswag", split: "validation" },
  kind: "choice",
  fields: { activity_label: "text", ctx_a: "text", ctx_b: "text", endings: "texts", label: "index" },
  metrics: ["acc", "acc_norm", "acc_bytes"],
  prompt({ activity_label, ctx_a, ctx_b, endings, label }) {
    const context = cleanText(`${activity_label}: ${ctx_a} ${capitalize(ctx_b)}`);
    const choices = endings.map(cleanText);
    return { pairs: choices.map((choice) => ({ context, continuation: ` ${choice}` })), choices, gold: label };
  },
});

/** Takes out WikiHow's marks: ` [title]` ends a sentence, other `[..]` of one line vanish, and double spaces once. */
export function cleanText(text: string): string {
  const lines = strip(text).replaceAll(" [title]", ". ").split("\n");
  return lines
    .map((line) => replaceSpans(line, "[", "]", () => ""))
    .join("\n")
    .replaceAll("  ", " ");
}
