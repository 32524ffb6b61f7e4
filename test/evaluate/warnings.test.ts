// Notes on tokenizers and cut documents, and the model that remembers its scores.

import { expect, test } from "vitest";
import { cacheScores, type ScoreStore } from "../../src/evaluate/cached-model.ts";
import { evaluateTask } from "../../src/evaluate/task.ts";
import { lambadaOpenai } from "../../src/evaluate/tasks/lambada_openai.ts";
import { piqa } from "../../src/evaluate/tasks/piqa.ts";
import { listTokenizerWarnings, listWindowWarnings } from "../../src/evaluate/warnings.ts";
import type { ContinuationScore } from "../../src/language-model.ts";
import { createFakeModel } from "./fake-model.ts";

test("a tokenizer that loses something is named with the place; one that does not is not", () => {
  const lossy = createFakeModel({ encode: (text) => [...new TextEncoder().encode(text.replaceAll("\u2019", "?"))] });
  const texts = ["plain", "it\u2019s"];
  expect(listTokenizerWarnings(createFakeModel(), texts, "default")).toEqual([]);
  expect(listTokenizerWarnings(lossy, texts, "default")).toEqual([
    expect.stringMatching(
      /^The tokenizer of fake does not give back 1 of 2 texts tried, such as "\u2019s" \(read as "\?s"\)/,
    ),
  ]);
  const spaced = createFakeModel({ decode: (tokens) => ` ${new TextDecoder().decode(Uint8Array.from(tokens))}` });
  expect(listTokenizerWarnings(spaced, texts, "default")).toEqual([]);
});

test("a profile that leaves out the tokenizer's own beginning-of-text token is noted", () => {
  expect(listTokenizerWarnings(createFakeModel(), ["a"], "none")).toEqual([expect.stringMatching(/leaves it out/)]);
  const without = createFakeModel({ encode: (text) => [...new TextEncoder().encode(text)] });
  expect(listTokenizerWarnings(without, ["a"], "none")).toEqual([]);
});

test("windows after the first that lack the tokenizer's own beginning-of-text token are noted", () => {
  const model = createFakeModel();
  for (const convention of ["windows-16-stride-8", "gptq-16"])
    expect(listWindowWarnings(model, convention, 3)).toEqual([
      expect.stringMatching(/only the first of 3 windows begins with it; .*--convention windows-bos/),
    ]);
  for (const convention of ["windows-bos-16-stride-15", "llama.cpp-16", "rolling-16-lm-eval-0.4.9.2"])
    expect(listWindowWarnings(model, convention, 3)).toEqual([]);
  expect(listWindowWarnings(model, "windows-16-stride-16", 1)).toEqual([]);
  const without = createFakeModel({ encode: (text) => [...new TextEncoder().encode(text)] });
  expect(listWindowWarnings(without, "windows-16-stride-16", 3)).toEqual([]);
});

test("documents whose beginning is cut are counted once each", async () => {
  const documents = [
    { goal: "g", sol1: "a", sol2: "b", label: 0 },
    { goal: "a goal that is far too long", sol1: "a", sol2: "b", label: 0 },
  ];
  const { cut } = await evaluateTask(createFakeModel({ maxLength: 24 }), piqa, documents);
  expect(cut).toBe(1);
});

function createMemoryStore(): ScoreStore & { size(): number } {
  const kept = new Map<string, readonly ContinuationScore[]>();
  return {
    size: () => kept.size,
    find: (request) => kept.get(JSON.stringify(request)),
    keep(requests, scores) {
      requests.forEach((request, i) => {
        kept.set(JSON.stringify(request), scores[i]);
      });
    },
  };
}

test("an evaluation that was interrupted asks only for what is missing, and ends with the same result", async () => {
  const documents = Array.from({ length: 3000 }, (_, i) => ({ text: `${"abcdefg"[i % 7]}${i} words end` }));
  const options = { bootstrapIterations: 0 };
  const expected = await evaluateTask(createFakeModel({ maxLength: 40 }), lambadaOpenai, documents, options);
  const store = createMemoryStore();
  let calls = 0;
  const plain = createFakeModel({ maxLength: 40 });
  const failing = createFakeModel({
    maxLength: 40,
    score: (requests, onProgress) => {
      if (++calls === 2) throw new Error("interrupted");
      return plain.score(requests, onProgress);
    },
  });
  await expect(evaluateTask(cacheScores(failing, store), lambadaOpenai, documents, options)).rejects.toThrow(
    "interrupted",
  );
  const kept = store.size();
  expect(kept).toBeGreaterThan(500);
  expect(kept).toBeLessThan(2500);

  const again = createFakeModel({ maxLength: 40 });
  const progress: number[] = [];
  const result = await evaluateTask(cacheScores(again, store), lambadaOpenai, documents, {
    ...options,
    onProgress: (phase, done, total) => phase === "score" && progress.push(done / total),
  });
  expect(result).toEqual(expected);
  expect(again.calls.flat()).toHaveLength(3000 - kept);
  expect(progress[0]).toBeGreaterThan(0.1);

  const third = createFakeModel({ maxLength: 40 });
  expect(await evaluateTask(cacheScores(third, store), lambadaOpenai, documents, options)).toEqual(expected);
  expect(third.calls).toEqual([]);
});
