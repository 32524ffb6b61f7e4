// Logits read tile by tile: those of the plain forward, in order, whatever the tiles, the budget and what else is asked.

import { expect, test } from "vitest";
import type { ScoreRequest } from "../../src/language-model.ts";
import { largestDifference, openModel } from "./open.ts";

const vocabulary = 96;
const requests: ScoreRequest[] = [
  { context: [5, 6, 7], continuations: [[8, 9, 10, 11]] },
  { context: [1], continuations: [[2]] },
  { context: [3, 1, 4, 1, 5, 9, 2, 6], continuations: [[5, 3]] },
  { context: [95], continuations: [[0, 1, 2, 3, 4, 5]] },
];

async function readAll(model: Awaited<ReturnType<typeof openModel>>, between?: () => Promise<unknown>) {
  const rows: number[] = [];
  for await (const { rows: count, logits } of model.readLogits!(requests)) {
    expect(logits).toHaveLength(count * vocabulary);
    rows.push(...logits);
    await between?.();
  }
  return rows;
}

test.each(["gpt2", "mistral-window", "opt-350m"])("%s gives the logits of the plain forward in order", async (name) => {
  const model = await openModel(`test/fixtures/architectures/${name}`);
  const expected: number[] = [];
  for (const { context, continuations } of requests) {
    const all = await model.logits([...context, ...continuations[0]]);
    const from = (context.length - 1) * vocabulary;
    expected.push(...all.subarray(from, from + continuations[0].length * vocabulary));
  }
  const rows = await readAll(model);
  expect(largestDifference(rows, expected)).toBeLessThan(1e-5);
  for (const maxTokens of [1, 3, 8]) {
    const narrow = await openModel(`test/fixtures/architectures/${name}`, { maxTokens });
    expect(await readAll(narrow)).toEqual(rows);
    // Another call between two tiles changes nothing.
    expect(await readAll(narrow, () => narrow.score([{ context: [7, 7], continuations: [[1, 2]] }]))).toEqual(rows);
  }
});

test("a token outside the vocabulary is refused before anything is computed", async () => {
  const model = await openModel("test/fixtures/architectures/gpt2");
  const tiles = model.readLogits!([{ context: [1], continuations: [[vocabulary]] }]);
  await expect(tiles.next()).rejects.toThrow(/outside the model's vocabulary/);
});
