// kbit inspect: what it prints, in text and in JSON, for specs and for models.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { writePackedCheckpoint } from "../../src/checkpoint/write-packed-node.ts";
import { addInspectCommand } from "../../src/cli/inspect.ts";
import { describeMachine, formatMachine } from "../../src/cli/inspect-machine.ts";
import { drawBar, drawNumberLine } from "../../src/cli/number-line.ts";
import { countBits } from "../../src/model/count.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const llama = `${fixtures}architectures/llama`;

/** Runs the command in this process. @throws InputError as the command does */
async function inspect(...args: string[]): Promise<string> {
  let stdout = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    stdout += text;
    return true;
  });
  try {
    const program = new Command().exitOverride();
    addInspectCommand(program);
    await program.parseAsync(["inspect", ...args], { from: "user" });
    return stdout;
  } finally {
    write.mockRestore();
  }
}

const inspectJson = async (...args: string[]) => JSON.parse(await inspect(...args, "--json"));

describe("inspecting a spec", () => {
  it("gives codebook, bits and accounting as JSON", async () => {
    const page = await inspectJson("float4:e3");
    const positive = [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1];
    expect(page.codebook).toEqual([...positive.map((value) => -value).reverse(), 0, ...positive]);
    expect(page).toMatchObject({ bits: 4, kind: "quantized", codebookBits: 0 });
    expect(page.bitsPerWeight).toEqual({ codes: 4, scales: 0, outliers: 0, total: 4 });
    const proxy = (await inspectJson("int3:b64:proxy2")).bitsPerWeight;
    expect(proxy.scales).toBeCloseTo(0.25, 12);
    expect(proxy.outliers).toBeCloseTo(0.26, 12);
    expect(proxy.total).toBeCloseTo(3.51, 12);
  });

  it("says that the quantiles shown are those of N(0, 1)", async () => {
    const page = await inspectJson("quantile3");
    expect(page.codebookOf).toBe("N(0, 1)");
    const expected = [-1, -0.540281, -0.249862, 0, 0.249862, 0.540281, 1];
    for (const [i, value] of page.codebook.entries()) expect(value).toBeCloseTo(expected[i], 5);
    expect(page.codebookBits).toBe(16 * 7);
    expect(await inspect("quantile3")).toMatch(/values +of N\(0, 1\); each tensor has its own/);
  });

  it("shows formula, source and the error on normal weights in a few lines", async () => {
    const text = await inspect("nf4:b64");
    expect(text).toMatch(/NormalFloat, 4 bits, 16 values\n/);
    expect(text).toMatch(/formula .*quantiles of N\(0, 1\)/);
    expect(text).toMatch(/source .*QLoRA/);
    expect(text).toMatch(/bits +4 code \+ 0\.25 scales = 4\.25 a weight \(nominal\)/);
    expect(Number(/error +(\S+) normalized MSE/.exec(text)![1])).toBeCloseTo(8.46e-3, 3);
    expect(text.split("\n").length).toBeLessThan(20);
  });

  it("explains a baseline, and refuses what is neither model nor spec with the nearest name", async () => {
    expect(await inspect("bf16")).toBe("bf16: every floating-point weight in bf16\n");
    expect(await inspectJson("stored")).toMatchObject({ bits: null });
    await expect(inspect("flot4")).rejects.toThrow(/no file or folder flot4, .*did you mean "float4?"/);
    await expect(inspect("int4", "--spec", "int3")).rejects.toThrow(/--spec goes with a model/);
  });
});

