// A real model that others trained reproduces its published greedy text exactly.

import { describe, expect, test } from "vitest";
import { openModel } from "./open.ts";

// Published: https://github.com/karpathy/llama2.c, doc/stories260K.md (./run stories260K/stories260K.bin -t 0.0).
const published =
  "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.\n" +
  "Lily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. She said, \"I want to play with your ball, but I can't find it.\"\n" +
  "Lily was sad and didn't know what to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\n" +
  "Lily didn't want to help her mom, so she said, \"I'm sorry, mom. I didn't know what to do.\" Her mom said, \"Don't worry, Lily. We can help you.";

const stories = "test/fixtures/models/stories260k";

async function collect(tokens: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}

describe("stories260k", () => {
  test("writes its published greedy text from the beginning token alone", async () => {
    const model = await openModel(stories);
    const written = await collect(model.generate([model.bosToken!], { maxTokens: 256 }));
    expect(model.decode(written).slice(0, published.length)).toBe(published);
  });

  test("writes the same whether the prompt is fed at once or in parts", async () => {
    const prompt = "Once upon a time, there was a little girl named Lily. She loved to";
    const texts: string[] = [];
    for (const maxTokens of [5, 512]) {
      const model = await openModel(stories, { maxTokens });
      const tokens = model.encode(prompt, "none");
      const written = await collect(model.generate([model.bosToken!, ...tokens], { maxTokens: 20 }));
      texts.push(model.decode([...tokens, ...written]));
    }
    expect(texts[0]).toBe(texts[1]);
    expect(published.startsWith(texts[0])).toBe(true);
  });

  test("samples by its seed: the same twice, another with another seed", async () => {
    const model = await openModel(stories);
    const write = (seed: number) =>
      collect(model.generate([1], { maxTokens: 30, temperature: 1, topK: 50, topP: 0.95, seed }));
    const first = await write(1);
    expect(await write(1)).toEqual(first);
    expect(await write(2)).not.toEqual(first);
  });

  test("stops when its length is full, and refuses a prompt that is longer", async () => {
    const model = await openModel(stories);
    const prompt = new Array(model.maxLength - 2).fill(300);
    expect(await collect(model.generate(prompt, { maxTokens: 10 }))).toHaveLength(3);
    const long = model.generate(new Array(model.maxLength + 1).fill(300));
    await expect(collect(long)).rejects.toThrow("The prompt has 513 tokens; the model takes at most 512.");
    await expect(collect(model.generate([]))).rejects.toThrow("The prompt is empty");
  });

  test("ends at a stop token without giving it", async () => {
    const model = await openModel(stories);
    const free = await collect(model.generate([1], { maxTokens: 40 }));
    const stop = free[12];
    (model.stopTokens as Set<number>).add(stop);
    expect(await collect(model.generate([1], { maxTokens: 40 }))).toEqual(free.slice(0, free.indexOf(stop)));
  });

  test.each([
    ["temperature", -1],
    ["topP", 0],
    ["topK", 1.5],
    ["minP", 2],
    ["repetitionPenalty", 0],
    ["maxTokens", Number.NaN],
  ])("refuses %s %s", async (name, value) => {
    const model = await openModel(stories);
    await expect(collect(model.generate([1], { [name]: value }))).rejects.toThrow(`${name} is ${value}`);
  });
});
