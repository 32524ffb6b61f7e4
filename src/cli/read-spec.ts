// A spec from the command line; a user's codebook, or a mix, is read from its file.

import { readFileSync } from "node:fs";
import type { Spec } from "../quantize/spec.ts";
import { parseSpec } from "../quantize/spec-text.ts";

/** Parses spec text. @throws InputError if it is wrong, or a file that it names cannot be read */
export function readSpec(text: string): Spec {
  return parseSpec(text, readSpecFile);
}

/** The text of a codebook or mix that a spec names. */
export const readSpecFile = (path: string): string => readFileSync(path, "utf8");
