// What layers read and how predictors of outliers rank it, against transformers' hooks and SciPy.

import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { correlateInputs, describeOutliers, formatOutliers, type OutlierPage } from "../../src/cli/inspect-outliers.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { openFixture, openModel, readJson, root } from "../model/open.ts";

interface GoldenLayer {
  readonly tokens: number;
  readonly mean: { readonly previous: number; readonly self: number };
  readonly largest: { readonly previous: number; readonly self: number };
  readonly spread: number;
  readonly inputs: readonly number[];
}
const golden: { tokens: number[]; models: Record<string, Record<string, GoldenLayer>> } = readJson(
  "test/fixtures/evaluation/outliers.json",
);
const books = "models/books/books-0.2m";
const text = readFileSync(`${root}models/books/heldout.txt`, "utf8");

async function inspectBooks(window?: number): Promise<OutlierPage> {
  const kernels = await selectKernels({ threads: 1 });
  onTestFinished(() => kernels.close());
  const limit = window === undefined ? 4 : (4 * 256) / window;
  return describeOutliers(await openFixture(books), kernels, { file: "heldout.txt", text, limit, window });
}

describe("inputs of layers", () => {
  it.each(Object.keys(golden.models).filter((name) => name !== books))(
    "are those of transformers: %s",
    async (name) => {
      for (const maxTokens of [2048, 5]) {
        const model = await openModel(name, { maxTokens });
        const means = new Map<string, { sums: Float64Array; tokens: number }>();
        for await (const { name, tokens, values } of model.readInputs(golden.tokens)) {
          const columns = values.length / tokens;
          const { sums, tokens: before } = means.get(name) ?? { sums: new Float64Array(columns), tokens: 0 };
          for (let i = 0; i < values.length; i++) sums[i % columns] += Math.abs(values[i]);
          means.set(name, { sums, tokens: before + tokens });
        }
        const expected = golden.models[name];
        const inBlocks = [...means.keys()].filter((layer) => /\.(layers|h)\.\d/.test(layer));
        expect(inBlocks.sort()).toEqual(Object.keys(expected).sort());
        for (const [layer, { inputs, tokens }] of Object.entries(expected)) {
          const own = means.get(layer)!;
          expect(own.tokens).toBe(tokens);
          for (const [c, value] of inputs.entries()) {
            expect(Math.abs(own.sums[c] / tokens - value), layer).toBeLessThan(1e-4 * value + 1e-5);
          }
        }
      }
    },
  );

  it("do not change what a forward gives, and a forward without a watcher asks for nothing", async () => {
    const kernels = createReferenceKernels();
    let reads = 0;
    const counting = {
      ...kernels,
      read(...args: Parameters<typeof kernels.read>) {
        reads++;
        return kernels.read(...args);
      },
    };
    const model = await openModel("test/fixtures/architectures/opt", {}, counting);
    const before = await model.logits(golden.tokens);
    const plain = reads;
    for await (const _ of model.readInputs(golden.tokens)) _;
    expect(reads - plain).toBe(12);
    reads = 0;
    expect(await model.logits(golden.tokens)).toEqual(before);
    expect(reads).toBe(plain);
  });
});

describe("rank correlations", () => {
  it("of a trained model are SciPy's over transformers' hooks", async () => {
    const page = await inspectBooks();
    expect(page).toMatchObject({ windows: 4, tokens: 1024, convention: "windows-256-stride-256" });
    expect(page.layers.map(({ name }) => name).sort()).toEqual(Object.keys(golden.models[books]).sort());
    for (const { name, mean, largest, spread } of page.layers) {
      const expected = golden.models[books][name];
      // Near-equal magnitudes may change places in float32.
      for (const rule of ["previous", "self"] as const) {
        expect(Math.abs(mean[rule]! - expected.mean[rule]), name).toBeLessThan(2e-3);
        expect(Math.abs(largest[rule]! - expected.largest[rule]), name).toBeLessThan(2e-3);
      }
      expect(spread / expected.spread).toBeCloseTo(1, 3);
    }
  });

  it("stand in a table by what writes what, averaged over layers, or each for itself", async () => {
    const page = await inspectBooks();
    const types = page.types.map(({ type, layers }) => `${type}: ${layers}`);
    expect(types).toEqual([
      "embedding -> q, k, v: 1",
      "q, k, v -> out: 2",
      "embedding -> up: 1",
      "up -> down: 2",
      "out, down -> q, k, v: 1",
      "out, down -> up: 1",
    ]);
    const [, outs] = page.types;
    const own = page.layers.filter(({ type }) => type === outs.type);
    expect(outs.mean.previous).toBeCloseTo(own.reduce((sum, { mean }) => sum + mean.previous!, 0) / own.length, 12);
    const table = formatOutliers(page, false);
    const [, ...belowThePath] = table.split("\n");
    expect(belowThePath.every((line) => line.length <= 100)).toBe(true);
    expect(table).toMatch(/q, k, v -> out +2 +\d+ +-?0\.\d\d +-?0\.\d\d/);
    expect(formatOutliers(page, true)).toMatch(/gpt_neox\.layers\.1\.mlp\.dense_4h_to_h\.weight +\d+ /);
  });

  it("need the original weights", async () => {
    const packed = quantizeCheckpoint(await openFixture(books), parseSpec("nf4:b64"));
    const asked = describeOutliers(packed, createReferenceKernels(), { file: "x", text, limit: 1 });
    await expect(asked).rejects.toThrow(/is at nf4:b64; what tells outliers is in the weights of the original model/);
    const empty = describeOutliers(await openFixture(books), createReferenceKernels(), {
      file: "x",
      text: "",
      limit: 1,
    });
    await expect(empty).rejects.toThrow("x is empty; give a text with at least two tokens.");
  });

  it.each(["opt", "gpt2", "llama-gqa-llama3"])("of random weights with their own wiring too: %s", async (name) => {
    const path = `test/fixtures/architectures/${name}`;
    const checkpoint = await openFixture(path);
    const layers = await correlateInputs(checkpoint, await openModel(path), [golden.tokens]);
    expect(layers).toHaveLength(Object.keys(golden.models[path]).length);
    for (const { name, mean, largest, spread } of layers) {
      const expected = golden.models[path][name];
      for (const rule of ["previous", "self"] as const) {
        expect(mean[rule], `${name} ${rule}`).toBeCloseTo(expected.mean[rule], 6);
        expect(largest[rule], `${name} ${rule}`).toBeCloseTo(expected.largest[rule], 6);
      }
      expect(spread).toBeCloseTo(expected.spread, 4);
    }
  });

  it("do not depend on the windows' lengths beyond what the model then sees", async () => {
    const [long, short] = [await inspectBooks(), await inspectBooks(64)];
    expect(short).toMatchObject({ windows: 16, tokens: 1024, convention: "windows-64-stride-64" });
    expect(short.layers.at(-1)!.mean).not.toEqual(long.layers.at(-1)!.mean);
  });
});
