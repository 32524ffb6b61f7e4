// A user's own codebook: a JSON file of numbers, named in canonical spec text by a hash of its values.

import { InputError } from "../../input-error.ts";
import { hashBytes } from "../content-hash.ts";

/** A codebook of a file and the hash that names it. */
export interface UserCodebook {
  readonly path: string;
  readonly codebook: readonly number[];
  readonly hash: string;
}

/**
 * Reads the text of a codebook file: an array of 2 to 256 numbers, or an object with such an array as `codebook`, as
 * `kbit inspect --json` prints it. Values are divided by the largest magnitude if that is above 1, rounded to float16
 * as they will be stored, and put in ascending order without repetitions.
 *
 * @throws InputError naming the file and the first thing wrong in it
 */
export function readUserCodebook(text: string, path: string): UserCodebook {
  const values = parseValues(text, path);
  const largest = Math.max(...values.map(Math.abs));
  const scaled = values.map((value) => (largest > 1 ? value / largest : value));
  const codebook = [...new Set(Float16Array.from(scaled, (value) => value + 0))].sort((a, b) => a - b);
  if (codebook.length < 2) throw new InputError(`codebook ${path}: all values are equal in float16; give at least two`);
  return { path, codebook, hash: hashCodebook(codebook) };
}

/** Bits of a code: the fewest, from 2 on, that tell all values apart. */
export function bitsOfCodebook(codebook: readonly number[]): number {
  return Math.max(2, Math.ceil(Math.log2(codebook.length)));
}

function parseValues(text: string, path: string): number[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`codebook ${path} is not JSON: ${(error as Error).message}`);
  }
  const values = Array.isArray(json) ? json : (json as { codebook?: unknown } | null)?.codebook;
  if (!Array.isArray(values)) {
    throw new InputError(`codebook ${path}: expected an array of numbers, or an object with one as "codebook"`);
  }
  if (values.length < 2 || values.length > 256) {
    throw new InputError(`codebook ${path}: expected 2 to 256 values, found ${values.length}`);
  }
  const wrong = values.findIndex((value) => typeof value !== "number" || !Number.isFinite(value));
  if (wrong >= 0)
    throw new InputError(`codebook ${path}: value ${wrong} is not a number: ${JSON.stringify(values[wrong])}`);
  return values;
}

/** Of the values' float16 bytes, little-endian. */
function hashCodebook(codebook: readonly number[]): string {
  return hashBytes(new Uint8Array(Float16Array.from(codebook).buffer));
}