describe("inspecting a model", () => {
  it("summarises its layers, with what is quantized and why", async () => {
    const text = await inspect(llama);
    expect(text).toMatch(/llama, [\d,]+ parameters/);
    expect(text).toMatch(/model\.layers\.\*\.mlp\.down_proj\.weight +2 .*ffn down .* yes$/m);
    expect(text).toMatch(/lm_head\.weight .*head .* no$/m);
    expect(text).toMatch(/^not quantized: head; add :head to quantize it$/m);
    expect(text).not.toContain("layers.0.mlp");
    const all = await inspect(llama, "--all");
    const { columns } = process.stdout;
    process.stdout.columns = 80;
    const narrow = await inspect(llama, "--spec", "int4:b64:proxy2", "--all").finally(() => {
      process.stdout.columns = columns;
    });
    for (const [width, wide] of [
      [100, await inspect(llama, "--spec", "int4:b64:proxy2", "--all")],
      [80, narrow],
    ] as const) {
      const [table] = wide.slice(wide.indexOf("tensor ")).split("\n\n");
      expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(width);
      expect(table).toMatch(/^model\.layers\.0\..*own_proj\.weight .* \d\.\d{3} .* 0\.0\d+ .* yes$/m);
    }
    expect(all).toContain("model.layers.0.mlp.down_proj.weight");
    expect(all).toContain("model.layers.1.input_layernorm.weight");
  });

  it("measures every matrix at a spec", async () => {
    const page = await inspectJson(llama, "--spec", "int4:b32:proxy10");
    const checkpoint = await openCheckpoint(llama);
    onTestFinished(() => checkpoint.close());
    expect(page.bits).toEqual(await countBits(quantizeCheckpoint(checkpoint, parseSpec("int4:b32:proxy10"))));
    expect(page.totalModelBits).toBe(
      page.tensors.reduce((sum: number, tensor: { bits: number }) => sum + tensor.bits, 0),
    );
    const down = page.tensors.find(({ name }: { name: string }) => name === "model.layers.0.mlp.down_proj.weight");
    expect(down).toMatchObject({ part: "ffn", operation: "down", layer: 0, quantized: true });
    expect(down.normalizedMse).toBeGreaterThan(0.001);
    expect(down.normalizedMse).toBeLessThan(0.03);
    expect(down.outlierColumns).toHaveLength(Math.round(down.shape[1] / 10));
    expect(down.codesUsed).toBe(15 / 16);
    expect(down.entropy).toBeGreaterThan(3);
    const outliers = page.tensors.reduce(
      (sum: number, tensor: { outlierColumns?: number[]; shape: number[] }) =>
        sum + (tensor.outlierColumns?.length ?? 0) * tensor.shape[0],
      0,
    );
    const counted = page.histogram.counts.reduce((sum: number, n: number) => sum + n, 0);
    expect(counted).toBe(page.quantizedParameters - outliers);
    expect(page.histogram.codebook).toHaveLength(15);
  });

  it("of a packed checkpoint shows the use of codes, but no error, since the original is not there", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kbit-inspect-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const checkpoint = await openCheckpoint(llama);
    onTestFinished(() => checkpoint.close());
    await writePackedCheckpoint(quantizeCheckpoint(checkpoint, parseSpec("nf4:b64")), join(folder, "out"));
    const page = await inspectJson(join(folder, "out"));
    const original = await inspectJson(llama, "--spec", "nf4:b64");
    expect(page.spec).toBe("nf4:b64");
    expect(page.normalizedMse).toBeNull();
    expect(page.histogram).toEqual(original.histogram);
    expect(page.bits).toEqual(original.bits);
    expect(await inspect(join(folder, "out"))).toMatch(/mlp\.down_proj\.weight .* nf4 .*unknown/);
  });

  it("marks the copy of a tied head as not needed", async () => {
    const text = await inspect(`${fixtures}architectures/gpt2-torch-legacy`);
    expect(text).toMatch(
      /lm_head\.weight .* no$[\s\S]*^not quantized: not needed: a mask, or the copy of a tied head$/m,
    );
  });
});

