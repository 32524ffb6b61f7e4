// kbit mix: what it measures, chooses and writes, that it goes on after a kill, and what it refuses.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { addMixCommand } from "../../src/cli/mix.ts";
import type { MixPage } from "../../src/cli/mix-page.ts";
import { openModel } from "../../src/cli/open-model.ts";
import { addQuantizeCommand } from "../../src/cli/quantize.ts";
import { runInTerminal } from "../../src/cli/study-run.ts";
import { compareOnText } from "../../src/evaluate/compare/text.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books/", import.meta.url));
const model = join(books, "books-0.2m");
const text = join(books, "heldout.txt");
const small = ["--windows", "2", "--window", "64", "--check-windows", "12", "--threads", "1"];
const specs = "nf2-3:b64,nf5:b64";
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-mix-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command in this process. @throws InputError as the command does */
async function run(...args: string[]): Promise<string> {
  const written: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  try {
    const program = new Command().exitOverride();
    addMixCommand(program);
    addQuantizeCommand(program);
    await program.parseAsync(args, { from: "user" });
    return written.join("");
  } finally {
    write.mockRestore();
  }
}

const words = (name: string, ...more: string[]) => {
  const out = ["--out", join(folder, name)];
  return ["mix", model, "--text", text, ...small, "--specs", specs, "--budget", "429KB", ...out, ...more];
};
type Summary = MixPage & { readonly out: string };
const mix = async (name: string, ...more: string[]): Promise<Summary> =>
  JSON.parse(await run(...words(name, ...more, "--json")));

