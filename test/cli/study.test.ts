// kbit study as a process, on the bundled models: exit codes, one JSON document, kills at any moment, a broken model.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { addStudyCommand } from "../../src/cli/study.ts";
import { InputError } from "../../src/input-error.ts";
import type { ResultRow } from "../../src/result.ts";
import { openStore } from "../../src/study/store/store.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const kbit = join(root, "src/cli/kbit.ts");
const books = join(root, "models/books");
const folder = mkdtempSync(join(tmpdir(), "kbit-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));
let stores = 0;
const newStore = () => join(folder, `${stores++}.db`);

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [kbit, "study", ...args], { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

/** Starts a study, lets it print that many results, and sends it the signal. */
function interrupt(signal: NodeJS.Signals, afterResults: number, args: string[]): Promise<number | null> {
  const child: ChildProcess = spawn(process.execPath, [kbit, "study", ...args], { cwd: folder });
  let printed = "";
  child.stdout!.on("data", (data) => {
    printed += data;
    if (!child.killed && printed.split("perplexity").length > afterResults) child.kill(signal);
  });
  return new Promise((resolve) => child.on("close", resolve));
}

async function readRows(path: string): Promise<ResultRow[]> {
  const store = await openStore(path, { create: false });
  const rows = await store.rows();
  await store.close();
  return rows;
}

const small = join(books, "books-0.2m");
const twoModels = [small, join(books, "books-0.4m")];
const text = ["--text", join(books, "heldout.txt"), "--window", "32", "--limit", "2"];

describe("kbit study run", () => {
  test("measures, prints one JSON document, and has nothing to do the second time", async () => {
    const args = ["run", small, "--specs", "fp16,int2:b64,int8:b64", ...text, "--db", newStore(), "--json"];
    const first = await run(...args);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const { rows, ...summary } = JSON.parse(first.stdout);
    expect(summary).toMatchObject({ computed: 3, stored: 0, failures: [], interrupted: false });
    const perplexity = Object.fromEntries(
      rows.map((row: ResultRow) => [row.key.spec, row.metrics["perplexity"].value]),
    );
    // 8 bits are as good as 16, 2 bits are ruin.
    expect(Math.abs(perplexity["int8:b64"] / perplexity["fp16"] - 1)).toBeLessThan(0.02);
    expect(perplexity["int2:b64"]).toBeGreaterThan(2 * perplexity["fp16"]);
    expect(JSON.parse((await run(...args)).stdout)).toMatchObject({ computed: 0, stored: 3, rows });
    const { stdout } = await run(...args.slice(0, -1));
    expect(stdout).toMatch(/^Everything is measured already: 3 results\.\nThe report: .*\n$/);
  });

  test("goes on after kill -9 at any moment with the rows that it has, and ends as if nothing had happened", async () => {
    const args = (db: string) => ["run", ...twoModels, "--specs", "fp16,int2-8:b64", ...text, "--db", db];
    const killed = newStore();
    for (const results of [1, 3]) await interrupt("SIGKILL", results, args(killed));
    const before = await readRows(killed);
    expect(before.length).toBeGreaterThanOrEqual(4);
    expect(before.length).toBeLessThan(16);
    expect(await run(...args(killed))).toMatchObject({ code: 0 });
    const after = await readRows(killed);
    expect(after).toHaveLength(16);
    for (const row of before) expect(after).toContainEqual(row);

    const whole = newStore();
    await run(...args(whole));
    const measured = ({ id, bits, metrics }: ResultRow) => ({ id, bits, metrics });
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect(after.map(measured).sort(byId)).toEqual((await readRows(whole)).map(measured).sort(byId));
  }, 180_000); // a busy machine takes ten seconds to start each of its four processes

  test.each(["SIGINT", "SIGTERM"] as const)("stops cleanly at %s with exit code 130", async (signal) => {
    const db = newStore();
    expect(await interrupt(signal, 2, ["run", books, "--specs", "fp16,int2-8:b64", ...text, "--db", db])).toBe(130);
    const rows = await readRows(db);
    expect(rows.length).toBeGreaterThanOrEqual(2);
    expect(rows.length).toBeLessThan(32);
  });

  test("says of a text of one scored token that it is one", async () => {
    const args = ["--text", join(books, "heldout.txt"), "--window", "2", "--limit", "1", "--db", newStore()];
    const { stderr } = await run("run", small, "--specs", "fp16", ...args);
    expect(stderr).toMatch(/^Note: Only 1 token was scored, which says little/);
  });

  test("measures the other models when one is broken, says why, and exits with 1", async () => {
    const broken = join(folder, "truncated");
    cpSync(small, broken, { recursive: true });
    truncateSync(join(broken, "model.safetensors"), 400_000);
    const db = newStore();
    const ended = await run("run", broken, small, "--specs", "fp16,int4:b64", ...text, "--db", db);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/2 results in .*2 failed/);
    expect(ended.stderr).toBe(
      "Note: Only 62 tokens were scored, which says little of the model; use a longer text, or a higher limit.\n",
    );
    expect(ended.stdout).toMatch(/^\[1\/4\] truncated .* failed\n\[2\/4\] truncated .* failed\n\[3\/4\] /m);
    expect(ended.stdout.match(/truncated fp16 perplexity and 1 more: .*model\.safetensors/g)).toHaveLength(1);
    expect(ended.stdout.match(/model\.safetensors/g)).toHaveLength(1);
    const shown = JSON.parse((await run("show", "--db", db, "--json")).stdout);
    expect(shown.rows.map((row: ResultRow) => row.model.name)).toEqual(["books-0.2m", "books-0.2m"]);
    expect(shown.failures).toHaveLength(2);
    const table = (await run("show", "--db", db)).stdout;
    expect(table).toMatch(/books-0\.2m +fp16 +16\.000 +506 KB +heldout\.txt +perplexity +\d/);
    expect(table).toMatch(/2 results, 2 failures\.\nfailed truncated fp16 perplexity: /);
    expect(shown.failures[0]).toMatchObject({
      model: "truncated",
      reason: expect.stringMatching(/model\.safetensors/),
    });
  });

  test("ends in one sentence when the disk takes no more, and goes on when it does", async () => {
    const db = newStore();
    const args = ["study", "run", small, "--specs", "fp16,int2-8:b64,int2-8:b128", ...text, "--db", db];
    // No file may grow beyond 1000 blocks of 512 bytes, which is room for a few rows.
    const full = await new Promise<Ended>((resolve) => {
      const command = ["-c", 'ulimit -f 1000 && exec "$@"', "sh", process.execPath, kbit, ...args];
      execFile("sh", command, { cwd: folder }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
    expect(full.code).toBe(2);
    expect(full.stderr).toMatch(/^kbit: The store .* cannot be used: the disk .*\.\n$/);
    const before = await readRows(db);
    expect(before.length).toBeGreaterThan(0);
    expect(before.length).toBeLessThan(15);
    expect(await run(...args.slice(1))).toMatchObject({ code: 0 });
    const after = await readRows(db);
    expect(after).toHaveLength(15);
    for (const row of before) expect(after).toContainEqual(row);
  });

  test("two at once on one store end with every row once", async () => {
    const db = newStore();
    const args = ["run", ...twoModels, "--specs", "fp16,int3-6:b64", ...text, "--db", db];
    const ended = await Promise.all([run(...args), run(...args)]);
    expect(ended.map(({ code, stdout, stderr }) => (code === 0 ? 0 : stdout + stderr))).toEqual([0, 0]);
    expect(await readRows(db)).toHaveLength(10);
  });

  test("scores a zero-shot task", async () => {
    const items = [0, 1, 0].map((label, i) => ({
      goal: `Boil ${i} eggs.`,
      sol1: "Heat them in water.",
      sol2: "Sing.",
      label,
    }));
    writeFileSync(join(folder, "piqa.jsonl"), items.map((item) => JSON.stringify(item)).join("\n"));
    const args = ["--specs", "int4:b64", "--tasks", "piqa", "--data", folder, "--db", newStore(), "--json"];
    const { rows } = JSON.parse((await run("run", small, ...args)).stdout);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ key: { task: "piqa" }, metrics: { acc: { n: 3 }, acc_norm: { n: 3 } } });
  });

  test("goes on and keeps its exit code when nobody reads any more what it prints", async () => {
    const runAndLookAway = (...args: string[]) =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [kbit, "study", "run", ...args], { cwd: folder });
        child.stdout.once("data", () => child.stdout.destroy());
        child.stderr.destroy();
        child.on("close", resolve);
      });
    const db = newStore();
    expect(await runAndLookAway(small, "--specs", "fp16,int3-8:b64", ...text, "--db", db)).toBe(0);
    expect(await readRows(db)).toHaveLength(7);
    const broken = join(folder, "cut");
    cpSync(small, broken, { recursive: true });
    truncateSync(join(broken, "model.safetensors"), 400_000);
    expect(await runAndLookAway(broken, small, "--specs", "fp16", ...text, "--db", newStore())).toBe(1);
  });

  test("refuses bad input in one sentence with exit code 2, and makes no store", async () => {
    const db = newStore();
    const ended = await run("run", small, "--specs", "imt4", ...text, "--db", db);
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    expect(ended.stderr).toMatch(/^kbit: --specs: .*int.*\n$/);

    const refuse = async (message: RegExp, ...args: string[]) => {
      const program = new Command().exitOverride();
      addStudyCommand(program);
      const error = await program.parseAsync(["study", "run", ...args, "--db", db], { from: "user" }).catch((e) => e);
      expect(error).toBeInstanceOf(InputError);
      expect(error.message).toMatch(message);
    };
    await refuse(/^kbit study run also needs --specs LIST, such as fp16,int3-8:b64\.$/, small, ...text);
    await refuse(/^There is no study file nowhere\.yaml/, "nowhere.yaml");
    await refuse(/no study file .*books\.yml; did you mean .*books\.yaml\?$/, join(root, "experiments/books.yml"));
    await refuse(/^--limit takes a whole number of at least 1, not "0"/, small, "--specs", "int4", "--limit", "0");
    const bad = join(folder, "bad.yaml");
    writeFileSync(bad, `models: ${small}\nspecs: int4\ntasks: { task: perplexity, txt: x }\n`);
    await refuse(/bad\.yaml:3:28: there is no key "txt" here; did you mean text\?/, bad);
    await refuse(/^--limit does not go with a study file/, bad, "--limit", "3");
    await refuse(/it stands alone/, bad, small);
    await expect(readRows(db)).rejects.toThrow(/There is no store/);
    writeFileSync(db, "not a store ".repeat(100));
    await refuse(/it is not an SQLite file/, small, "--specs", "int4", ...text);
  });
});

