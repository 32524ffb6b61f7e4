// kbit compare: the sentence first, one JSON document, models one by one, and what is refused.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { addCompareCommand } from "../../src/cli/compare.ts";

const books = fileURLToPath(new URL("../../models/books/", import.meta.url));
const model = join(books, "books-0.2m");
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-compare-"));
  writeFileSync(join(folder, "text.txt"), "It was near the close of the year, and the house was still. ".repeat(60));
  const rows = [
    { goal: "Open a door", sol1: "turn the handle.", sol2: "eat it.", label: 0 },
    { goal: "Light a fire", sol1: "with water.", sol2: "with a match.", label: 1 },
  ];
  writeFileSync(join(folder, "piqa.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command in this process. @throws InputError as the command does */
async function run(...args: string[]): Promise<string> {
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const program = new Command().exitOverride();
    addCompareCommand(program);
    const words = args.map((arg) => arg.replace("TMP", folder));
    await program.parseAsync(["compare", model, ...words, "--threads", "1"], { from: "user" });
    return written.join("");
  } finally {
    write.mockRestore();
  }
}

test("a model at few bits is said to be worse than itself, first of all", async () => {
  const out = await run("--spec", "int3:b64", "--text", "TMP/text.txt", "--window", "64");
  const [first] = out.split("\n");
  expect(first).toMatch(/books-0\.2m at int3:b64 is worse than .*books-0\.2m here: its perplexity is \d\.\d{4} times/);
  expect(out).toMatch(/same likeliest token, % +\d+\.\d{3} {2}± /);
});

test("--json is one document with text and tasks, and a model is equal to itself at its own width", async () => {
  const out = JSON.parse(
    await run(model, "--text", "TMP/text.txt", "--limit", "3", "--tasks", "piqa", "--data", "TMP", "--json"),
  );
  expect(out.verdict).toMatch(/^Whether .* cannot be told here: .* in 3 windows, too few for an error/);
  expect(out.text).toMatchObject({ tokens: out.text.windows * 255, ratio: { value: 1 }, divergence: { max: 0 } });
  expect(out.tasks.piqa).toMatchObject({
    documents: 2,
    changedAnswers: 0,
    accuracies: { acc: { flips: 0, pValue: 1 } },
  });
  expect(out.base.spec).toBe("stored");
  expect(out.profile).toBe("lm-eval-0.4.9.2");
  const hash = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  expect(out.text.sha256).toBe(hash("text.txt"));
  expect(out.data).toEqual({ piqa: [{ file: join(folder, "piqa.jsonl"), sha256: hash("piqa.jsonl") }] });
});

test("one window is one, and nothing is concluded from it", async () => {
  const out = await run("--spec", "int3:b64", "--text", "TMP/text.txt", "--window", "64", "--limit", "1");
  expect(out).toMatch(/^Whether .* is worse than .* cannot be told here: .* in 1 window, too few/);
  expect(out).toContain("63 tokens in 1 window\n");
});

test("the base's own spec is used", async () => {
  const args = ["--base-spec", "int3:b64", "--text", "TMP/text.txt", "--limit", "4", "--json"];
  const out = JSON.parse(await run(model, ...args));
  expect([out.base.spec, out.other.spec]).toEqual(["int3:b64", "stored"]);
  expect(out.text.ratio.value).toBeLessThan(1);
});

test("what cannot be compared is refused in a sentence", async () => {
  await expect(run("--spec", "int4:b64")).rejects.toThrow(/--text FILE, --tasks NAMES, or both/);
  await expect(run("--text", "TMP/text.txt")).rejects.toThrow(/nothing to compare/);
  await expect(run(model, "--text", "TMP/no.txt")).rejects.toThrow(/There is no file/);
  const stories = fileURLToPath(new URL("../fixtures/models/stories260k", import.meta.url));
  await expect(run(stories, "--text", "TMP/text.txt")).rejects.toThrow(/do not read this text as the same tokens/);
});
