// The whole line on a real checkpoint with a model that only pretends, so that every number of the row is known.

import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import type { ScoreRequest } from "../../src/language-model.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { type MeasurableModel, type Resources, runExperiment } from "../../src/study/experiment.ts";
import { nameTimer, type PlannedExperiment, planStudy } from "../../src/study/plan.ts";
import { createStudy } from "../../src/study/study-file.ts";

const books = fileURLToPath(new URL("../../models/books/", import.meta.url));
const vocabulary = 1000;

/** A model that finds every token equally likely, on resources that remember what was asked of them. */
function createFakes(logProb = -Math.log(vocabulary), letter = "x") {
  const calls = { opened: 0 };
  const resources: Resources = {
    kernels: "fake",
    computeType: "float32",
    threads: 2,
    machine: "a machine",
    kbit: "1.2.3",
    openCheckpoint(path) {
      calls.opened++;
      return openCheckpoint(path);
    },
    async loadModel(checkpoint, { spec }) {
      const quantized = quantizeCheckpoint(checkpoint, spec.spec);
      // As the real one does, it reads every weight once; by that the view knows the sizes of all codebooks.
      for (const name of quantized.tensors.keys()) await quantized.read(name);
      const model: MeasurableModel = {
        name: "fake",
        vocabularySize: vocabulary,
        maxLength: 256,
        bosToken: 0,
        eosToken: 0,
        encode: (text) => text.split(" ").map((word) => word.length),
        decode: (tokens) => tokens.map((length) => letter.repeat(length)).join(letter),
        score: async (requests: readonly ScoreRequest[]) =>
          requests.map(({ continuations }) =>
            continuations.map((tokens) => ({ logProbs: new Float32Array(tokens.length).fill(logProb), greedy: false })),
          ),
        measureLatency: async () => ({ milliseconds: 2.5, standardError: 0.1, steps: 60 }),
        async close() {},
      };
      return { quantized, model };
    },
    async readData(path, hash) {
      const bytes = readFileSync(path);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(hash);
      return bytes.toString();
    },
    prepare: (_, make) => make(),
  };
  return { resources, calls };
}

const flags = { models: [`${books}books-0.2m`], text: `${books}heldout.txt`, window: 32, limit: 3 };
const planOne = async (spec: string, changes: Partial<typeof flags> = {}): Promise<PlannedExperiment> => {
  const study = createStudy({ ...flags, ...changes, specs: [spec] });
  return (await planStudy(study, { openCheckpoint, computeType: "float32" })).experiments[0];
};

test("a time is measured on the machine, kernels and threads of its key, and on no others", async () => {
  const { resources } = createFakes();
  const study = createStudy({ models: flags.models, specs: ["int4:b64"], tasks: ["latency"] });
  const plan = (threads: number) =>
    planStudy(study, { openCheckpoint, computeType: "float32", timer: nameTimer("a machine", "fake", threads) });
  const [experiment] = (await plan(2)).experiments;
  const row = await runExperiment(experiment, resources);
  expect(row).toMatchObject({
    id: experiment.id,
    key: {
      task: "latency",
      profile: "batch-1-context-128",
      limit: null,
      dataHash: createHash("sha256").update("a machine\nfake\n2 threads").digest("hex"),
    },
    metrics: { msPerToken: { value: 2.5, standardError: 0.1, n: 60 } },
    paths: { data: "" },
  });
  expect(row.documents).toBeUndefined();
  const [other] = (await plan(1)).experiments;
  expect(other.id).not.toBe(experiment.id);
  await expect(runExperiment(other, resources)).rejects.toThrow(/another machine/);
});

// GPT-NeoX of width 48 with 2 layers: QKV, output, up and down are 12 x 48^2 weights a layer.
const quantizedParameters = 2 * 12 * 48 * 48;
const parameters = 253_248;
const embeddings = 2 * 2048 * 48;

test("a row says what was measured, on what, and how large it is", async () => {
  const { resources, calls } = createFakes();
  const experiment = await planOne("int4:b64");
  const row = await runExperiment(experiment, resources);
  expect(row).toMatchObject({
    id: experiment.id,
    key: { spec: "int4:b64", task: "perplexity", limit: 3, profile: "windows-32-stride-32", computeType: "float32" },
    model: {
      name: "books-0.2m",
      family: "books",
      parameters,
      nonEmbeddingParameters: parameters - embeddings,
      quantizedParameters,
    },
    bitsPerWeight: 4,
    bits: { nominalPerParameter: 4.25, quantized: quantizedParameters * 4.25 },
    kernels: "fake",
    machine: "a machine",
    kbit: "1.2.3",
  });
  expect(row.bits.total).toBe(16 * (parameters - quantizedParameters) + 4.25 * quantizedParameters);
  expect(row.metrics["perplexity"].value).toBeCloseTo(vocabulary, 2);
  expect(row.metrics["nll"]).toMatchObject({ n: 3 * 31 });
  expect(calls).toEqual({ opened: 1 });
  // The documents of the loss are its windows, 31 scored tokens each.
  const { values, weights } = row.documents!["nll"];
  expect(weights).toEqual(Float32Array.of(31, 31, 31));
  expect([...values]).toEqual([0, 1, 2].map(() => expect.closeTo(31 * Math.log(vocabulary), 3)));
});

