// COPA: which of two sentences is the cause or the effect of a premise.
// lm-eval 1.0; a choice begins with a space of its own, so two stand before it: a slip of lm-eval's, kept.

import { InputError } from "../../input-error.ts";
import { strip } from "../python-text.ts";
import { defineTask } from "../task.ts";

const connectors: Readonly<Record<string, string>> = { cause: "because", effect: "therefore" };

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/super_glue/copa */
export const copa = defineTask({
  name: "copa",
  version: "1",
  files: ["copa.jsonl"],
  hub: { name: "aps/super_glue", config: "copa", split: "validation" },
  kind: "choice",
  fields: { premise: "text", choice1: "text", choice2: "text", question: "text", label: "index" },
  metrics: ["acc"],
  prompt({ premise, choice1, choice2, question, label }) {
    if (!Object.hasOwn(connectors, question)) {
      throw new InputError('the field "question" should be "cause" or "effect"');
    }
    if (choice1 === "" || choice2 === "") throw new InputError("a choice is empty");
    // The last character of the premise is its period.
    const context = `${[...strip(premise)].slice(0, -1).join("")} ${connectors[question]}`;
    const choices = [choice1, choice2].map((choice) => ` ${lowerFirst(choice)}`);
    return { pairs: choices.map((choice) => ({ context, continuation: ` ${choice}` })), choices, gold: label };
  },
});

function lowerFirst(text: string): string {
  const [first, ...rest] = text;
  return first.toLowerCase() + rest.join("");
}
