// kbit study export and import: files of rows in the place of a store, merges, and results of lm-eval.

import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { addClaimsCommand } from "../../src/cli/claims.ts";
import { addRecommendCommand } from "../../src/cli/recommend.ts";
import { addReportCommand } from "../../src/cli/report.ts";
import { addStudyCommand } from "../../src/cli/study.ts";
import { InputError } from "../../src/input-error.ts";
import { openStore } from "../../src/study/store/store.ts";
import { makeRow } from "../study/rows.ts";

const golden = fileURLToPath(new URL("../fixtures/evaluation/lm-eval-results.json", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kbit-exchange-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

/** What a command prints on standard output, and its exit code; an InputError is code 2 with its sentence. */
async function run(...args: string[]): Promise<{ code: number; printed: string }> {
  const program = new Command().exitOverride();
  for (const add of [addStudyCommand, addClaimsCommand, addReportCommand, addRecommendCommand]) add(program);
  let printed = "";
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return { code: Number(process.exitCode ?? 0), printed: printed.replaceAll(`${folder}/`, "") };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { code: 2, printed: error.message.replaceAll(`${folder}/`, "") };
  } finally {
    spy.mockRestore();
    process.exitCode = undefined;
  }
}

const rows = [1, 2, 3].map((i) => makeRow(i, { documents: { nll: { values: Float32Array.of(i, 2 * i) } } }));

beforeAll(async () => {
  const store = await openStore(at("first.db"));
  await store.add(rows);
  await store.addFailure({ model: "m", spec: "int4", task: "piqa", reason: "It broke.", date: "2026-01-01T00:00:00Z" });
  await store.close();
});

async function readRows(name: string) {
  const store = await openStore(at(name), { create: false });
  const read = await store.rows({ documents: true });
  await store.close();
  return read;
}

test("results go out into files and come back into another store as they were", async () => {
  for (const format of ["parquet", "jsonl", "csv"]) {
    const { code, printed } = await run("study", "export", "--db", at("first.db"), "--out", at(`rows.${format}`));
    expect(code).toBe(0);
    expect(printed).toMatch(new RegExp(`^3 results in rows\\.${format}, .*\\.\n1 failure stay`));
  }
  const files = ["rows.parquet", "rows.jsonl", "first.db"].map(at);
  const { printed } = await run("study", "import", ...files, "--db", at("second.db"), "--json");
  expect(JSON.parse(printed)).toEqual({
    db: "second.db",
    files: [
      { file: "rows.parquet", added: 3, known: 0, failures: 0, disagreements: [] },
      { file: "rows.jsonl", added: 0, known: 3, failures: 0, disagreements: [] },
      { file: "first.db", added: 0, known: 3, failures: 1, disagreements: [] },
    ],
  });
  expect(await readRows("second.db")).toEqual(rows);
});

test("commands read files of rows where they take a store, and those that write refuse them", async () => {
  await run("study", "export", "--db", at("first.db"), "--out", at("read.parquet"));
  await run("study", "export", "--db", at("read.parquet"), "--out", at("read.jsonl"));
  for (const file of ["read.parquet", "read.jsonl"]) {
    for (const args of [["study", "show"], ["claims"], ["report"], ["recommend", "--budget", "1KB"]]) {
      const [ofFile, ofStore] = [await run(...args, "--db", at(file)), await run(...args, "--db", at("first.db"))];
      expect(ofFile.code).toBe(0);
      expect(ofFile.printed.length).toBeGreaterThan(100);
      const none = args[0] === "study" ? ", 0 failures.\n" : ".\n"; // failures stay in the store
      expect(ofFile.printed.replaceAll(file, "first.db")).toBe(ofStore.printed.replace(/, 1 failure\.[\s\S]*/, none));
    }
  }
  expect(await run("study", "import", at("first.db"), "--db", at("read.parquet"))).toEqual({
    code: 2,
    printed: expect.stringMatching(/^read\.parquet is a file of exported rows, which takes no new results; import it/),
  });
});

test("what was measured twice and disagrees is named, with exit code 1", async () => {
  const other = { ...rows[0], metrics: { ...rows[0].metrics, nll: { value: 4, n: 4096 } } };
  const store = await openStore(at("other.db"));
  await store.add([other]);
  await store.close();
  copyFileSync(at("first.db"), at("merged.db"));
  expect(await run("study", "import", at("other.db"), "--db", at("merged.db"))).toEqual({
    code: 1,
    printed:
      "other.db: 0 results added, 1 known already.\n  disagrees model-1 int4:b64 perplexity: nll is 3.5 in the store, 4 here (both on reference).\n",
  });
  expect((await readRows("merged.db"))[0].metrics["nll"].value).toBe(3.5);
});

test("results of lm-eval come in with what is said of their models, and nothing comes in without", async () => {
  const db = at("imported.db");
  expect(await run("study", "import", golden, "--db", db)).toMatchObject({
    code: 2,
    printed: expect.stringMatching(/say --family, --spec and --total, or --models FILE/),
  });
  expect(existsSync(db)).toBe(false);
  writeFileSync(at("models.yaml"), "- { family: books, spec: fp32, totalBytes: 1012992 }\n");
  expect(await run("study", "import", golden, "--db", db, "--models", at("models.yaml"))).toMatchObject({ code: 0 });
  const said = ["--family", "books", "--spec", "fp32", "--total", "1012992"];
  const again = await run("study", "import", golden, "--db", db, ...said);
  expect(again.printed).toMatch(/0 results added, 3 known already\./);
  const imported = await readRows("imported.db");
  expect(imported.map(({ key }) => key.task).sort()).toEqual(["lambada_openai", "piqa", "wikitext"]);
  for (const row of imported)
    expect(row).toMatchObject({
      imported: "lm-eval, lm-eval-results.json",
      bits: { total: 8103936, quantized: NaN },
      model: { parameters: 253248, nonEmbeddingParameters: NaN },
      seconds: NaN,
    });
  const shown = await run("study", "show", "--db", db);
  expect(shown.printed).not.toContain("NaN");
  expect(shown.printed).toMatch(/books-0\.2m +fp32 .*piqa acc/);
  expect(await run("study", "export", "--db", db, "--out", at("imported.parquet"))).toMatchObject({ code: 0 });
});

test("what a command says of an import that cannot be so is refused in the words of its options", async () => {
  const db = at("refused.db");
  const refusal = async (...args: string[]) => {
    const { code, printed } = await run("study", "import", ...args, "--db", db);
    expect(code).toBe(2);
    expect(existsSync(db)).toBe(false);
    return printed;
  };
  const said = ["--family", "books", "--total", "126624"];
  expect(await refusal(golden, ...said, "--spec", "nf4:b64", "--bits", "7")).toBe(
    "the command: nf4:b64 has 4 bits a weight, not 7; leave --bits out, or say another spec.",
  );
  expect(await refusal(golden, ...said, "--spec", "awq4")).toMatch(/say --bits N\.$/);
  expect(await refusal(golden, "--family", "books", "--total", "9GB", "--spec", "fp16")).toMatch(/expected 1 to 40/);
  await run("study", "export", "--db", at("first.db"), "--out", at("said.csv"));
  expect(await refusal(at("said.csv"), "--family", "x")).toMatch(/^--family is for results of lm-eval .* said\.csv/);
  for (const ending of ["parquet", "csv", "jsonl", "json"]) {
    writeFileSync(at(`empty.${ending}`), "");
    expect(await refusal(at(`empty.${ending}`))).toBe(`empty.${ending} is empty; it holds no result.`);
  }
  writeFileSync(at("heading.csv"), "id\n");
  expect(await refusal(at("heading.csv"))).toBe("heading.csv holds no result; nothing is imported.");
});

test("a report is refused where its name says a format that there is not, before the store is read", async () => {
  for (const name of ["r.pdf", "r.txt", "r"]) {
    expect(await run("report", "--db", at("first.db"), "--out", at(name))).toEqual({
      code: 2,
      printed: `${name} does not end in .html, .htm or .md; name the format by it.`,
    });
    expect(existsSync(at(name))).toBe(false);
  }
  for (const name of ["r.HTM", "r.md", "r.html"]) {
    expect(await run("report", "--db", at("first.db"), "--out", at(name))).toMatchObject({ code: 0 });
    expect(existsSync(at(name))).toBe(true);
  }
});