test("a row's paths are relative below the working folder, absolute elsewhere", async () => {
  const { resources } = createFakes();
  const { paths } = await runExperiment(await planOne("int4:b64"), resources);
  expect(paths).toEqual({ model: "models/books/books-0.2m", data: "models/books/heldout.txt" });
  const elsewhere = vi.spyOn(process, "cwd").mockReturnValue(`${books}books-0.4m`);
  const row = await runExperiment(await planOne("int4:b64"), resources);
  elsewhere.mockRestore();
  expect(row.paths).toEqual({ model: resolve(books, "books-0.2m"), data: resolve(books, "heldout.txt") });
});

test("a baseline is as many bits as its name says", async () => {
  const { resources } = createFakes();
  for (const [spec, bits] of [
    ["fp16", 16],
    ["bf16", 16],
    ["fp32", 32],
    ["stored", 16],
  ] as const) {
    const row = await runExperiment(await planOne(spec), resources);
    expect([row.bitsPerWeight, row.bits.total]).toEqual([bits, bits * parameters]);
  }
});

test("a metric that is not a number is refused", async () => {
  // Tokens that spell nothing, each certain: 0 bits by 0 bytes.
  const { resources } = createFakes(0, "");
  await expect(runExperiment(await planOne("int4"), resources)).rejects.toThrow(
    "books-0.2m at int4 on perplexity gives no number for bitsPerByte.",
  );
});

test("a row that would stand under another convention or compute type than it was measured in is refused", async () => {
  const { resources } = createFakes();
  const experiment = await planOne("int4");
  const other = (changes: Partial<PlannedExperiment["key"]>) =>
    runExperiment({ ...experiment, key: { ...experiment.key, ...changes } }, resources);
  await expect(other({ profile: "windows-64-stride-64" })).rejects.toThrow("measured by windows-32-stride-32");
  await expect(other({ computeType: "bfloat16" })).rejects.toThrow("measured in float32");
});

test("a plan's id is that of the key, and everything that matters is in the key", async () => {
  const { id } = await planOne("int4:b64");
  expect((await planOne("int4:b64")).id).toBe(id);
  expect((await planOne("int4:b64", { window: 256 })).id).not.toBe(id);
  expect((await planOne("int4:b64", { limit: 4 })).id).not.toBe(id);
  expect((await planOne("int4")).id).not.toBe(id);
  expect((await planOne("int4:b64", { models: [`${books}books-0.4m`] })).id).not.toBe(id);
  expect((await planOne("int4:b64", { text: `${books}README.md` })).id).not.toBe(id);
});

test("a task of the user's own is measured, and what its file says is part of the key", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kbit-own-task-"));
  const quiz = {
    name: "quiz",
    version: "1",
    kind: "choice",
    context: "Is it {{a}}?",
    choices: ["yes", "no"],
    gold: "{{b}}",
  };
  const plan = async (text: string) => {
    writeFileSync(join(folder, "quiz.json"), text);
    const study = createStudy({ models: flags.models, specs: ["int4"], tasks: [join(folder, "quiz.json")] });
    return (await planStudy(study, { openCheckpoint, computeType: "float32" })).experiments[0];
  };
  writeFileSync(join(folder, "quiz.jsonl"), '{"a": "so", "b": "no"}\n{"a": "not", "b": "yes"}\n');
  const experiment = await plan(JSON.stringify(quiz));
  expect(experiment.key).toMatchObject({ task: "quiz", taskVersion: expect.stringMatching(/^1-[0-9a-f]{12}$/) });

  const { resources } = createFakes();
  const row = await runExperiment(experiment, resources);
  // Every token is as likely, so the first choice is taken: right once in two.
  expect(row.metrics["acc"]).toMatchObject({ value: 0.5, n: 2, chance: 0.5 });
  expect(row.paths).toMatchObject({ task: join(folder, "quiz.json"), data: join(folder, "quiz.jsonl") });

  expect((await plan(JSON.stringify(quiz, null, 2))).id).toBe(experiment.id); // white space says nothing
  expect((await plan(JSON.stringify({ ...quiz, context: "{{a}}?" }))).id).not.toBe(experiment.id);
  rmSync(folder, { recursive: true });
});

test("a window that is not given is planned as it will be measured", async () => {
  const { resources } = createFakes();
  const row = await runExperiment(await planOne("int4", { window: undefined }), resources);
  expect(row.key.profile).toBe("windows-256-stride-256");
});

test("a plan runs the cheapest first", async () => {
  const study = createStudy({ ...flags, models: [books], specs: ["int4", "fp16"] });
  const plan = await planStudy(study, { openCheckpoint, computeType: "float32" });
  const names = plan.experiments.map(({ model }) => model.name);
  expect(names).toEqual(
    ["0.2m", "0.2m", "0.4m", "0.4m", "0.8m", "0.8m", "1.7m", "1.7m"].map((size) => `books-${size}`),
  );
});
