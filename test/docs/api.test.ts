// The examples of docs/api.md, run as programs of a user who installed the package, print what the page says.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readExamples } from "./examples.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kbit-api-"));
const examples = readExamples("api").filter(({ language }) => language === "ts");

beforeAll(() => {
  if (!existsSync(join(root, "dist/node.js"))) throw new Error("dist/node.js is missing; run npm run build");
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/kbit"));
  symlinkSync(join(root, "models"), join(folder, "models"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("there are three", () => {
  expect(examples).toHaveLength(3);
});

test.each(examples)("$title: prints what the page says", async ({ title, code, output }) => {
  const file = join(folder, `${title.replaceAll(" ", "-")}.mts`);
  writeFileSync(file, code);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [file], { cwd: folder });
  expect(stderr).toBe("");
  expect(stdout).toBe(output);
});

test("the study's example leaves a report", () => {
  expect(readFileSync(join(folder, "report.html"), "utf8")).toMatch(/^<!doctype html>/);
});

test("the examples are strict TypeScript", async () => {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const files = examples.map(({ title }) => `${title.replaceAll(" ", "-")}.mts`);
  const types = ["--types", "node", "--typeRoots", join(root, "node_modules/@types")];
  const options = [
    "--noEmit",
    "--strict",
    "--target",
    "es2024",
    "--lib",
    "es2024,esnext.float16,dom",
    "--module",
    "nodenext",
  ];
  const args = [tsc, ...options, ...types, "--skipLibCheck", ...files];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch((error) => error);
  expect(stdout).toBe("");
});
