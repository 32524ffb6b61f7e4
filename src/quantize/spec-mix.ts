// A mix: different specs for different matrices, by patterns over their names. Its file is a JSON map from pattern to spec,
//
//   { "default": "nf4:b64", "*.down_proj.weight": "nf6:b64", "model.layers.0.*": "int8:b64", "lm_head.weight": "nf8:b64:head" }
//
// and its order says nothing: of several patterns that fit, the one with the most characters beside `*` and `?` counts, of
// those the one with the fewest `*` and `?`.
// Which names there are, and whether a pattern makes sense for them, is the model's business (model/plan.ts).

import { findNearest, InputError } from "../input-error.ts";
import { hashBytes } from "./content-hash.ts";
import type { MatrixSpec, MixEntry, MixSpec, Spec } from "./spec.ts";

// Specs of entries are parsed and formatted by spec-text.ts, which cannot be imported here and gives its functions.
type Parse = (text: string) => Spec;
type Format = (spec: Spec) => string;

/** The pattern of what fits no other; `*` means the same. */
export const defaultPattern = "default";
const maxEntries = 100_000;

/**
 * Reads the text of a mix.
 *
 * @param where - its path, for messages
 * @throws InputError naming the entry that is wrong
 */
export function readMix(text: string, where: string, parse: Parse, format: Format): MixSpec {
  const entries = new Map<string, MatrixSpec>();
  for (const [written, value] of Object.entries(parseMap(text, where))) {
    const pattern = written === "*" ? defaultPattern : written;
    if (pattern === "") throw new InputError(`${where}: a pattern is empty; write "default" for all other matrices`);
    if (entries.has(pattern)) throw new InputError(`${where}: "*" and "default" mean the same; keep one of them`);
    if (typeof value !== "string") {
      throw new InputError(`${where}: "${pattern}" has ${JSON.stringify(value)}; expected a spec such as "nf4:b64"`);
    }
    entries.set(pattern, parseEntry(value, `${where}: "${pattern}"`, parse));
  }
  return createMix(
    [...entries].map(([pattern, spec]) => ({ pattern, spec })),
    format,
  );
}

/** A mix of entries whose patterns are distinct. */
export function createMix(entries: readonly MixEntry[], format: Format): MixSpec {
  const sorted = [...entries].sort((a, b) => compare(a.pattern, b.pattern));
  const json = formatEntries(sorted, format);
  return { kind: "mix", entries: sorted, hash: hashBytes(new TextEncoder().encode(json)) };
}

/** The canonical JSON of a mix, whose hash names it: `default` first, then by pattern, each spec in canonical text. */
export function formatMix({ entries, hash }: MixSpec, format: Format): string {
  if (entries.length === 0) throw createUnknownMixError(hash);
  return formatEntries(entries, format);
}

/** The spec that falls to a name; undefined where no pattern fits. @throws InputError if two patterns fit equally well */
export function findInMix(mix: MixSpec, name: string): MatrixSpec | undefined {
  if (mix.entries.length === 0) throw createUnknownMixError(mix.hash);
  const fitting = mix.entries.filter(({ pattern }) => fits(pattern, name));
  const most = Math.max(...fitting.map(({ pattern }) => rankPattern(pattern)));
  const [best, ...others] = fitting.filter(({ pattern }) => rankPattern(pattern) === most);
  const other = others.find(({ spec }) => JSON.stringify(spec) !== JSON.stringify(best.spec));
  if (other !== undefined) {
    throw new InputError(
      `The mix is not clear on ${name}: "${best.pattern}" and "${other.pattern}" fit it equally well; name it in full.`,
    );
  }
  return best?.spec;
}

/** Whether a pattern fits a name; `default` fits every name, and is the last choice. */
export function fits(pattern: string, name: string): boolean {
  if (pattern === defaultPattern) return true;
  // By hand, since a regular expression of many stars can take forever.
  let [p, n, star, resume] = [0, 0, -1, 0];
  while (n < name.length) {
    if (pattern[p] === "*") [star, resume, p] = [p, n, p + 1];
    else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === name[n])) [p, n] = [p + 1, n + 1];
    else if (star >= 0) [p, n, resume] = [star + 1, resume + 1, resume + 1];
    else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** The name that a pattern misses by least, for hints; undefined if it is near none. */
export function findNearestFit(pattern: string, names: readonly string[]): string | undefined {
  if (!/[*?]/.test(pattern)) return findNearest(pattern, names);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(pattern.replace(/[*?]/g, "").length / 3)) + 1;
  for (const name of names) {
    const distance = countEdits(pattern, name);
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

/** Edits of a pattern's letters until it fits a name. */
function countEdits(pattern: string, name: string): number {
  let row = Array.from({ length: name.length + 1 }, (_, j) => j);
  for (const letter of pattern) {
    const next = [letter === "*" ? row[0] : row[0] + 1];
    for (let j = 1; j <= name.length; j++) {
      const isSame = letter === "?" || letter === name[j - 1];
      next[j] =
        letter === "*"
          ? Math.min(row[j], next[j - 1])
          : Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (isSame ? 0 : 1));
    }
    row = next;
  }
  return row[name.length];
}

/** How closely a pattern describes what fits it: by its letters, and of as many by how few wildcards it has. */
function rankPattern(pattern: string): number {
  if (pattern === defaultPattern) return -1;
  const letters = pattern.replace(/[*?]/g, "").length;
  return letters - (pattern.length - letters) / 1e6;
}

function createUnknownMixError(hash: string): InputError {
  return new InputError(`mix:${hash} names a mix by its content alone; give its file, as in mix:mix.json.`);
}

function parseMap(text: string, where: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`mix ${where} is not JSON: ${(error as Error).message}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new InputError(`mix ${where}: expected a map from patterns to specs, such as {"default": "nf4:b64"}`);
  }
  const keys = new Set<string>();
  for (const key of listKeys(text)) {
    if (keys.has(key)) {
      throw new InputError(`mix ${where} has the pattern ${JSON.stringify(key)} twice; keep one of them`);
    }
    keys.add(key);
  }
  const count = keys.size;
  if (count === 0) throw new InputError(`mix ${where} is empty; give at least {"default": "nf4:b64"}`);
  if (count > maxEntries) throw new InputError(`mix ${where} has ${count} patterns; at most ${maxEntries} are read`);
  return json as Record<string, unknown>;
}

/** The keys of the outermost map of a text that is JSON, repeated ones too: JSON.parse keeps but the last of them. */
function* listKeys(text: string): Generator<string> {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "{" || text[i] === "[") depth++;
    else if (text[i] === "}" || text[i] === "]") depth--;
    else if (text[i] === '"') {
      const start = i++;
      while (text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      let next = i + 1;
      while (/\s/.test(text[next])) next++;
      if (depth === 1 && text[next] === ":") yield JSON.parse(text.slice(start, i + 1));
    }
  }
}

function parseEntry(text: string, where: string, parse: Parse): MatrixSpec {
  if (/^\s*mix:/.test(text)) throw new InputError(`${where} is itself a mix; write its specs out`);
  try {
    return parse(text) as MatrixSpec;
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${where}: ${error.message}`) : error;
  }
}

function formatEntries(entries: readonly MixEntry[], format: Format): string {
  return JSON.stringify(Object.fromEntries(entries.map(({ pattern, spec }) => [pattern, format(spec)])));
}

/** `default` first, then by code units, as every machine sorts them. */
function compare(a: string, b: string): number {
  if (a === defaultPattern || b === defaultPattern) return a === b ? 0 : a === defaultPattern ? -1 : 1;
  return a < b ? -1 : 1;
}