describe("kbit study plan", () => {
  test("prints the experiments without running them, and which of them a store has", async () => {
    const db = newStore();
    await run("run", small, "--specs", "fp16", ...text, "--db", db);
    const args = [small, "--specs", "fp16,int4:b64", ...text, "--db", db];
    const planned = JSON.parse((await run("plan", ...args, "--json")).stdout);
    const { experiments, seconds } = planned;
    expect(planned.models).toMatchObject([{ name: "books-0.2m", experiments: 2, missing: 1, tokens: 64 }]);
    expect(planned.tasks).toMatchObject([{ name: "perplexity", experiments: 2, missing: 1 }]);
    expect(planned.memoryBytes).toBeGreaterThan(1e8);
    expect(planned.diskBytes).toBeGreaterThan(1000);
    expect(experiments.map(({ spec, tokens, isStored }: Record<string, unknown>) => [spec, tokens, isStored])).toEqual([
      ["fp16", 64, true],
      ["int4:b64", 64, false],
    ]);
    expect(seconds).toBeGreaterThan(0);
    const { code, stdout } = await run("plan", ...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/fp16 .*stored/);
    expect(stdout).toMatch(/1 experiment of 2 to run: about .* on \d+ workers?, .*B of memory, .*B of disk\.\n$/);
    expect(await readRows(db)).toHaveLength(1);
  });

  test("plans no more workers than experiments, no less time than one takes, and notes what fails", async () => {
    const args = [small, "--specs", "int4", "--text", join(books, "heldout.txt")];
    const planned = JSON.parse((await run("plan", ...args, "--workers", "8", "--json")).stdout);
    expect(planned).toMatchObject({ workers: 1, notes: [] });
    expect(planned.seconds).toBe(planned.experiments[0].seconds);
    const { stderr } = await run("plan", ...args, "--window", "4096");
    expect(stderr).toBe("books-0.2m will fail at perplexity: the window 4096 is above its maximum length of 256.\n");
  });

  test("says what a study file is called, of a file that may be meant as one", async () => {
    const named = join(folder, "study.txt");
    writeFileSync(named, `models: ${small}`);
    for (const command of ["plan", "run"]) {
      const { code, stderr } = await run(command, named);
      expect(code).toBe(2);
      expect(stderr).toMatch(/study\.txt is a study file, give it a name that ends in \.yaml or \.json\.\n$/);
      expect((await run(command, join(small, "model.safetensors"))).stderr).not.toMatch(/study file/);
    }
    const emitted = await run("emit", "slurm", small, "--db", "postgres://me@db/kbit");
    expect(emitted.stderr).toMatch(/^kbit: kbit study emit needs a study file, .*books-0\.2m does not\.\n$/);
  });

  test("takes a store that is not there yet for an empty one", async () => {
    const db = newStore();
    const { code, stdout, stderr } = await run("plan", small, "--specs", "fp16", ...text, "--db", db);
    expect([code, existsSync(db)]).toEqual([0, false]);
    expect(stderr).toMatch(/There is no store .* yet, so nothing is left out/);
    expect(stdout).toMatch(/1 experiment to run/);
  });

  test("sums many experiments up by model and by task", async () => {
    const { code, stdout } = await run("plan", books, "--specs", "fp16,int2-8:b64,nf2-8:b64", ...text);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^model +experiments +to run +tokens +worker time\n.*\nbooks-0\.2m +15 +15 +960 /);
    expect(stdout).toMatch(/\ntask +experiments .*\n.*\nperplexity +60 +60 +3,840 /);
    expect(stdout).toMatch(/\n--json lists all 60 experiments\.\n\n60 experiments to run: about /);
  });
});
