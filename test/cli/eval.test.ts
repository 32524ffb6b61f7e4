// kbit eval: what stands on standard output, and what is refused. Once as a process, with exit codes; the rest in this one.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { addEvalCommand } from "../../src/cli/eval.ts";
import { InputError } from "../../src/input-error.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const model = join(root, "models/books/books-0.2m");
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-eval-"));
  const write = (name: string, rows: readonly object[]) =>
    writeFileSync(join(folder, name), rows.map((row) => JSON.stringify(row)).join("\n"));
  writeFileSync(join(folder, "text.txt"), "It was near the close of the year, and the house was still. ".repeat(40));
  writeFileSync(join(folder, "empty.txt"), "");
  writeFileSync(join(folder, "bytes.txt"), Uint8Array.of(0xff, 0xfe, 0x41));
  write("piqa.jsonl", [
    { goal: "Open a door", sol1: "turn the handle.", sol2: "eat it.", label: 0 },
    { goal: "Light a fire", sol1: "with water.", sol2: "with a match.", label: 1 },
  ]);
  write("winogrande_xl.jsonl", [
    { sentence: "The man saw the boy when _ came.", option1: "the man", option2: "the boy", answer: "3" },
  ]);
  write("lambada_openai.jsonl", [{ text: "He said that it was his" }, { text: "She went to the door" }]);
  writeFileSync(
    join(folder, "quiz.json"),
    JSON.stringify({
      name: "quiz",
      version: "3",
      kind: "choice",
      files: "piqa.jsonl",
      context: "{{goal}}:",
      choices: ["{{sol1}}", "{{sol2}}"],
      gold: "{{label}}",
    }),
  );
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
    addEvalCommand(program);
    await program.parseAsync(["eval", model, ...args.map((arg) => arg.replace("TMP", folder))], { from: "user" });
    return written.join("");
  } finally {
    write.mockRestore();
  }
}

test("as a process it writes one JSON document, or one sentence and exit code 2", async () => {
  const start = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const command = ["src/cli/kbit.ts", "eval", model, "--text", ...args];
      execFile(process.execPath, command, { cwd: root }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });
  const good = await start(join(folder, "text.txt"), "--limit", "1", "--json");
  expect([good.code, good.err]).toEqual([0, ""]);
  expect(JSON.parse(good.out).tokens).toBe(255);
  const bad = await start(join(folder, "empty.txt"));
  expect([bad.code, bad.out]).toEqual([2, ""]);
  expect(bad.err).toBe("kbit: The text is empty, so it has no perplexity; give a text with at least two tokens.\n");
});

test("--text with --json gives one document with everything that a row needs", async () => {
  const out = await run("--text", join(folder, "text.txt"), "--window", "64", "--limit", "3", "--json");
  const result = JSON.parse(out);
  expect(result).toMatchObject({
    spec: "stored",
    convention: "windows-64-stride-64",
    tokens: 189,
    limit: 3,
    bitsPerParameter: 16,
  });
  expect(result.perplexity).toBe(Math.exp(result.nll));
  expect(result.bitsPerByte).toBeGreaterThan(0);
  expect(result.totalModelBits).toBe(16 * result.parameters);
  expect(result.windows).toHaveLength(3);
});

test("a spec quantizes first: fewer bits, another perplexity, the canonical spec", async () => {
  const out = await run("--spec", "int4:b64", "--text", join(folder, "text.txt"), "--limit", "1", "--json");
  const result = JSON.parse(out);
  expect(result.spec).toBe("int4:b64");
  expect(result.bitsPerParameter).toBeLessThan(16);
});

test("without --json a person reads a table", async () => {
  const out = await run("--text", join(folder, "text.txt"), "--window", "64");
  expect(out).toMatch(/perplexity +\d+\.\d{4} +± \d+\.\d{4}/);
  expect(out).toMatch(/windows-64-stride-64, \d+ tokens scored/);
});

test("tasks are printed as lm-eval prints them, a task file among them", async () => {
  const out = await run(
    "--tasks",
    `piqa,lambada_openai,${join(folder, "quiz.json")}`,
    "--data",
    folder,
    "--profile",
    "0.3",
  );
  expect(out).toMatch(/^\| {4}Tasks {5}\|Version\|Filter\|n-shot\| {2}Metric {2}\|/);
  expect(out).toMatch(/\|quiz {10}\| {6}3\|none {2}\| {5}0\|acc {7}\|↑ {2}\|/);
  expect(out).toMatch(/mean acc \d\.\d{4} .* over 3 tasks/);
  expect(out).toContain("lm-eval-0.3");
});

