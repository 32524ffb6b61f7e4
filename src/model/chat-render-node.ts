// The program in which a chat template runs: a job as JSON on standard input, an answer as JSON on standard output.
// It knows nothing of checkpoints and sets no limits; chat-node.ts starts it and ends it.

import { readFileSync, writeSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { Template } from "@huggingface/jinja";

/** What to render. */
export interface RenderJob {
  /** Jinja. */
  readonly template: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** What the template writes, or why it cannot. */
export type RenderAnswer = { readonly text: string } | { readonly reason: string };

function render({ template, variables }: RenderJob): RenderAnswer {
  try {
    return { text: new Template(template).render({ ...variables }) };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  let rest = Buffer.from(JSON.stringify(render(JSON.parse(readFileSync(0, "utf8")))));
  while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
}
