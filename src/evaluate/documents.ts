// A task's documents: one JSON object a line, checked field by field before anything is computed.
// The files come from anywhere; each complaint names file, line and field.

import { InputError } from "../input-error.ts";

/**
 * What a field must hold: `text`; `texts`, a list of at least two; `index`, a whole number from 0 as a number or in
 * digits, as the harness's own files mix them; `value`, a text, number or boolean, read as text; `labelled`, choices as ARC
 * has them, `{ "text": [..], "label": [..] }`, as long as each other.
 */
export type FieldKind = "text" | "texts" | "index" | "value" | "labelled";

/** Choices and the label of each. */
export interface LabelledTexts {
  readonly text: readonly string[];
  readonly label: readonly string[];
}

interface FieldTypes {
  readonly text: string;
  readonly texts: readonly string[];
  readonly index: number;
  readonly value: string;
  readonly labelled: LabelledTexts;
}

/** Names and kinds of the fields that a task reads. */
export type Fields = Readonly<Record<string, FieldKind>>;

/** A checked document of the given fields. */
export type Document<F extends Fields = Fields> = {
  readonly [K in keyof F]: FieldTypes[F[K]];
};

/**
 * Reads JSON Lines; blank lines are skipped, fields that are not asked for are ignored.
 *
 * @param text - the file's text
 * @param fields - the fields that each document must have
 * @param source - the file's name, for messages
 * @param limit - only the first so many documents; the rest is not looked at
 * @param check - called with each document and its file and line
 * @throws InputError naming the line if it is not a JSON object or a field is missing or of another kind, or if the
 *   file holds no document
 */
export function parseDocuments<F extends Fields>(
  text: string,
  fields: F,
  source: string,
  limit = Number.POSITIVE_INFINITY,
  check?: (document: Document<F>, where: string) => void,
): Document<F>[] {
  const documents: Document<F>[] = [];
  let line = 0;
  for (let start = 0; start < text.length && documents.length < limit; line++) {
    const found = text.indexOf("\n", start);
    const end = found < 0 ? text.length : found;
    const row = text.slice(start, end).trim();
    start = end + 1;
    if (row === "") continue;
    const where = `${source}, line ${line + 1}`;
    const document = parseDocument(row, fields, where);
    check?.(document, where);
    documents.push(document);
  }
  if (documents.length === 0) {
    throw new InputError(`${source} holds no documents; expected one JSON object a line with ${listFields(fields)}.`);
  }
  return documents;
}

function parseDocument<F extends Fields>(row: string, fields: F, where: string): Document<F> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(row);
  } catch (error) {
    throw new InputError(`${where} is not JSON (${(error as Error).message}); expected one object a line.`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new InputError(`${where} is not a JSON object; expected one with ${listFields(fields)}.`);
  }
  const checked: Record<string, FieldTypes[FieldKind]> = Object.create(null);
  for (const [name, kind] of Object.entries(fields)) {
    if (!Object.hasOwn(parsed, name)) {
      const there = Object.keys(parsed);
      throw new InputError(`${where} has no field "${name}"; it has ${listNames(there)}.`);
    }
    checked[name] = readField((parsed as Record<string, unknown>)[name], kind, () => `${where}, field "${name}"`);
  }
  return checked as Document<F>;
}

function readField(value: unknown, kind: FieldKind, where: () => string): FieldTypes[FieldKind] {
  if (kind === "text" && typeof value === "string") return checkText(value, where);
  if (kind === "value" && typeof value === "string") return checkText(value, where);
  if (kind === "value" && (typeof value === "number" || typeof value === "boolean")) return String(value);
  if (kind === "index") {
    const index = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
    if (typeof index === "number" && Number.isSafeInteger(index) && index >= 0) return index;
  }
  if (
    kind === "texts" &&
    Array.isArray(value) &&
    value.length >= 2 &&
    value.every((item) => typeof item === "string")
  ) {
    return value.map((item) => checkText(item, where));
  }
  if (kind === "labelled" && typeof value === "object" && value !== null) {
    const { text, label } = value as { text?: unknown; label?: unknown };
    const read = (part: unknown) => readField(part, "texts", where) as readonly string[];
    if (Array.isArray(text) && Array.isArray(label) && text.length === label.length) {
      return { text: read(text), label: read(label) };
    }
  }
  throw new InputError(`${where()} should be ${kindNames[kind]}, not ${showValue(value)}.`);
}

const kindNames: Readonly<Record<FieldKind, string>> = {
  text: "a text",
  texts: "a list of at least two texts",
  index: "a whole number from 0",
  value: "a text, a number or a boolean",
  labelled: 'an object with a list "text" and a list "label", one for each',
};

function checkText(text: string, where: () => string): string {
  if (!text.isWellFormed())
    throw new InputError(`${where()} holds half a surrogate pair, which no tokenizer can encode.`);
  return text;
}

/** Names in a message, of many the first. */
export function listNames(names: readonly string[]): string {
  if (names.length === 0) return "none";
  return `${names.slice(0, 20).map(showValue).join(", ")}${names.length > 20 ? ", .." : ""}`;
}

/** A value in a message, cut short. */
export function showValue(value: unknown): string {
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
}

function listFields(fields: Fields): string {
  return listNames(Object.keys(fields));
}
