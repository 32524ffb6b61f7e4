// What experiments share: opened, read and prepared once, and refused when it is not what was planned.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import type { PreparedText } from "../../src/evaluate/perplexity.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { runExperiment } from "../../src/study/experiment.ts";
import { planStudy } from "../../src/study/plan.ts";
import { createResources } from "../../src/study/resources.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kbit-resources-"));
afterAll(() => rmSync(folder, { recursive: true }));
const model = join(folder, "model");
cpSync(join(books, "books-0.2m"), model, { recursive: true });
const text = join(folder, "text.txt");
writeFileSync(text, "Plain text.");

const plan = async (spec = "fp16") => {
  const study = createStudy({ models: [model], specs: [spec], text, limit: 1 });
  return (await planStudy(study, { openCheckpoint, computeType: "float32" })).experiments[0];
};

test("a checkpoint is opened once, and each weight read once for all specs", async () => {
  const resources = createResources(createReferenceKernels());
  const { key } = await plan();
  const checkpoint = await resources.openCheckpoint(model, key);
  expect(await resources.openCheckpoint(model, key)).toBe(checkpoint);
  const plain = await openCheckpoint(model);
  for (const name of checkpoint.tensors.keys()) {
    const weight = await checkpoint.read(name);
    expect(weight).toEqual(await plain.read(name));
    expect(await checkpoint.read(name)).toBe(weight);
  }
  await plain.close();
});

describe("what experiments prepare", () => {
  const requestsOf = (tokens: number) => [
    { context: [0], continuations: [Array.from({ length: tokens - 1 }, () => 1)] },
  ];
  const prepared = (tokens: number): PreparedText => {
    return { name: "", convention: "windows", requests: requestsOf(tokens), bytes: 1, words: undefined };
  };

  test("is made once for each key, and made again where it failed", async () => {
    const { prepare } = createResources(createReferenceKernels());
    const make = vi.fn(async () => prepared(10));
    const [first, second] = await Promise.all([prepare("a", make), prepare("a", make)]);
    expect(second).toBe(first);
    expect(await prepare("b", make)).not.toBe(first);
    expect(make).toHaveBeenCalledTimes(2);
    await expect(prepare("c", () => Promise.reject(new Error("no text")))).rejects.toThrow("no text");
    await expect(prepare("c", make)).resolves.toBeDefined();
  });

  test("is let go, what came first first, where it is too much", async () => {
    const { prepare } = createResources(createReferenceKernels());
    const make = vi.fn(async () => prepared(1_400_000));
    for (const key of ["a", "b", "c", "b", "c"]) await prepare(key, make);
    expect(make).toHaveBeenCalledTimes(3);
    await prepare("a", make);
    expect(make).toHaveBeenCalledTimes(4);
  });

  test("is shared by specs of one model on one text, and scores as it does alone", async () => {
    const shared = createResources(createReferenceKernels());
    const data = vi.spyOn(shared, "readData");
    for (const spec of ["fp16", "int4"]) {
      const experiment = await plan(spec);
      const { metrics, documents } = await runExperiment(experiment, shared);
      const alone = await runExperiment(experiment, createResources(createReferenceKernels()));
      expect({ metrics, documents }).toEqual({ metrics: alone.metrics, documents: alone.documents });
    }
    expect(data).toHaveBeenCalledOnce();
  });
});

test("a model stays loaded for the tasks of its spec, and is let go before the next", async () => {
  const resources = createResources(createReferenceKernels());
  const [experiment, coarse] = [await plan(), await plan("int4")];
  const checkpoint = await resources.openCheckpoint(model, experiment.key);
  const first = await resources.loadModel(checkpoint, experiment);
  expect(await resources.loadModel(checkpoint, { ...experiment, id: "another task" })).toBe(first);
  const close = vi.spyOn(first.model, "close");
  const second = await resources.loadModel(checkpoint, coarse);
  expect(second.quantized.spec).toMatchObject({ bits: 4 });
  expect(close).toHaveBeenCalledOnce();
  await second.model.close();
});

describe("below its roots", () => {
  const place = join(folder, "roots");
  const [models, data] = ["models", "data"].map((name) => join(place, name));
  for (const path of [join(models, "deep/renamed"), data]) mkdirSync(path, { recursive: true });
  cpSync(join(books, "books-0.2m"), join(models, "deep/renamed"), { recursive: true });
  writeFileSync(join(data, "text.txt"), "Plain text.");
  const roots = { models: [models], data: [data] };

  test("a worker finds a model and a text of another machine's paths by what they hold", async () => {
    const resources = createResources(createReferenceKernels(), { roots });
    const { key } = await plan();
    const checkpoint = await resources.openCheckpoint("/elsewhere/model", key);
    expect(checkpoint.source).toContain(join(models, "deep/renamed"));
    expect(await resources.readData("/elsewhere/of/text.txt", key.dataHash)).toBe("Plain text.");
  });

  test("a worker reads nothing else, neither by path nor through links", async () => {
    const { key } = await plan();
    const outside = { models: [join(place, "few")], data: [join(place, "few")] };
    mkdirSync(outside.data[0], { recursive: true });
    symlinkSync(model, join(outside.data[0], "model"));
    symlinkSync(text, join(outside.data[0], "text.txt"));
    mkdirSync(join(outside.data[0], "linked"));
    for (const file of readdirSync(model)) symlinkSync(join(model, file), join(outside.data[0], "linked", file));
    const resources = createResources(createReferenceKernels(), { roots: outside });
    const absent = /^The (model|data file) .* is not below .*few; copy it there/;
    for (const path of [model, "few/../../model", "linked", join(outside.data[0], "linked"), "org/name"])
      await expect(resources.openCheckpoint(path, key)).rejects.toThrow(absent);
    await expect(resources.readData(text, key.dataHash)).rejects.toThrow(absent);
    expect(() => createResources(createReferenceKernels(), { roots: { ...roots, data: [text] } })).toThrow(
      /There is no folder/,
    );
  });

  test("a model that is another than was planned is refused", async () => {
    const { key } = await plan();
    const changed = { ...key, weightsHash: "0".repeat(64) };
    const resources = createResources(createReferenceKernels(), { roots });
    await expect(resources.openCheckpoint(join(models, "deep/renamed"), changed)).rejects.toThrow(
      /renamed was changed while the study ran/,
    );
  });
});

test("a model or a text that was changed after the plan is refused", async () => {
  const resources = createResources(createReferenceKernels());
  const { key } = await plan();
  expect(await resources.readData(text, key.dataHash)).toBe("Plain text.");
  const config = readFileSync(join(model, "config.json"), "utf8");
  writeFileSync(join(model, "config.json"), config.replace('"rotary_pct": 0.25', '"rotary_pct": 0.5'));
  writeFileSync(text, "Other text.");
  await expect(resources.openCheckpoint(model, key)).rejects.toThrow(/model was changed while the study ran/);
  await expect(createResources(createReferenceKernels()).readData(text, key.dataHash)).rejects.toThrow(
    /text\.txt was changed while the study ran/,
  );
  writeFileSync(join(model, "config.json"), config);
  await expect(resources.openCheckpoint(model, key)).resolves.toBeDefined();
});

test("a text that is not UTF-8 is refused", async () => {
  writeFileSync(text, Uint8Array.of(0x41, 0xff, 0xfe));
  const { key } = await plan();
  const resources = createResources(createReferenceKernels());
  await expect(resources.readData(text, key.dataHash)).rejects.toThrow(/text\.txt is not UTF-8 text; convert it\./);
});
