// Studies on data sets of a Hub on this machine: the commit that was read stands in every experiment, its bytes in the key.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { runExperiment } from "../../src/study/experiment.ts";
import { planStudy } from "../../src/study/plan.ts";
import { createResources } from "../../src/study/resources.ts";
import { createStudy, parseStudy } from "../../src/study/study-file.ts";
import { type FakeHub, startFakeHub } from "../checkpoint/fake-hub.ts";

const model = fileURLToPath(new URL("../../models/books/books-0.2m", import.meta.url));
const line = (goal: string) => `${JSON.stringify({ goal, sol1: "a cup", sol2: "a hat", label: 0 })}\n`;
const first = "1".repeat(40);
const second = "2".repeat(40);
const parts = [line("To drink?"), line("To eat?")];
const commits = {
  [first]: new Map([
    ["data/validation-00000-of-00002.jsonl", Buffer.from(parts[0])],
    ["data/validation-00001-of-00002.jsonl", Buffer.from(parts[1])],
  ]),
  [second]: new Map([["data/validation.jsonl", Buffer.from(line("To wear?"))]]),
};
const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
const branches: Record<string, string> = {};
const cache = mkdtempSync(join(tmpdir(), "kbit-hub-data-"));
let hub: FakeHub;

beforeAll(async () => {
  hub = await startFakeHub({ kind: "datasets", name: "baber/piqa", branches, commits });
});
beforeEach(() => {
  branches["main"] = first;
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", cache);
  vi.stubEnv("HF_ENDPOINT", hub.url);
});
afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => {
  hub.server.closeAllConnections();
  hub.server.close();
  rmSync(cache, { recursive: true });
});

async function plan(data: string) {
  const text = JSON.stringify({ models: model, specs: "fp16", tasks: [{ task: "piqa", data }] });
  const { experiments } = await planStudy(parseStudy(text, "study.json"), { openCheckpoint, computeType: "float32" });
  return experiments[0];
}

test("a task's own data set, or another by revision and split, is measured at the commit that was read", async () => {
  const experiment = await plan("hub");
  expect(experiment.task.data).toBe(`hub:baber/piqa@${first}#validation`);
  expect(experiment.key.dataHash).toBe(hashOf(parts.join("")));
  branches["main"] = second; // moved between plan and run
  const row = await runExperiment(experiment, createResources(createReferenceKernels()));
  expect(row.metrics["acc"].n).toBe(2);
  expect(row.paths?.data).toBe(experiment.task.data);

  expect((await plan(`hub:baber/piqa@${second}#validation`)).key.dataHash).toBe(hashOf(line("To wear?")));
  expect((await plan("hub:baber/piqa@main")).task.data).toBe(`hub:baber/piqa@${second}#validation`);
});

test("what changed on the Hub after the plan is refused; without a network the cache serves", async () => {
  const { task, key } = await plan("hub");
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  const resources = createResources(createReferenceKernels());
  expect(await resources.readData(task.data, key.dataHash)).toBe(parts.join(""));
  await expect(resources.readData(task.data, "0".repeat(64))).rejects.toThrow(/piqa@1+#validation was changed while/);
});

test("a worker that may read some folders finds a file of the Hub's cache below them", async () => {
  const { task, key } = await plan(`hub:baber/piqa@${second}#validation`);
  const below = (folder: string) =>
    createResources(createReferenceKernels(), { roots: { models: [folder], data: [folder] } });
  expect(await below(cache).readData(task.data, key.dataHash)).toBe(line("To wear?"));
  await expect(below(model).readData(task.data, key.dataHash)).rejects.toThrow(/is not below .*books-0.2m/);
});

test("places that cannot be meant are refused before anything is asked", () => {
  const study = (task: object) => () =>
    parseStudy(JSON.stringify({ models: model, specs: "fp16", tasks: [task] }), "study.json");
  expect(study({ task: "piqa", data: "hub:piqa" })).toThrow(/study.json:1:\d+: "piqa" names no data set/);
  expect(study({ task: "perplexity", text: "hub:a/b#test" })).toThrow(/a task file of kind "rolling" reads texts/);
  const flags = { models: [model], specs: ["fp16"], tasks: ["piqa", "sciq"], data: "hub:a/b#test" };
  expect(() => createStudy(flags)).toThrow("--data: hub:a/b#test is one data set, but there are 2 tasks");
});
