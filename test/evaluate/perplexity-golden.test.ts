// The perplexities of transformers and lm-eval, reproduced by kbit's own models on the reference kernels.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { measurePerplexity, type PerplexityOptions } from "../../src/evaluate/perplexity.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { loadModel } from "../../src/model/load.ts";
import golden from "../fixtures/evaluate-pieces/perplexity.json" with { type: "json" };

const find = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const book = readFileSync(find("models/books/heldout.txt"), "utf8");

test.each([
  ["books-0.2m", "models/books/books-0.2m"],
  ["stories260k", "test/fixtures/models/stories260k"],
] as const)("%s has the perplexities that transformers and lm-eval give it", async (name, folder) => {
  const checkpoint = await openCheckpoint(find(folder));
  const model = await loadModel(checkpoint, createReferenceKernels());
  const expected = golden[name];
  const text = book.slice(0, expected.characters);
  const tokens = model.encode(text, "default");
  expect(tokens.slice(0, 40)).toEqual(expected.first);
  expect(tokens).toHaveLength(expected.count);

  const cases: [keyof typeof expected, PerplexityOptions][] = [
    ["windows", { window: 64 }],
    ["strided", { window: 64, stride: 16 }],
    ["gptq", { convention: "gptq", window: 64 }],
    ["llama.cpp", { convention: "llama.cpp", window: 64 }],
    ["rolling", { convention: "rolling", window: 64 }],
  ];
  for (const [key, options] of cases) {
    const { nll, tokens: scored } = expected[key] as { nll: number; tokens: number };
    const result = await measurePerplexity(model, text, options);
    expect([key, result.tokens]).toEqual([key, scored]);
    expect(Math.abs(result.nll - nll), key).toBeLessThan(2e-6);
  }

  // Overlapping windows score everything but the first token: they spell the rest of the text, or, after <s>, all of it
  // and the space that SentencePiece puts before a text.
  const whole = await measurePerplexity(model, text, { window: 64, stride: 16 });
  const extra = name === "books-0.2m" ? -model.decode(tokens.slice(0, 1)).length : 1;
  expect(whole.bytes).toBe(new TextEncoder().encode(text).length + extra);
  await model.close();
  await checkpoint.close();
});
