// The bundled families: every model is there, the tasks are what their README says, the studies are the paper's grid.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { countParameters } from "../../src/model/count.ts";
import { parseStudy } from "../../src/study/study-file.ts";

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string) => readFileSync(root(path), "utf8");
const readLines = (path: string) =>
  read(path)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const readStudy = (name: string) => parseStudy(read(`experiments/${name}.yaml`), root(`experiments/${name}.yaml`));

describe("the last words", () => {
  const items: { context: string; word: string }[] = readLines("models/families/lastword.jsonl");

  test("are 2,000 at least, each once", () => {
    expect(items.length).toBeGreaterThan(2000);
    expect(new Set(items.map(({ context }) => context)).size).toBe(items.length);
  });

  test("stand in the passage before them", () => {
    const absent = items.filter(({ context, word }) => !context.split(/[^A-Za-z]+/).includes(word));
    expect(absent).toEqual([]);
    expect(items.filter(({ word }) => !/^[a-z]{2,}$/.test(word))).toEqual([]);
  });
});

describe("the continuations", () => {
  const items: { context: string; choices: [string, string]; label: number }[] = readLines(
    "models/families/continuation.jsonl",
  );
  const share = (holds: (right: string, wrong: string) => boolean) =>
    items.filter(({ choices, label }) => holds(choices[label], choices[1 - label])).length / items.length;

  test("are 2,000 at least, and no ending serves twice", () => {
    expect(items.length).toBeGreaterThan(2000);
    expect(new Set(items.map(({ context }) => context)).size).toBe(items.length);
  });

  test("cannot be told by place, by length or by their last sign", () => {
    expect(items.filter(({ label }) => label === 1).length / items.length).toBeCloseTo(0.5, 1);
    expect(share((right, wrong) => Math.abs(right.length - wrong.length) <= 1)).toBe(1);
    expect(Math.abs(share((r, w) => r.length > w.length) - share((r, w) => r.length < w.length))).toBeLessThan(0.05);
    expect(share((right, wrong) => right.at(-1) === wrong.at(-1))).toBe(1);
  });

  test("do not stand in their own passage", () => {
    expect(items.filter(({ context, choices }) => choices.some((choice) => context.includes(choice)))).toEqual([]);
  });
});

test("every model of a family is there, in the order of size, with its log", async () => {
  for (const family of readdirSync(root("models")).filter((name) => /^(neox|llama)/.test(name))) {
    const { models } = JSON.parse(read(`models/${family}/family.json`));
    const sizes: number[] = [];
    for (const { folder, trainingTokens, seed } of models) {
      const checkpoint = await openCheckpoint(root(`models/${family}/${folder}`));
      sizes.push(countParameters(checkpoint).nonEmbeddingParameters);
      await checkpoint.close();
      const log = readLines(`models/train/logs/${folder.split("/").at(-1)}.jsonl`);
      expect(log.at(-1)).toMatchObject({ event: "finished", tokens: trainingTokens });
      expect(log[0].run.seed ?? 1234).toBe(seed);
      expect(log[0].nonEmbedding).toBe(sizes.at(-1));
      expect(existsSync(root(`models/${family}/${folder}/README.md`))).toBe(true);
    }
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
  }
});

test("the study of the families is the paper's core grid", () => {
  const { specs, notes } = readStudy("families");
  const texts = specs.map(({ text }) => text);
  // 6 precisions x 4 types x 4 block sizes, without and with embedding and head, and 16 bits.
  expect(texts).toHaveLength(193);
  expect(notes).toEqual([]);
  expect(texts).toEqual(expect.arrayContaining(["fp16", "int3", "dynamic8:b1024", "quantile4:b64:embed:head"]));
  expect(readStudy("families-tasks").tasks.map(({ task, limit }) => [task, limit])).toEqual([
    ["lastword", 400],
    ["continuation", 400],
  ]);
  expect(readStudy("neox").models.length).toBeGreaterThan(3);
  expect(readStudy("llama").models.length).toBeGreaterThan(2);
});
