// kbit study run where models do not open: what it says is to be done, by whom, and that status counts the same; its log.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, expect, test, vi } from "vitest";
import { addStudyCommand } from "../../src/cli/study.ts";
import { runInTerminal } from "../../src/cli/study-run.ts";
import { readStatus } from "../../src/study/status.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books", import.meta.url));
const model = join(books, "books-0.2m");
const folder = mkdtempSync(join(tmpdir(), "kbit-study-run-"));
afterAll(() => rmSync(folder, { recursive: true }));
const broken = join(folder, "broken");
cpSync(model, broken, { recursive: true });
writeFileSync(join(broken, "model.safetensors"), "not a model");

test("a study of models that do not open invites no workers, and its failures are counted", async () => {
  const store = await openStore(join(folder, "kbit.db"));
  const run = async (models: string[], isDetached: boolean) => {
    const study = createStudy({ models, specs: ["int4"], text: join(books, "heldout.txt"), window: 16, limit: 1 });
    const written: string[] = [];
    const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(String(text)) > 0);
    const summary = await runInTerminal({ ...study, name: "books" }, store, { isDetached }).finally(() =>
      spy.mockRestore(),
    );
    return { summary, text: written.join("") };
  };
  const none = await run([broken], false);
  expect(none.text).toMatch(/^Nothing can be run: no model can be measured\.\n/);
  expect(none.text).not.toMatch(/kbit worker/);
  expect(none.summary.failures).toHaveLength(1);
  const state = { name: "books", done: 0, running: 0, failed: 1 };
  expect(await readStatus(store)).toMatchObject({ failed: 1, studies: [{ ...state, experiments: 1, queued: 0 }] });
  const some = await run([broken, model], true);
  expect(some.text).toMatch(
    /^2 experiments, 1 of models that cannot be opened; they wait in the queue for kbit worker/,
  );
  expect(await readStatus(store)).toMatchObject({ failed: 1, studies: [{ ...state, experiments: 2, queued: 1 }] });
  expect(await store.failures()).toMatchObject([{ model: "broken", study: "books" }]);
  await store.close();
});

test("with --log json it writes one object a line, and with --json its document alone to standard output", async () => {
  const written = { out: "", log: "" };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => (written.out += text) !== ""),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => (written.log += text) !== ""),
  ];
  const run = async (...flags: string[]) => {
    Object.assign(written, { out: "", log: "" });
    const program = new Command().exitOverride();
    addStudyCommand(program);
    const input = ["--specs", "int4", "--text", join(books, "heldout.txt"), "--window", "16", "--limit", "1"];
    const args = ["study", "run", model, broken, ...input, "--db", join(folder, "log.db"), "--workers", "1", ...flags];
    await program.parseAsync(args, { from: "user" });
    return { ...written };
  };
  const parse = (lines: string) =>
    lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  try {
    const first = parse((await run("--log", "json")).out);
    expect(first.map(({ event }) => event)).toEqual(["planned", "failure", "result", "end"]);
    expect(first[0]).toMatchObject({ planned: 2, stored: 0, unplanned: 1, workers: 1 });
    expect(first[1]).toMatchObject({ model: "broken", spec: "int4", final: true });
    expect(first[2]).toMatchObject({
      model: "books-0.2m",
      task: "perplexity",
      metric: "perplexity",
      done: 2,
      total: 2,
    });
    expect(first[2].value).toBeGreaterThan(1);
    expect(first[3]).toMatchObject({ computed: 1, failed: 1, cancelled: 0, interrupted: false });
    expect(first.every(({ time, study }) => study === first[0].study && !Number.isNaN(Date.parse(time)))).toBe(true);
    const { out, log } = await run("--log", "json", "--json");
    expect(JSON.parse(out)).toMatchObject({ stored: 1, computed: 0, rows: { length: 1 } });
    expect(parse(log).map(({ event }) => event)).toEqual(["planned", "failure", "end"]);
    await expect(run("--log", "xml")).rejects.toThrow("--log xml is not known; expected text or json.");
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
});