test("tasks with --json give metrics with errors and the mean over tasks", async () => {
  const out = await run("--tasks", "piqa", "--data", join(folder, "piqa.jsonl"), "--json");
  const result = JSON.parse(out);
  expect(result.profile).toBe("lm-eval-0.4.9.2");
  expect(result.results.piqa).toMatchObject({ version: "1", documents: 2, chance: 0.5 });
  expect(result.results.piqa.metrics.acc.n).toBe(2);
  expect(result.meanAccuracy.value).toBe(result.results.piqa.metrics.acc.value);
  expect(Object.keys(result)).toContain("totalModelBits");
});

test("--output writes lm-eval's result JSON beside what is printed", async () => {
  const file = join(folder, "results.json");
  await run("--tasks", "piqa,lambada_openai", "--data", folder, "--limit", "1", "--output", file);
  const { results, versions, ...rest } = JSON.parse(readFileSync(file, "utf8"));
  expect(results.piqa).toMatchObject({ alias: "piqa", sample_len: 1, "acc_stderr,none": "N/A" });
  expect(versions).toEqual({ piqa: 1, lambada_openai: 1 });
  expect(rest["n-samples"]).toEqual({
    piqa: { original: 2, effective: 1 },
    lambada_openai: { original: 2, effective: 1 },
  });
});

