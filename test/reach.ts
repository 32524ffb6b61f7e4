// What a module of src/ reaches: files, packages and Node's modules, over imports and re-exports that stay after types
// are stripped.

import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";

/** Everything that importing a module loads. */
export interface Reach {
  /** Paths of the project's files. */
  readonly files: ReadonlySet<string>;
  /** Bare names: packages, and Node's own modules. */
  readonly packages: ReadonlySet<string>;
}

/** Walks the imports of a file, static and dynamic, through all of the project's files. */
export function walkImports(entry: URL): Reach {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (url: URL) => {
    const path = fileURLToPath(url);
    if (files.has(path)) return;
    files.add(path);
    const code = stripTypeScriptTypes(readFileSync(path, "utf8"));
    for (const [, name] of code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g)) {
      if (name.startsWith(".")) visit(new URL(name, url));
      else packages.add(name);
    }
  };
  visit(entry);
  return { files, packages };
}
