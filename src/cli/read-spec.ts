// A spec from the command line; a user's codebook, or a mix, is read from its file.

import { readFileSync } from "node:fs";
import { InputError } from "../input-error.ts";
import type { Spec } from "../quantize/spec.ts";
import { parseSpec } from "../quantize/spec-text.ts";

/** Parses spec text. @throws InputError if it is wrong, or a file that it names cannot be read */
export function readSpec(text: string): Spec {
  return parseSpec(text, readSpecFile);
}

/** The text of a codebook or mix that a spec names. @throws InputError if it cannot be read */
export function readSpecFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new InputError(
      code === "ENOENT" ? `There is no file ${path}.` : `The file ${path} cannot be read: ${message}.`,
    );
  }
}
