// The import directions of the design, held: each folder imports only what stands before it in the line.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../src", import.meta.url));

// input-error.ts is a leaf that everything may import.
const allowed: Record<string, string[]> = {
  tensor: [],
  "input-error": [],
  result: [],
  "language-model": [],
  quantize: ["tensor"],
  checkpoint: ["tensor", "quantize"],
  kernels: ["tensor", "quantize"],
  model: ["tensor", "quantize", "kernels", "checkpoint", "language-model", "result"],
  evaluate: ["language-model", "result"],
  study: ["tensor", "quantize", "kernels", "checkpoint", "model", "evaluate", "language-model", "result"],
  scaling: ["result"],
  report: ["scaling", "result"],
  ui: ["checkpoint", "study", "scaling", "report", "result"],
};

const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.includes("assembly/"))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

const importsOf = (text: string) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map((match) => match[1]);

const partOf = (path: string) => path.split("/")[0].replace(/\.ts$/, "");

test("every folder imports only what the design allows it", () => {
  const wrong: string[] = [];
  for (const { path, text } of files) {
    const rule = allowed[partOf(path)];
    if (!rule) continue; // cli/, index.ts, node.ts import everything
    for (const target of importsOf(text).filter((name) => name.startsWith("."))) {
      const part = partOf(relative(root, normalize(join(root, dirname(path), target))));
      if (part !== partOf(path) && part !== "input-error" && !rule.includes(part))
        wrong.push(`${path} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("Node's own modules appear only where the file's name or folder says so", () => {
  const wrong = files
    .filter(({ path }) => !/^(cli|study)\//.test(path) && !/node\.ts$/.test(path))
    .filter(({ text }) => importsOf(text).some((name) => name.startsWith("node:")))
    .map(({ path }) => path);
  expect(wrong).toEqual([]);
});

test("no file is part of an import cycle", () => {
  const edges = new Map(
    files.map(({ path, text }) => [
      path,
      // Types vanish at compile time, but a cycle of types is a cycle of thought all the same.
      importsOf(text)
        .filter((name) => name.startsWith("."))
        .map((name) => relative(root, normalize(join(root, dirname(path), name)))),
    ]),
  );
  const done = new Set<string>();
  const visit = (path: string, trail: string[]): string[] | undefined => {
    if (trail.includes(path)) return [...trail.slice(trail.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of edges.get(path) ?? []) {
      const cycle = visit(next, [...trail, path]);
      if (cycle) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of edges.keys()) expect(visit(path, [])).toBeUndefined();
});
