// The code blocks of a page of docs/, with what the page says that they print.

import { readFileSync } from "node:fs";

/** A block of code. */
export interface Example {
  /** The heading above it. */
  readonly title: string;
  readonly language: string;
  readonly code: string;
  /** The block of text after it; absent if another comes first. */
  readonly output?: string;
}

/** The examples of `docs/NAME.md`, in order. */
export function readExamples(name: string): Example[] {
  const page = readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), "utf8");
  const pattern = /^## (.*)$|^```(\w+)\n([\s\S]*?)^```$/gm;
  const examples: Example[] = [];
  let title = "";
  for (const [, heading, language, code] of page.matchAll(pattern)) {
    if (heading !== undefined) title = heading;
    else if (language !== "text") examples.push({ title, language, code });
    else examples.push({ ...examples.pop()!, output: code });
  }
  return examples;
}