test("a task may be a program, whose task and prompts are checked", async () => {
  const write = (name: string, prompt: string, more = "") =>
    writeFileSync(
      join(folder, name),
      `interface Row { goal: string; sol1: string }
      export default { name: "shout", version: "2", files: ["piqa.jsonl"], kind: "continuation",
        fields: { goal: "text", sol1: "text" }, metrics: ["acc", "perplexity"], ${more} prompt: (row: Row) => (${prompt}) };`,
    );
  write("shout.ts", "{ context: row.goal.toUpperCase(), continuation: row.sol1 }");
  const { results } = JSON.parse(await run("--tasks", join(folder, "shout.ts"), "--data", "TMP", "--json"));
  expect(results.shout).toMatchObject({ version: "2", documents: 2, metrics: { acc: { n: 2 } } });
  const refused = async (name: string) => {
    const attempt = run("--tasks", join(folder, name), "--data", "TMP");
    await expect(attempt).rejects.toThrow(InputError);
    return attempt.then(String, (error: Error) => error.message.replaceAll(join(folder, "/"), ""));
  };
  write("half.ts", "{ context: row.goal }");
  expect(await refused("half.ts")).toMatch(/^piqa.jsonl, line 1 cannot be used: half.ts makes no continuation/);
  write("throws.ts", "row.goals.toUpperCase()");
  expect(await refused("throws.ts")).toMatch(/throws.ts fails at it \(Cannot read properties of undefined/);
  write("metric.ts", "row", 'metrics: ["acc_norm"],');
  expect(await refused("metric.ts")).toBe(
    "metric.ts: a continuation task has the metrics acc, perplexity, not acc_norm.",
  );
  writeFileSync(join(folder, "broken.ts"), "export default {");
  expect(await refused("broken.ts")).toMatch(/^broken.ts cannot be run as a task: /);
  for (const [value, shown] of Object.entries({ 3: "3", null: "null", "[1]": "[1]", "() => 3": "a function" })) {
    writeFileSync(join(folder, `export-${shown}.ts`), `export default ${value};`);
    expect(await refused(`export-${shown}.ts`)).toBe(
      `export-${shown}.ts exports ${shown}, not a task; expected an object with name, version, files, kind, fields, metrics, prompt.`,
    );
  }
  writeFileSync(join(folder, "import.ts"), 'import { defineTask } from "kbit";\nexport default defineTask({});');
  expect(await refused("import.ts")).toMatch(
    /^import\.ts cannot be run as a task: Cannot find package 'kbit'.*\. The package is found from folders where kbit is installed; elsewhere, .* "import type"\.$/,
  );
  writeFileSync(join(folder, "nothing.ts"), "");
  expect(await refused("nothing.ts")).toBe("nothing.ts has no default export; expected a task.");
});

test("documents are read from Parquet, and the files are recorded by their hashes", async () => {
  const parquet = join(root, "test/fixtures/parquet");
  const score = async (...args: string[]) => JSON.parse(await run("--tasks", "hellaswag,piqa", ...args, "--json"));
  const fromParquet = await score("--data", parquet, "--limit", "3");
  const fromLines = await score("--data", join(root, "test/fixtures/evaluation"), "--limit", "3");
  expect(fromParquet.results).toEqual(fromLines.results);
  const sha256 = createHash("sha256")
    .update(readFileSync(join(parquet, "piqa.parquet")))
    .digest("hex");
  expect(fromParquet.data.piqa).toEqual([{ file: join(parquet, "piqa.parquet"), sha256 }]);
});

test("--column reads each row's text as a document of its own", async () => {
  const texts = ["It was a dark night, and the rain fell.\n", "She went to the door. ".repeat(70)];
  const lines = texts.map((text, i) => JSON.stringify({ id: i, text }));
  writeFileSync(join(folder, "rows.jsonl"), lines.join("\n"));
  writeFileSync(join(folder, "first.txt"), texts[0]);
  const { results, data } = JSON.parse(await run("--text", "TMP/rows.jsonl", "--column", "text", "--json"));
  expect(results.rows).toMatchObject({ documents: 2, version: "1" });
  expect(data.rows[0].sha256).toMatch(/^[0-9a-f]{64}$/);
  const single = await run("--text", "TMP/rows.jsonl", "--column", "text", "--limit", "1", "--json");
  const whole = JSON.parse(await run("--text", "TMP/first.txt", "--convention", "rolling", "--json"));
  const { metrics } = JSON.parse(single).results.rows;
  expect(metrics.word_perplexity.value).toBeCloseTo(whole.wordPerplexity, 8);
  expect(metrics.byte_perplexity.value).toBeCloseTo(whole.bytePerplexity, 10);
  expect(results.rows.metrics.bits_per_byte.value).toBeLessThan(metrics.bits_per_byte.value);
});

test.each([
  [[], /either --text FILE or --tasks NAMES/],
  [["--text", "TMP/missing.txt"], /There is no file .*missing\.txt/],
  [["--text", "TMP"], /is not a file; expected a text file/],
  [["--text", "TMP/empty.txt"], /text is empty/],
  [["--text", "TMP/bytes.txt"], /bytes\.txt is not UTF-8 text/],
  [["--text", "TMP/text.txt", "--window", "512"], /window 512 is more than 256, the maximum length/],
  [["--text", "TMP/text.txt", "--limit", "0"], /--limit takes a whole number of at least 1, not "0"/],
  [["--text", "TMP/text.txt", "--convention", "gtpq"], /did you mean "gptq"/],
  [
    ["--text", "TMP/text.txt", "--profile", "0.3"],
    /--profile goes with --tasks, or with --text and --convention rolling/,
  ],
  [["--text", "TMP/text.txt", "--spec", "int9"], /int/],
  [["--tasks", "pica", "--data", "TMP"], /no task "pica"; did you mean "piqa"/],
  [["--tasks", "piqa"], /with --data: a folder that holds piqa\.jsonl, or hub/],
  [["--tasks", "hellaswag", "--data", "TMP"], /holds no hellaswag\.jsonl for the task hellaswag/],
  [["--tasks", "piqa,lambada_openai", "--data", "TMP/piqa.jsonl"], /is a file, but there are 2 tasks/],
  [
    ["--tasks", "winogrande", "--data", "TMP"],
    /winogrande_xl\.jsonl, line 1 cannot be used: the field "answer" should be "1" or "2"/,
  ],
  [["--tasks", "piqa,piqa", "--data", "TMP"], /names piqa twice/],
  [
    ["--tasks", "piqa,copa", "--data", "hub:a/b#test"],
    /is one data set, but there are 2 tasks; say --data hub for their/,
  ],
  [["--tasks", "TMP/quiz.json", "--data", "hub"], /quiz has no data set of its own on the Hub; say --data hub:org/],
  [["--tasks", "piqa", "--data", "TMP", "--column", "a"], /--column goes with --text/],
  [["--text", "TMP/piqa.jsonl", "--column", "goals"], /piqa\.jsonl, line 1 has no field "goals"; it has "goal", /],
  [
    ["--text", join(root, "test/fixtures/parquet/piqa.parquet"), "--column", "goals"],
    /piqa\.parquet has no column "goals"; it has "goal", /,
  ],
  [["--text", "TMP/piqa.jsonl", "--column", "goal", "--window", "8"], /--window goes with --text, not with --column/],
  [
    ["--text", join(root, "test/fixtures/parquet/piqa.parquet")],
    /is a Parquet file, not a text; kbit eval --column NAME/,
  ],
  [["--tasks", "piqa", "--data", "TMP", "--output", "TMP"], /--output .* is a folder/],
  [["--tasks", "piqa", "--data", "TMP", "--output", "TMP/none/a.json"], /there is no folder/],
  [["--text", "TMP/text.txt", "--output", "TMP/a.json"], /--output goes with --tasks/],
  [["--tasks", "piqa", "--data", "TMP", "--stride", "3"], /--stride goes with --text/],
])("%j is refused in one sentence", async (args, message) => {
  const attempt = run(...args);
  await expect(attempt).rejects.toThrow(InputError);
  await expect(attempt).rejects.toThrow(message);
});
