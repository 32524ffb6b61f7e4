// Text files that the user names: read whole, and only if they are text.

import { readFile, stat } from "node:fs/promises";
import { InputError } from "../input-error.ts";

/** More than this does not fit a string of the engine. */
const maxBytes = 500_000_000;

/** A file's text. @throws InputError if there is no such file, or it is no UTF-8 text */
export async function readTextFile(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats) throw new InputError(`There is no file ${path}.`);
  if (!stats.isFile()) throw new InputError(`${path} is not a file; expected a text file.`);
  if (stats.size > maxBytes) {
    throw new InputError(`${path} has ${stats.size} bytes; a text may have ${maxBytes}. Cut it into parts.`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof TypeError) throw new InputError(`${path} is not UTF-8 text; convert it.`);
    throw error;
  }
}
