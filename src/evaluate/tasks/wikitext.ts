// WikiText-2, a document a page: word and byte perplexity of the detokenized text.
// lm-eval 2.0; words and bytes are counted in the page as it stands, before detokenization.

import { countBytes, replaceSpans, splitAtSpaces, strip } from "../python-text.ts";
import { defineTask } from "../task.ts";

/** @see https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks/wikitext */
export const wikitext = defineTask({
  name: "wikitext",
  version: "2",
  files: ["wikitext.jsonl"],
  hub: { name: "EleutherAI/wikitext_document_level", config: "wikitext-2-raw-v1", split: "test" },
  kind: "rolling",
  fields: { page: "text" },
  metrics: ["word_perplexity", "byte_perplexity", "bits_per_byte"],
  prompt: ({ page }) => ({ text: detokenize(page), words: splitAtSpaces(page).length, bytes: countBytes(page) }),
});

/** The second never matches real text: a slip of lm-eval's, kept. */
const before: readonly (readonly [string | RegExp, string])[] = [
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
];

/** White space is taken away inside these. */
const pairs = ["()", "[]", "{}", '""', "''"];

const after: readonly (readonly [string, string])[] = [
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
  let text = before.reduce((result, [from, to]) => result.replaceAll(from, to), page);
  for (const [open, close] of pairs) text = replaceSpans(text, open, close, (inside) => open + strip(inside) + close);
  return after.reduce((result, [from, to]) => result.replaceAll(from, to), text);
}
