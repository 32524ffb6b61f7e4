// WinoGrande: which of two names fits the blank, by the likelihood of what follows it (partial evaluation).
// lm-eval 1.0; the two contexts differ, the continuation is the same.

import { InputError } from "../../input-error.ts";
import { strip } from "../python-text.ts";
import { defineTask } from "../task.ts";

const answers: Readonly<Record<string, number>> = { "1": 0, "2": 1 };

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/winogrande */
export const winogrande = defineTask({
  name: "winogrande",
  version: "1",
  files: ["winogrande_xl.jsonl", "winogrande.jsonl"],
  hub: { name: "allenai/winogrande", config: "winogrande_xl", split: "validation" },
  kind: "choice",
  fields: { sentence: "text", option1: "text", option2: "text", answer: "value" },
  metrics: ["acc"],
  prompt({ sentence, option1, option2, answer }) {
    const blank = sentence.indexOf("_");
    if (blank < 0) throw new InputError('the field "sentence" has no blank "_"');
    if (!Object.hasOwn(answers, answer)) throw new InputError('the field "answer" should be "1" or "2"');
    const choices = [sentence.slice(0, blank) + option1, sentence.slice(0, blank) + option2];
    const continuation = ` ${strip(sentence.slice(blank + 1))}`;
    return { pairs: choices.map((context) => ({ context, continuation })), choices, gold: answers[answer] };
  },
});
