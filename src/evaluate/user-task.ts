// A task of the user's own: a small JSON file with templates, so that no program is needed for a new benchmark.
// `{{name}}` in a template is the document's field of that name; there is nothing else to templates.
//
//     { "name": "quiz", "version": "1", "kind": "choice",
//       "context": "Q: {{question}}\nA:", "choices": ["{{yes}}", "{{no}}"], "gold": "{{answer}}" }

import { InputError } from "../input-error.ts";
import { type Document, type FieldKind, showValue } from "./documents.ts";
import { metricsOf } from "./metrics.ts";
import { countBytes, splitAtSpaces } from "./python-text.ts";
import type { RollingPrompt, Task } from "./task.ts";

/** Keys of each kind of task: those that it must have and those that it may have. */
const shapes = {
  choice: { must: ["context", "choices", "gold"], may: ["delimiter"] },
  continuation: { must: ["context", "continuation"], may: [] },
  rolling: { must: ["text"], may: [] },
} as const;

const shared = ["name", "version", "kind", "files"];

/**
 * Reads a task file.
 *
 * - `choice`: the continuations are `delimiter` (a space, if absent) + each of `choices`, a list of templates or one
 *   template `{{field}}` of a field that is a list; `gold` gives the index of the right one from 0, or its text.
 * - `continuation`: `context` and `continuation`, joined without a space.
 * - `rolling`: `text`, whole.
 *
 * @param text - the file's text
 * @param source - its name, for messages
 * @throws InputError if it is not such a task
 */
export function parseTask(text: string, source: string): Task {
  const file = readObject(text, source);
  const kind = file["kind"] as keyof typeof shapes;
  if (typeof kind !== "string" || !Object.hasOwn(shapes, kind)) {
    throw new InputError(
      `${source}: "kind" should be one of ${Object.keys(shapes).join(", ")}, not ${showValue(kind)}.`,
    );
  }
  const allowed: readonly string[] = [...shared, ...shapes[kind].must, ...shapes[kind].may];
  for (const key of Object.keys(file)) {
    if (!allowed.includes(key)) {
      throw new InputError(`${source} has an unknown key "${key}"; a ${kind} task has ${allowed.join(", ")}.`);
    }
  }
  const readText = (key: string, absent?: string): string => {
    const value = Object.hasOwn(file, key) ? file[key] : absent;
    if (typeof value !== "string")
      throw new InputError(`${source}: "${key}" should be a text, not ${showValue(value)}.`);
    return value;
  };
  const name = readText("name");
  if (!/^[\w.-]{1,100}$/.test(name)) {
    throw new InputError(`${source}: "name" should be letters, digits, "_", "-" and ".", not ${showValue(name)}.`);
  }
  const common = { name, version: readText("version"), files: [readText("files", `${name}.jsonl`)] };
  const fields: Record<string, FieldKind> = {};
  const template = (key: string, absent?: string) =>
    compileTemplate(readText(key, absent), fields, `${source}: "${key}"`);

  switch (kind) {
    case "rolling": {
      const fill = template("text");
      return {
        ...common,
        kind,
        fields,
        metrics: metricsOf.rolling,
        prompt: (document) => makeRollingPrompt(fill(document)),
      };
    }
    case "continuation": {
      const context = template("context");
      const continuation = template("continuation");
      return {
        ...common,
        kind,
        fields,
        metrics: metricsOf.continuation,
        prompt: (document) => ({ context: context(document), continuation: continuation(document) }),
      };
    }
    case "choice": {
      const context = template("context");
      const gold = template("gold");
      const delimiter = readText("delimiter", " ");
      const list = compileChoices(file["choices"], fields, source);
      return {
        ...common,
        kind,
        fields,
        metrics: metricsOf.choice,
        prompt(document) {
          const choices = list(document);
          const before = context(document);
          return {
            pairs: choices.map((choice) => ({ context: before, continuation: delimiter + choice })),
            choices,
            gold: findGold(gold(document), choices),
          };
        },
      };
    }
  }
}

/** Perplexity of the texts in one field, each document by itself: what lm-eval's tasks of the Pile measure. */
export function defineColumnTask(name: string, column: string): Task {
  return {
    name,
    version: "1",
    files: [],
    kind: "rolling",
    fields: { [column]: "value" },
    metrics: metricsOf.rolling,
    prompt: (document) => makeRollingPrompt(String(document[column])),
  };
}

function makeRollingPrompt(text: string): RollingPrompt {
  return { text, words: splitAtSpaces(text).length, bytes: countBytes(text) };
}

function readObject(text: string, source: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${source} is not JSON (${(error as Error).message}).`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new InputError(`${source} should be a JSON object that describes a task.`);
  }
  return parsed as Record<string, unknown>;
}

/** A template as a function of the document; the fields that it names are added to `fields`. */
function compileTemplate(
  text: string,
  fields: Record<string, FieldKind>,
  where: string,
): (document: Document) => string {
  const pieces = text.split(/\{\{\s*([A-Za-z_]\w*)\s*\}\}/); // text, field, text, field, .., text
  pieces.forEach((piece, i) => {
    if (i % 2 === 1) addField(fields, piece, "value", where);
    else if (/\{\{|\}\}|\{%/.test(piece)) {
      throw new InputError(`${where} holds ${showValue(piece)}; a template may hold text and {{field}}, nothing else.`);
    }
  });
  return (document) => pieces.map((piece, i) => (i % 2 === 1 ? String(document[piece]) : piece)).join("");
}

function compileChoices(
  value: unknown,
  fields: Record<string, FieldKind>,
  source: string,
): (document: Document) => readonly string[] {
  const where = `${source}: "choices"`;
  if (typeof value === "string") {
    const field = /^\{\{\s*([A-Za-z_]\w*)\s*\}\}$/.exec(value)?.[1];
    if (field) {
      addField(fields, field, "texts", where);
      return (document) => document[field] as readonly string[];
    }
  }
  if (Array.isArray(value) && value.length >= 2 && value.every((item) => typeof item === "string")) {
    const templates = value.map((item) => compileTemplate(item, fields, where));
    return (document) => templates.map((fill) => fill(document));
  }
  throw new InputError(`${where} should be a list of at least two templates or "{{field}}", not ${showValue(value)}.`);
}

function addField(fields: Record<string, FieldKind>, name: string, kind: FieldKind, where: string): void {
  if (Object.hasOwn(fields, name) && fields[name] !== kind) {
    throw new InputError(`${where} uses the field "${name}" as a list and as a text; it can be only one of them.`);
  }
  if (name === "__proto__") throw new InputError(`${where} names a field "__proto__", which cannot be read.`);
  fields[name] = kind;
}

function findGold(answer: string, choices: readonly string[]): number {
  if (/^\d{1,9}$/.test(answer)) return Number(answer);
  const index = choices.indexOf(answer);
  if (index < 0) throw new InputError(`its answer ${showValue(answer)} is neither an index nor one of its choices`);
  return index;
}