describe("this machine", () => {
  it("shows which kernels run, why others do not, and what bounds them", async () => {
    const page = await describeMachine(1);
    expect(page.kernels.find(({ name }) => name === page.runs)?.reason).toBeUndefined();
    expect(page.kernels.map(({ name }) => name)).toEqual(expect.arrayContaining(["native", "wasm", "reference"]));
    if (page.gigabytesPerSecond !== undefined) {
      expect(page.gigabytesPerSecond).toBeGreaterThan(0.1);
      expect(page.gigaflops!.float32).toBeGreaterThan(0.1);
    }
    const kernels = [{ name: "native-avx512", reason: "it lacks avx512f" }, { name: "wasm" }];
    const text = formatMachine({ ...page, kernels, runs: "wasm" });
    expect(text).toMatch(/native-avx512 +it lacks avx512f/);
    expect(text).toMatch(/wasm +runs/);
  });
});

describe("pictures", () => {
  it("put each value at its place on the line", () => {
    expect(drawNumberLine([-1, -0.5, 0, 1, 1], 9)).toBe("┼─┼─┼───╫\n-1  0   1");
  });

  it("draw bars in eighths of a cell", () => {
    expect([0, 0.5, 1, 0.3125, 2].map((share) => drawBar(share, 2))).toEqual(["", "█", "██", "▋", "██"]);
  });
});

describe("inspecting what layers read", () => {
  const books = fileURLToPath(new URL("../../models/books/", import.meta.url));

  it("prints the paper's Table 2 for a model and a text, and in JSON every layer", async () => {
    const args = [
      `${books}books-0.2m`,
      "--outliers",
      "--text",
      `${books}heldout.txt`,
      "--limit",
      "2",
      "--threads",
      "1",
    ];
    expect(await inspect(...args)).toMatch(
      /on heldout\.txt: windows-256-stride-256, 512 tokens in 2 windows\n\nwritten by/,
    );
    const page = await inspectJson(...args);
    expect(page).toMatchObject({ windows: 2, tokens: 512 });
    expect(page.layers).toHaveLength(8);
    for (const { mean } of page.layers) expect(Math.abs(mean.previous)).toBeLessThanOrEqual(1);
  });

  it("says in a sentence what is missing or does not go together", async () => {
    const model = `${books}books-0.2m`;
    const text = `${books}heldout.txt`;
    await expect(inspect(model, "--outliers")).rejects.toThrow(/needs the text .* say --text FILE/);
    await expect(inspect("--outliers", "--text", text)).rejects.toThrow("--outliers needs a model.");
    await expect(inspect(model, "--text", text)).rejects.toThrow("--text goes with --outliers.");
    await expect(inspect(model, "--outliers", "--text", text, "--spec", "nf4")).rejects.toThrow(/leave out --spec/);
  });
});

describe("inspecting a mix", () => {
  it("shows its specs by pattern, and of a model each tensor's own", async () => {
    const folder = mkdtempSync(join(tmpdir(), "kbit-inspect-mix-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "m.json");
    writeFileSync(path, '{"default": "nf4:b16", "*.down_proj.weight": "int8:b16"}');
    expect(await inspect(`mix:${path}`)).toMatch(
      /^mix:[0-9a-f]{16}: matrices at different specs.*\ndefault +nf4:b16\n/s,
    );
    const spec = await inspectJson(`mix:${path}`);
    expect(spec).toMatchObject({ kind: "mix", bits: null, entries: { "*.down_proj.weight": "int8:b16" } });
    const page = await inspectJson(llama, "--spec", `mix:${path}`);
    const specs = page.tensors.map(({ name, spec }: { name: string; spec?: string }) => [name.split(".").at(-2), spec]);
    expect(Object.fromEntries(specs)).toMatchObject({ down_proj: "int8:b16", up_proj: "nf4:b16" });
    expect(Object.fromEntries(specs).norm).toBeUndefined();
    expect(page.histogram).toBeUndefined();
    expect(await inspect(llama, "--spec", `mix:${path}`)).toMatch(/down_proj.* int8:b16 /);
    await expect(inspect(`mix:${join(folder, "none.json")}`)).rejects.toThrow(/There is no file .*none\.json/);
  });
});
