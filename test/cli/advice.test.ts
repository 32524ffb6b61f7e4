// kbit claims and kbit recommend on a real, small study of the bundled family: what they print, and what they refuse.

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { writePackedCheckpoint } from "../../src/checkpoint/write-packed-node.ts";
import { addClaimsCommand } from "../../src/cli/claims.ts";
import { addRecommendCommand } from "../../src/cli/recommend.ts";
import { formatRuns } from "../../src/cli/recommend-command.ts";
import { measureNext } from "../../src/cli/recommend-run.ts";
import { parseBytes } from "../../src/cli/size.ts";
import { countBits } from "../../src/model/count.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import type { Spec } from "../../src/quantize/spec.ts";
import { formatSpec, parseSpec } from "../../src/quantize/spec-text.ts";
import type { DocumentValues, ResultRow } from "../../src/result.ts";
import type { Candidate } from "../../src/scaling/candidates.ts";
import { averageAccuracies } from "../../src/scaling/mean-accuracy.ts";
import { runStudy } from "../../src/study/run.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books", import.meta.url));
let folder = "";
let db = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kbit-advice-"));
  db = join(folder, "results.db");
  const study = createStudy({
    models: [books],
    specs: ["fp16", "int3-5:b64:embed:head"],
    text: join(books, "heldout.txt"),
    window: 64,
    limit: 12,
  });
  const store = await openStore(db);
  const { failures } = await runStudy(study, store, { workers: 1, kernels: "wasm" });
  await store.close();
  expect(failures).toEqual([]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the command prints. @throws InputError as the command does */
async function run(...args: string[]): Promise<string> {
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  try {
    const program = new Command().exitOverride();
    addClaimsCommand(program);
    addRecommendCommand(program);
    await program.parseAsync([...args, "--db", db], { from: "user" });
    return written.join("");
  } finally {
    write.mockRestore();
  }
}

/** An advice to measure five bits of a row's model. */
const next = (row: ResultRow) => ({
  candidate: {
    name: row.model.name,
    family: row.model.family,
    spec: "int5:b64",
    source: "predicted",
    row,
  } as unknown as Candidate,
  chance: 1,
  expectedGain: 1,
  beside: null,
  reason: "",
});

const unwrap = (text: string) => text.replaceAll("\n", " ");

/** Values of documents from the last to the first. */
function reverse(documents: NonNullable<ResultRow["documents"]>): NonNullable<ResultRow["documents"]> {
  const turn = ([name, { values, weights }]: [string, DocumentValues]) => [
    name,
    { values: values.slice().reverse(), ...(weights && { weights: weights.slice().reverse() }) },
  ];
  return Object.fromEntries(Object.entries(documents).map(turn));
}

/** The bits of a model at a mix. */
async function measureMix(path: string, spec: Spec) {
  const checkpoint = await openCheckpoint(path);
  try {
    return { bits: await countBits(quantizeCheckpoint(checkpoint, spec)) };
  } finally {
    await checkpoint.close();
  }
}

describe("kbit claims", () => {
  test("gives a list with a verdict for each finding of the paper", async () => {
    const answers = JSON.parse(await run("claims", "--json"));
    expect(answers).toHaveLength(14);
    for (const { id, section, verdict, reason } of answers) {
      expect([id, section, reason].every((text) => typeof text === "string" && text.length > 0)).toBe(true);
      expect(["holds", "does not hold", "not enough evidence"]).toContain(verdict);
    }
    const three = answers.find((one: { id: string }) => one.id === "three-bit-reverses");
    expect(three.effect).toBeGreaterThan(0);
    expect(three.interval[0]).toBeLessThan(three.effect);
  });

  test("prints them as a table, each with its reason", async () => {
    const text = await run("claims");
    expect(text).toMatch(/Claim +Verdict/);
    expect(text).toMatch(/quantile-best .*By perplexity the quantile data type is the\s+best/);
    expect(text).toMatch(/It\s+needs\s+quantile\s+and\s+other\s+types/);
  });

  test("refuses a family that the store lacks", async () => {
    await expect(run("claims", "--family", "opt")).rejects.toThrow(/no results of --family opt; it has books/);
  });
});

describe("kbit recommend", () => {
  test("gives the best file below a budget with what stands around it", async () => {
    const advice = JSON.parse(await run("recommend", "--budget", "600KB", "--json"));
    const { best, alternatives, nextExperiment, assumptions, frontier, precision } = advice;
    expect(best).toMatchObject({
      model: "books-0.8m",
      spec: "int5:b64:embed:head",
      metric: { name: "nll" },
      source: "measured",
    });
    expect(best.bytes).toBeLessThanOrEqual(600e3);
    expect(best.interval[0]).toBeLessThan(best.metric.value);
    expect(best.interval[1]).toBeGreaterThan(best.metric.value);
    expect(alternatives).toHaveLength(3);
    expect(alternatives[0].differenceInterval[0]).toBeLessThan(alternatives[0].difference);
    expect(frontier.length).toBeGreaterThan(1);
    expect(assumptions.length).toBeGreaterThan(0);
    expect(nextExperiment === null || typeof nextExperiment.command === "string").toBe(true);
    expect(precision.paired).toBe(true);
    expect(precision.optimal.length).toBeGreaterThan(0);
  });

  test("charges a budget for the tensor data, and says how large the file is that kbit quantize writes", async () => {
    const { best } = JSON.parse(await run("recommend", "--budget", "600KB", "--json"));
    const checkpoint = await openCheckpoint(join(books, best.model));
    const out = join(folder, "chosen");
    await writePackedCheckpoint(quantizeCheckpoint(checkpoint, parseSpec(best.spec)), out);
    await checkpoint.close();
    expect(best.fileBytes).toBe(statSync(join(out, "model.safetensors")).size);
    expect(best.fileBytes).toBe(best.bytes + best.headerBytes);
    expect(best.needed).toBe(best.bytes);
    const tight = JSON.parse(await run("recommend", "--budget", String(best.needed - 1), "--json"));
    expect(tight.best.needed).toBeLessThan(best.needed);
  });

  test("counts cache and activations by the shapes of the models", async () => {
    const workload = ["--memory", "1MB", "--context", "200", "--batch", "2", "--kv-bits", "8"];
    const { best } = JSON.parse(await run("recommend", ...workload, "--models", books, "--json"));
    const { hidden_size: width, num_hidden_layers: layers } = JSON.parse(
      readFileSync(join(books, best.model, "config.json"), "utf8"),
    );
    expect(best.cacheBytes).toBe(2 * layers * width * 200 * 2);
    expect(best.needed).toBe(best.bytes + best.cacheBytes + best.workspaceBytes);
    expect(best.needed).toBeLessThanOrEqual(1e6);
    const same = JSON.parse(await run("recommend", ...workload, "--json"));
    expect(same.best).toEqual(best);
  });

  test("says of a mix a size that its file stays within", async () => {
    const model = join(books, "books-0.8m");
    const path = join(folder, "mix.json");
    writeFileSync(path, JSON.stringify({ default: "int4:b64:embed:head", "*.dense_h_to_4h.weight": "int5:b64" }));
    const mixed = join(folder, "mixed.db");
    const read = (file: string) => readFileSync(file, "utf8");
    const spec = parseSpec(`mix:${path}`, read);
    const store = await openStore(db);
    const [row] = (await store.rows({ documents: true })).filter(
      ({ model: { name }, key }) => name === "books-0.8m" && key.spec === "int4:b64:embed:head",
    );
    await store.close();
    const { bits } = await measureMix(model, spec);
    const copy = await openStore(mixed);
    await copy.add({ ...row, key: { ...row.key, spec: formatSpec(spec) }, id: "mix", bits });
    await copy.close();
    const full = db;
    db = mixed;
    try {
      const { best, details } = JSON.parse(await run("recommend", "--budget", "2MB", "--json"));
      expect(best.spec).toBe(formatSpec(spec));
      const checkpoint = await openCheckpoint(model);
      const out = join(folder, "mixed");
      await writePackedCheckpoint(quantizeCheckpoint(checkpoint, spec), out);
      await checkpoint.close();
      const { size } = statSync(join(out, "model.safetensors"));
      expect(best.fileBytes).toBeGreaterThanOrEqual(size);
      expect(best.fileBytes).toBeLessThan(1.02 * size);
      expect(details.join(" ")).toMatch(/file of a mix is estimated/);
      expect(details.join(" ")).not.toMatch(/pass --models/);
    } finally {
      db = full;
    }
  });

  test("holds by default no more tokens than the longest input, and refuses a context beyond it", async () => {
    const { best, assumptions } = JSON.parse(await run("recommend", "--memory", "1MB", "--json"));
    expect(best.model).toMatch(/^books/);
    expect(assumptions.join(" ")).toMatch(/1 x 256 tokens/);
    const beyond = /reads a context of 999 tokens: the longest input of those models is 256/;
    expect(await run("recommend", "--memory", "9MB", "--context", "999").then(unwrap)).toMatch(beyond);
    const speed = ["--tokens-per-second", "5", "--bandwidth", "20GB", "--context", "999"];
    expect(await run("recommend", "--budget", "2MB", ...speed).then(unwrap)).toMatch(beyond);
  });

  test("looks for models below a folder of families", async () => {
    const workload = ["--memory", "1MB", "--context", "200", "--json"];
    const below = await run("recommend", ...workload, "--models", join(books, ".."));
    expect(JSON.parse(below).best.cacheBytes).toBeGreaterThan(0);
    expect(below).toBe(await run("recommend", ...workload, "--models", books));
  });

  test("prints formulas and troubles of laws only with --details", async () => {
    const ask = async (...flags: string[]) => unwrap(await run("recommend", "--budget", "600KB", ...flags));
    const [plain, detailed] = [await ask(), await ask("--details")];
    expect(plain).toMatch(/^Within 600 KB, by loss on heldout.txt: books-0.8m at int5:b64:embed:head, 559 KB\./);
    expect(plain).toMatch(/Best by size +Spec +Size +File +loss/);
    expect(plain).not.toMatch(/law of books|flatters/);
    expect(detailed).toMatch(/The law of books: E \+ A/);
    expect(detailed).toMatch(/flatters its value by/);
    const { laws } = JSON.parse(await run("recommend", "--budget", "600KB", "--json", "--details"));
    expect(laws[0].candidates.length).toBeGreaterThan(1);
  });

  test("says plainly that nothing fits", async () => {
    expect(await run("recommend", "--budget", "10KB")).toMatch(/^Nothing fits in 10 KB: the smallest is books-0.2m/);
  });

  test("runs the experiment that may change the answer, and answers again", async () => {
    const store = await openStore(db);
    const missing = (await store.rows()).filter(
      (row) => !(row.model.name === "books-0.8m" && row.key.spec === "int5:b64:embed:head"),
    );
    await store.close();
    const full = db;
    db = join(folder, "part.db");
    try {
      const part = await openStore(db);
      await part.add(missing);
      await part.close();
      const before = JSON.parse(await run("recommend", "--budget", "600KB", "--json"));
      expect(before.best).toMatchObject({ model: "books-0.8m", spec: "int5:b64:embed:head", source: "predicted" });
      expect(before.nextExperiment).toMatchObject({
        model: "books-0.8m",
        spec: "int5:b64:embed:head",
        task: "perplexity",
      });
      const after = JSON.parse(await run("recommend", "--budget", "600KB", "--json", "--run"));
      expect(after.best).toMatchObject({ spec: "int5:b64:embed:head", source: "measured", bytes: before.best.bytes });
      expect(after.best.metric.value).toBeGreaterThan(before.best.interval[0]);
      expect(after.best.metric.value).toBeLessThan(before.best.interval[1]);
    } finally {
      db = full;
    }
  });

  test("does not ask again for what it ran: two on all of the text, which then decides", async () => {
    const close = createStudy({
      models: [join(books, "books-0.2m")],
      specs: ["int8:b64", "int8:b128", "nf8:b64"],
      text: join(books, "heldout.txt"),
      window: 64,
      limit: 6,
    });
    const full = db;
    db = join(folder, "whole.db");
    try {
      const made = await openStore(join(folder, "alike.db"));
      await runStudy(close, made, { workers: 1, kernels: "wasm" });
      const rows = await made.rows({ documents: true });
      await made.close();
      // As if one spec were lucky with other windows than the next, so that these few leave open which is better.
      const own = await openStore(db);
      await own.add(rows.map((row, i) => (i % 2 === 0 ? row : { ...row, documents: reverse(row.documents!) })));
      await own.close();
      const ask = async (...flags: string[]) =>
        JSON.parse(await run("recommend", "--budget", "2MB", "--no-predict", "--json", ...flags)).nextExperiment;
      const before = await ask();
      expect(before.beside).toMatchObject({ model: "books-0.2m" });
      expect(before.command).toMatch(
        /^kbit study run \S+books-0.2m --specs \S+ --text \S+ --window 64 --stride 64 --db \S+ && kbit study run /,
      );
      const asked = [before.spec];
      let next = before;
      for (let i = 0; i < 3 && next !== null; i++) {
        next = await ask("--run");
        if (next !== null) asked.push(next.spec);
      }
      expect(next).toBeNull();
      expect(new Set(asked).size).toBe(asked.length);
      const after = await openStore(db);
      expect((await after.rows()).filter((row) => row.key.limit === null).length).toBe(asked.length + 1);
      await after.close();
    } finally {
      db = full;
    }
  });

  test("--run refuses a file of exported rows before it asks it anything", async () => {
    const full = db;
    db = join(folder, "not-there.jsonl");
    try {
      await expect(run("recommend", "--budget", "2MB", "--run")).rejects.toThrow(/is a file of exported rows/);
    } finally {
      db = full;
    }
  });

  test("measures tasks too, all of a mean, and refuses what it cannot find", async () => {
    const data = fileURLToPath(new URL("../fixtures/evaluation", import.meta.url));
    const own = join(folder, "tasks.db");
    const flags = { models: [join(books, "books-0.2m")], specs: ["int4:b64"], tasks: ["piqa", "copa"], data, limit: 2 };
    const store = await openStore(own);
    await runStudy(createStudy(flags), store, { workers: 1, kernels: "wasm" });
    const rows = await store.rows();
    await store.close();
    const [mean] = averageAccuracies(rows);
    await measureNext(next(mean), own, true);
    const after = await openStore(own);
    const found = (await after.rows()).filter((row) => row.key.spec === "int5:b64");
    await after.close();
    expect(found.map((row) => [row.key.task, row.key.limit]).sort()).toEqual([
      ["copa", 2],
      ["piqa", 2],
    ]);
    await expect(measureNext(next({ ...rows[0], paths: undefined }), own, true)).rejects.toThrow(
      /--run cannot measure/,
    );
  });

  test("of a file of exported rows, which takes no results, puts the rows into a store first", async () => {
    const store = await openStore(db);
    const [row] = await store.rows();
    await store.close();
    const commands = formatRuns(next(row), join(folder, "rows.parquet"))!;
    expect(commands[0]).toBe(`kbit study import ${join(folder, "rows.parquet")} --db ${join(folder, "rows.db")}`);
    expect(commands[1]).toMatch(/^kbit study run .* --db \S+rows\.db$/);
  });

  test("measures a text under the convention of the row, for which no flag of studies is made up", async () => {
    const own = join(folder, "conventions.db");
    const flags = { models: [join(books, "books-0.2m")], specs: ["int4:b64"], text: join(books, "heldout.txt") };
    const study = createStudy({ ...flags, window: 64, limit: 2 });
    const conventions = ["windows-bos", "gptq", "llama.cpp", "rolling"] as const;
    const tasks = conventions.map((convention) => ({ ...study.tasks[0], convention }));
    const store = await openStore(own);
    const { failures } = await runStudy({ ...study, tasks }, store, { workers: 1, kernels: "wasm" });
    expect(failures).toEqual([]);
    const rows = await store.rows();
    await store.close();
    for (const row of rows) {
      expect(formatRuns(next(row), own)).toBeNull();
      await measureNext(next(row), own, true);
    }
    const after = await openStore(own);
    const found = (await after.rows()).filter((row) => row.key.spec === "int5:b64");
    await after.close();
    const profiles = (all: readonly ResultRow[]) => all.map(({ key }) => `${key.profile} ${key.limit}`).sort();
    expect(profiles(found)).toEqual(profiles(rows));
    expect(rows.map(({ key }) => key.profile.split("-")[0]).sort()).toEqual([
      "gptq",
      "llama.cpp",
      "rolling",
      "windows",
    ]);
  });

  test.each([
    [[], /either --budget SIZE for the weights, or --memory SIZE/],
    [["--budget", "2MB", "--memory", "1GB"], /either --budget/],
    [["--budget", "much"], /--budget much is not a size/],
    [["--budget", "0"], /--budget 0 is not a size/],
    [["--budget", "2MB", "--context", "100"], /go with --memory SIZE or --tokens-per-second/],
    [["--budget", "2MB", "--kv-bits", "8"], /--kv-bits goes with --memory/],
    [["--budget", "2MB", "--batch", "0"], /--batch 0 is not a whole number from 1/],
    [["--memory", "2MB", "--batch", "1.5"], /--batch 1.5 is not a whole number/],
    [["--budget", "2MB", "--bandwidth", "50GB"], /goes with --tokens-per-second/],
    [["--budget", "2MB", "--tokens-per-second", "9"], /no times of tokens at batch 1/],
    [["--budget", "2MB", "--metric", "acc"], /no results .*with acc/],
    [["--budget", "2MB", "--metric", "nil"], /did you mean nll/],
    [["--memory", "2MB", "--models", "/no/such/place"], /There is no model/],
  ])("refuses %j", async (args, sentence) => {
    await expect(run("recommend", ...args)).rejects.toThrow(sentence);
  });
});

test("sizes are decimal and binary", () => {
  expect(parseBytes("2MB", "--budget")).toBe(2e6);
  expect(parseBytes("1.5GiB", "--budget")).toBe(1.5 * 2 ** 30);
  expect(parseBytes("17", "--budget")).toBe(17);
  expect(() => parseBytes("2 parsecs", "--budget")).toThrow(/not a size/);
});
