// kbit generate: text on standard output, one JSON document with --json, and sentences for bad input.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { expect, test, vi } from "vitest";
import { addGenerateCommand } from "../../src/cli/generate.ts";
import { InputError } from "../../src/input-error.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const stories = "test/fixtures/models/stories260k";

function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const command = [join(root, "src/cli/kbit.ts"), "generate", ...args];
    execFile(process.execPath, command, { cwd: root }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

const prompt = "Once upon a time, there was a little girl named Lily. She";

test("writes the prompt and what the model writes on, and the speed on standard error", async () => {
  const { code, out, err } = await run(stories, "--prompt", prompt, "--max-tokens", "12");
  expect(out).toBe(`${prompt} loved to play outside in the p\n`);
  expect(err).toMatch(/^12 tokens after \d+ of prompt, [\d.]+ tokens\/s \(stored, [\w-]+\)\n$/);
  expect(code).toBe(0);
});

test("with --json gives one document: text, tokens and how they were chosen", async () => {
  const args = ["--temperature", "0.7", "--top-k", "20", "--top-p", "0.9", "--min-p", "0.05", "--seed", "5"];
  const { code, out, err } = await run(stories, "--spec", "int6:b64", "--max-tokens", "8", "--json", ...args);
  const document = JSON.parse(out);
  expect(document).toMatchObject({ model: stories, spec: "int6:b64", prompt: "", promptTokens: 1 });
  expect(document.sampling).toEqual({ maxTokens: 8, temperature: 0.7, topK: 20, topP: 0.9, minP: 0.05, seed: 5 });
  expect(document.tokens).toHaveLength(8);
  expect(document.text.length).toBeGreaterThan(8);
  expect([code, err]).toEqual([0, ""]);
});

test("says that --top-p and its like do nothing without a temperature", async () => {
  const short = [stories, "--prompt", prompt, "--max-tokens", "2"];
  const { out, err } = await run(...short, "--top-p", "0.5", "--top-k", "3");
  expect(out).toBe((await run(...short)).out);
  expect(err.split("\n")[0]).toBe("Note: --top-k and --top-p do nothing at temperature 0; give --temperature too.");
});

test.each([
  [["--temperature", "hot"], '--temperature takes a number, not "hot".'],
  [["--temperature", "1", "--top-p", "3"], "--top-p is 3; a number above 0, at most 1 is expected."],
  [["--temperature", "-1"], "--temperature is -1; a number from 0 is expected."],
  [["--repetition-penalty", "0"], "--repetition-penalty is 0; a number above 0 is expected."],
  [["--max-tokens", "0"], '--max-tokens takes a whole number of at least 1, not "0".'],
  [["--prompt", "a ".repeat(600)], "The prompt has 602 tokens; the model takes at most 512."],
  [["--spec", "int9"], "int9"],
  [["--system", "Be brief."], "--system belongs to --chat."],
  [["--chat", "--prompt", "Hi"], "has no chat template: it was not trained to chat; leave out --chat."],
])("%# is refused in a sentence", async (args, sentence) => {
  const write = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    const program = new Command().exitOverride();
    addGenerateCommand(program);
    const parsed = program.parseAsync(["generate", join(root, stories), ...args], { from: "user" });
    await expect(parsed).rejects.toThrow(InputError);
    await expect(parsed).rejects.toThrow(sentence);
    expect(write).not.toHaveBeenCalled();
  } finally {
    write.mockRestore();
  }
});
