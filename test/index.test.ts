// The two entries of the package: what they reach, what they export, and that package.json points to them.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import * as browser from "../src/index.ts";
import * as node from "../src/node.ts";
import { walkImports } from "./reach.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);

test("index.ts reaches no module of Node and only packages that browsers can run", () => {
  const { files, packages } = walkImports(new URL("../src/index.ts", import.meta.url));
  expect(files.size).toBeGreaterThan(50);
  expect([...packages].sort()).toEqual([
    "@huggingface/tokenizers",
    "@observablehq/plot",
    "linkedom",
    "ml-levenberg-marquardt",
  ]);
  expect([...packages].filter((name) => name.startsWith("node:") || builtinModules.includes(name))).toEqual([]);
  expect([...files].filter((path) => /node\.ts$|\/(cli|study)\//.test(path))).toEqual([]);
});

test("node.ts reaches what index.ts does not: the walk sees Node's modules where they are", () => {
  const { packages } = walkImports(new URL("../src/node.ts", import.meta.url));
  for (const name of ["node:fs", "node:sqlite", "node:worker_threads", "kysely"]) expect(packages).toContain(name);
});

test("node.ts has everything of index.ts; kernels are chosen there with what only Node has", () => {
  const own = ["selectKernels", "checkKernelSets"];
  const [all, shared]: Record<string, unknown>[] = [{ ...node }, { ...browser }];
  for (const [name, value] of Object.entries(shared)) {
    if (own.includes(name)) expect(all[name]).not.toBe(value);
    else expect(all[name]).toBe(value);
  }
  expect(Object.keys(all)).toEqual(expect.arrayContaining(own));
  expect(browser).not.toHaveProperty("openCheckpoint");
});

test("package.json's exports lead Node to node.js and others to index.js, with all of their names", async () => {
  const script = `
    import * as node from "kbit";
    import * as browser from "kbit/browser";
    console.log(JSON.stringify([node, browser].map((module) => Object.keys(module))));`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], { cwd: root });
  const sorted = (names: string[]) => [...names].sort();
  const [nodeNames, browserNames] = JSON.parse(stdout);
  expect(sorted(nodeNames)).toEqual(sorted(Object.keys(node)));
  expect(sorted(browserNames)).toEqual(sorted(Object.keys(browser)));
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(exports["."].default).toBe(exports["./browser"].default);
});

test("the types of both entries serve a strict TypeScript program", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kbit-types-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/kbit"));
  writeFileSync(
    join(folder, "program.mts"),
    `
    import { openCheckpoint, type PerplexityResult, type QuantizedSpec, quantize, type ResultRow } from "kbit";
    import * as browser from "kbit/browser";
    const spec: QuantizedSpec = { ...(browser.parseSpec("nf4:b64") as QuantizedSpec) };
    export const codes: Uint8Array = quantize(new Float32Array(64), [1, 64], spec).codes;
    export const open: Promise<browser.Checkpoint> = openCheckpoint("model");
    export const read = (row: ResultRow, result: PerplexityResult): number => row.bits.total + result.perplexity;
    // @ts-expect-error paths are Node's
    browser.openCheckpoint("model");
    // @ts-expect-error codes are no text
    export const wrong: string = quantize(new Float32Array(64), [1, 64], spec).codes;
    `,
  );
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "--strict", "--target", "es2024", "--lib", "es2024,esnext.float16,dom", "--types", ""];
  for (const resolution of [
    ["--module", "nodenext"],
    ["--module", "preserve", "--moduleResolution", "bundler"],
  ]) {
    const args = [tsc, ...options, ...resolution, "program.mts"];
    const { stdout } = await run(process.execPath, args, { cwd: folder }).catch((error) => error);
    expect(stdout).toBe("");
  }
});
