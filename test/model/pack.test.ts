// Packing is kept only for lists that cannot change, and only for the numbers that it was made for.

import { expect, test } from "vitest";
import { packRequests } from "../../src/model/pack.ts";

const shape = { maxTokens: 8, maxLength: 16, vocabulary: 10 };
const request = { context: [1, 2, 3], continuations: [[4, 5], [6]] };

test("a frozen list is packed once, and again for another shape", () => {
  const requests = Object.freeze([request]);
  const batches = packRequests(requests, shape);
  expect(packRequests(requests, { ...shape })).toBe(batches);
  expect(packRequests(requests, { ...shape, maxTokens: 2 })[0].forwards).toHaveLength(2);
  expect(() => packRequests(requests, { ...shape, vocabulary: 6 })).toThrow(/Token 6 is outside/);
});

test("a list that may change is packed anew", () => {
  const requests = [request];
  expect(packRequests(requests, shape)).toHaveLength(1);
  requests.push({ context: [7, 7, 7, 7, 7], continuations: [[1, 1, 1]] });
  const batches = packRequests(requests, shape);
  expect(batches.map(({ ids }) => [...ids])).toEqual([
    [1, 2, 3, 4],
    [7, 7, 7, 7, 7, 1, 1],
  ]);
});

test("a forward says which rows of the head's input predict which targets", () => {
  const [{ forwards, targets }] = packRequests([request], shape);
  expect([...targets]).toEqual([4, 5, 6]);
  const [{ feed, questions }] = forwards;
  expect([...feed.wanted!]).toEqual([2, 3]);
  expect(questions.map(({ rows, targets }) => [[...rows!], [...targets]])).toEqual([
    [
      [0, 1, 0],
      [4, 5, 6],
    ],
  ]);
});
