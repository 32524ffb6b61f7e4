// WikiText-2, a document a page: word and byte perplexity of the detokenized text.
// lm-eval 2.0; words and bytes are counted in the page as it stands, before detokenization.

import { countBytes, pythonSpaces, splitAtSpaces } from "../python-text.ts";
import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/wikitext */
export const wikitext = defineTask({
  name: "wikitext",
  version: "2",
  files: ["wikitext.jsonl"],
  kind: "rolling",
  fields: { page: "text" },
  metrics: ["word_perplexity", "byte_perplexity", "bits_per_byte"],
  prompt: ({ page }) => ({ text: detokenize(page), words: splitAtSpaces(page).length, bytes: countBytes(page) }),
});

const s = `[${pythonSpaces}]*`;

/** In this order; `$1` is what stands between brackets or quotes. The second never matches real text: lm-eval's own slip. */
const steps: readonly (readonly [string | RegExp, string])[] = [
  ["s '", "s'"],
  [/\/' [0-9]\//g, "/'[0-9]/"],
  [" @-@ ", "-"],
  [" @,@ ", ","],
  [" @.@ ", "."],
  [" : ", ": "],
  [" ; ", "; "],
  [" . ", ". "],
  [" ! ", "! "],
  [" ? ", "? "],
  [" , ", ", "],
  [new RegExp(`\\(${s}([^)]*?)${s}\\)`, "g"), "($1)"],
  [new RegExp(`\\[${s}([^\\]]*?)${s}\\]`, "g"), "[$1]"],
  [new RegExp(`\\{${s}([^}]*?)${s}\\}`, "g"), "{$1}"],
  [new RegExp(`"${s}([^"]*?)${s}"`, "g"), '"$1"'],
  [new RegExp(`'${s}([^']*?)${s}'`, "g"), "'$1'"],
  ["= = = =", "===="],
  ["= = =", "==="],
  ["= =", "=="],
  [" \u00b0 ", "\u00b0"],
  [" \n", "\n"],
  ["\n ", "\n"],
  [" N ", " 1 "],
  [" 's", "'s"],
];

/** WikiText's spaced punctuation back to running text. */
export function detokenize(page: string): string {
  return steps.reduce((text, [from, to]) => text.replaceAll(from, to), page);
}