describe("a mix of one's own", () => {
  let page: Summary;
  beforeAll(async () => {
    page = await mix("first.json");
  });

  it("fits the budget to the byte of the file that quantize writes, and no assignment of a smaller sum does", async () => {
    const map = JSON.parse(readFileSync(page.out, "utf8"));
    expect(map.default).toMatch(/^nf[235]:b64$/);
    const out = join(folder, "packed");
    const written = JSON.parse(await run("quantize", model, "--spec", `mix:${page.out}`, "--out", out, "--json"));
    expect(written).toMatchObject({ spec: page.mix, fileBytes: page.bytes });
    expect(statSync(join(out, "model.safetensors")).size).toBe(page.bytes);
    expect(page.bytes).toBeLessThanOrEqual(page.budget);

    const room = page.budget - (page.bytes - page.groups.reduce((sum, { bytes }) => sum + bytes, 0));
    let least = Infinity;
    const visit = (g: number, bytes: number, cost: number) => {
      if (g === page.groups.length) least = bytes <= room ? Math.min(least, cost) : least;
      else for (const option of page.groups[g].options) visit(g + 1, bytes + option.bytes, cost + option.divergence!);
    };
    visit(0, 0, 0);
    expect(page.solution.isOptimal).toBe(true);
    expect(page.solution.predicted).toBeCloseTo(least, 12);
    expect(page.groups.map(({ options }) => options.map(({ spec }) => spec))).toEqual(
      Array(8).fill(["nf2:b64", "nf3:b64", "nf5:b64"]),
    );
  });

  it("is measured as kbit compare measures, each choice and the whole, on windows apart from those that decide", async () => {
    const whole = readFileSync(text, "utf8");
    const end = whole.indexOf("\n", Math.floor(whole.length / 2)) + 1;
    const base = await openModel(model, { threads: 1 });
    const other = await openModel(model, { threads: 1, spec: `mix:${page.out}` });
    try {
      const own = await compareOnText(base.model, other.model, whole.slice(0, end), { window: 64, limit: 2 });
      expect(page.measured.divergence).toBeCloseTo(own.divergence.mean.value, 10);
      expect(page.measured.loss).toBeCloseTo(own.logRatio.value, 10);
      const check = await compareOnText(base.model, other.model, whole.slice(end), { window: 64, limit: 12 });
      expect(page.check.mix.ratio.value).toBeCloseTo(check.ratio.value, 10);
    } finally {
      await other.close();
      await base.close();
    }
    const [first] = page.groups;
    const alone = join(folder, "alone.json");
    writeFileSync(alone, JSON.stringify({ default: "stored", [first.label]: "nf2:b64" }));
    const lines = readFileSync(join(folder, "first.measurements.jsonl"), "utf8").trim().split("\n");
    expect(lines).toHaveLength(8 * 3 + 3 + 1);
    const stored = await openModel(model, { threads: 1 });
    const changed = await openModel(model, { threads: 1, spec: `mix:${alone}` });
    try {
      const one = await compareOnText(stored.model, changed.model, whole.slice(0, end), { window: 64, limit: 2 });
      expect(first.options[0].divergence).toBeCloseTo(one.divergence.mean.value, 10);
      expect(lines.some((line) => JSON.parse(line).key.endsWith(` ${changed.spec}`))).toBe(true);
    } finally {
      await changed.close();
      await stored.close();
    }
  });

  it("says first whether it is better than the best spec that fits throughout, with an interval", async () => {
    expect(page.best).toBe("nf3:b64");
    const { low, high } = page.check.mixToUniform!.ratioInterval!;
    const written = await run(...words("first.json", "--force"));
    const verdict = low > 1 ? "worse" : high < 1 ? "better" : "neither clearly better nor clearly worse";
    expect(written.split("\n")[0]).toContain(`The mix is ${verdict} than nf3:b64 throughout`);
    const oneLine = written.replaceAll("\n", " ");
    expect(oneLine).toContain("24 choices measured on 2 windows of the text (24 of them in an earlier run)");
    const pages = written.split("\n").filter((line) => !line.includes(folder)); // how long a path is, is the user's
    expect(pages.slice(1).filter((line) => line.length > 100)).toEqual([]);
    const few = await run(
      ...words("few.json", "--measurements", join(folder, "first.measurements.jsonl"), "--check-windows", "1"),
    );
    expect(few.split("\n")[0]).toMatch(
      /^Whether the mix is better than nf3:b64 throughout, .* cannot be told: .* on 1 window on which .*, too few for an error \(10 are needed\)\.$/,
    );
  });

  it("goes on where a run was killed: what was measured is kept, a line cut short is measured again", async () => {
    const file = join(folder, "killed.measurements.jsonl");
    const bin = fileURLToPath(new URL("../../src/cli/bin.ts", import.meta.url));
    const child = spawn(process.execPath, [bin, ...words("killed.json")], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const lines = () => (existsSync(file) ? readFileSync(file, "utf8").split("\n").length - 1 : 0);
    while (lines() < 3 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    await ended;
    const kept = lines();
    expect(kept).toBeGreaterThanOrEqual(3);
    expect(existsSync(join(folder, "killed.json"))).toBe(false);
    writeFileSync(file, `${readFileSync(file, "utf8").trimEnd()}\n{"key":"0123 mix:`);
    const resumed = await mix("killed.json");
    expect(resumed.measuredOn.kept).toBe(kept);
    expect({ ...resumed, out: "", measuredOn: 0 }).toEqual({ ...page, out: "", measuredOn: 0 });
    expect(readFileSync(resumed.out, "utf8")).toBe(readFileSync(page.out, "utf8"));
    // And with a spec more, only what is new is measured.
    const wider = await mix("killed.json", "--force", "--specs", `${specs},nf4:b64`);
    expect(wider.measuredOn).toMatchObject({ choices: 8 * 4, kept: 8 * 3 });
    expect(wider.solution.predicted).toBeLessThanOrEqual(page.solution.predicted);
  });

  it("puts embedding and head up where specs ask, and gives groups one spec", async () => {
    const all = await mix("embed.json", "--specs", "nf3:b64:embed:head,nf5:b64,nf5:b64:embed", "--budget", "170KB");
    const options = Object.fromEntries(
      all.groups.map(({ label, options }) => [label, options.map(({ spec }) => spec)]),
    );
    expect(options["gpt_neox.embed_in.weight"]).toEqual(["nf3:b64:embed", "stored", "nf5:b64:embed"]);
    expect(options["embed_out.weight"]).toEqual(["nf3:b64:head", "stored"]);
    expect(options["gpt_neox.layers.0.mlp.dense_h_to_4h.weight"]).toEqual(["nf3:b64", "nf5:b64"]);
    expect(all.bytes).toBeLessThanOrEqual(170_000);
    const grouped = await mix("grouped.json", "--by", "operation");
    expect(grouped.groups.map(({ label }) => label)).toEqual([
      "attention, qkv",
      "attention, out",
      "ffn, up",
      "ffn, down",
    ]);
    expect(grouped.solution.predicted).toBeGreaterThan(0);
  });

  it("is one spec throughout where that is best, at the bytes of its file", async () => {
    const plain = await mix("plain.json", "--specs", "nf3:b64,stored", "--budget", "nf3:b64");
    expect(plain).toMatchObject({ mix: "nf3:b64", best: "nf3:b64", bytes: plain.budget });
    expect(JSON.parse(readFileSync(plain.out, "utf8"))).toEqual({ default: "nf3:b64" });
    expect(plain.check.mixToUniform).toBeUndefined();
    const written = await run(...words("plain.json", "--force", "--specs", "nf3:b64,stored", "--budget", "nf3:b64"));
    expect(written).toMatch(
      /^No mix of these specs within the budget is better by its parts than nf3:b64 throughout\./,
    );
    const out = join(folder, "uniform");
    const packed = JSON.parse(await run("quantize", model, "--spec", `mix:${plain.out}`, "--out", out, "--json"));
    expect(packed).toMatchObject({ spec: "nf3:b64", fileBytes: plain.budget });
  });

  it("says first that the model as stored fits, where it does", async () => {
    const kept = ["--measurements", join(folder, "first.measurements.jsonl"), "--budget", "10MB"];
    const remarks: string[] = [];
    const remark = vi.spyOn(process.stderr, "write").mockImplementation((chunk) => remarks.push(String(chunk)) > 0);
    try {
      const written = await run(...words("roomy.json", ...kept));
      const sentence = /The model as stored takes [\d.]+ KB and fits the budget of 10(\.0)? MB: keep it as it is/;
      expect(written.split("\n")[0]).toMatch(sentence);
      expect(remarks[0]).toMatch(sentence);
      const roomy = await mix("roomy.json", "--force", ...kept);
      expect(roomy.storedBytes).toBeLessThan(roomy.budget);
      expect(page.storedBytes).toBe(roomy.storedBytes);
      expect(page.storedBytes).toBeGreaterThan(page.budget);
    } finally {
      remark.mockRestore();
    }
  });

  it("says that it was interrupted, and that the same command goes on", async () => {
    const file = join(folder, "stopped.measurements.jsonl");
    const bin = fileURLToPath(new URL("../../src/cli/bin.ts", import.meta.url));
    const child = spawn(process.execPath, [bin, ...words("stopped.json")], { stdio: ["ignore", "ignore", "pipe"] });
    let remarks = "";
    child.stderr.on("data", (chunk) => {
      remarks += chunk;
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    while (!existsSync(file) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(remarks).toBe("Interrupted; the same command goes on where it was.\n");
  });

  it("is a spec of studies, at its mean bits", async () => {
    const study = createStudy({ models: [model], specs: [`mix:${page.out}`, "nf3:b64"], text, window: 64, limit: 2 });
    const store = await openStore(join(folder, "study.db"));
    try {
      await runInTerminal(study, store, { isQuiet: true });
      const rows = await store.rows();
      const row = rows.find(({ key }) => key.spec === page.mix)!;
      expect(row.bitsPerWeight).toBeCloseTo(page.bitsPerWeight, 12);
      expect(row.bits.total / 8).toBeLessThan(page.bytes);
      expect(row.bits.total).toBeGreaterThan(rows.find(({ key }) => key.spec === "nf3:b64")!.bits.total);
    } finally {
      await store.close();
    }
  });
});

describe("bad input to kbit mix", () => {
  it("gets one sentence before anything is measured", async () => {
    const refusals: [string[], RegExp][] = [
      [["--specs", "nf9:b64"], /^--specs: spec "nf9:b64": nf has 2 to 8 bits/],
      [["--specs", "mix:0123456789abcdef"], /^--specs: mix:0123456789abcdef is itself a mix/],
      [["--specs", "stored"], /^--specs stored quantizes nothing of /],
      [["--budget", "1KB"], /^--budget is 1000 bytes, but the smallest mix of these specs takes \d+; give more/],
      [["--budget", "much"], /^--budget takes a size such as 2MB, or a spec; spec "much": unknown data type "much"/],
      [["--budget", "-5MB"], /^--budget -5MB is not a size/],
      [["--budget", "3 apples"], /^--budget 3 apples is not a size/],
      [["--by", "head"], /^--by takes matrix, part, layer, operation, not "head"/],
      [["--cost", "time"], /^--cost takes divergence or loss, not "time"/],
      [["--out", join(folder, "no", "mix.json")], /^There is no folder .*no to write/],
      [["--text", join(folder, "none.txt")], /^There is no file .*none\.txt/],
      [["--measurements", text], /is no measurement of kbit mix; give another file/],
    ];
    for (const [more, sentence] of refusals) {
      await expect(run(...words("refused.json", ...more)), more.join(" ")).rejects.toThrow(sentence);
    }
    const [empty, short] = ["empty.txt", "short.txt"].map((name) => join(folder, name));
    writeFileSync(empty, "");
    writeFileSync(short, "\n");
    for (const [more, sentence] of [
      [["--check", empty], /empty\.txt: The text is empty/],
      [["--check", short], /short\.txt: The text is too short for the convention windows-64-stride-64/],
      [["--text", short], /^The second half of .*short\.txt, to compare on: The text is empty/],
    ] as const) {
      await expect(run(...words("refused.json", ...more)), more.join(" ")).rejects.toThrow(sentence);
    }
    writeFileSync(join(folder, "there.json"), "{}");
    await expect(run(...words("there.json"))).rejects.toThrow(
      /^there\.json is there already; give another --out, or --force/,
    );
    expect(existsSync(join(folder, "refused.measurements.jsonl"))).toBe(false);
  });

  it("refuses a model that is quantized already", async () => {
    const args = words("again.json");
    args[1] = join(folder, "packed");
    await expect(run(...args)).rejects.toThrow(/is already at mix:\w{16}; give the original model/);
    await expect(openCheckpoint(args[1])).resolves.toBeDefined();
  });
});
