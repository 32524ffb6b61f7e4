// YAML (and so JSON) as values that know where in their file they stand.

import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { InputError } from "../input-error.ts";
import type { ValuePath } from "./study-problems.ts";

/** What a file says. */
export interface YamlFile {
  /** Its values; null if it is empty. */
  readonly values: unknown;
  /** `FILE:LINE:COLUMN` of a value (`onKey`: of its key); for one that is missing, of what encloses it. */
  locate(path: ValuePath, onKey?: boolean): string;
}

/** Reads a file. @throws InputError `FILE:LINE:COLUMN: ..` if it is no YAML, or its aliases multiply beyond all measure */
export function readYaml(text: string, fileName: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${fileName}:${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken) throw new InputError(`${at(broken.pos[0])}: ${broken.message.replace(/\.?$/, ".")}`);
  return {
    values: toValues(document, fileName),
    locate: (path, onKey = false) => at(findOffset(document, path, onKey)),
  };
}

function toValues(document: Document, fileName: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new InputError(`${fileName}: ${(error as Error).message}; write the values out.`);
  }
}

function findOffset(document: Document, path: ValuePath, onKey: boolean): number {
  const parent = document.getIn(path.slice(0, -1), true);
  const key = onKey && isMap(parent) && parent.items.find(({ key }) => isScalar(key) && key.value === path.at(-1))?.key;
  if (isNode(key) && key.range) return key.range[0];
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
