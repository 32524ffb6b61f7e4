// A tree holds every sequence once, and shares where that is worth it.

import fc from "fast-check";
import { expect, test } from "vitest";
import { buildTree, findPath, type Segment } from "../../src/model/prefix-tree.ts";

/** `[tokens, children]` of each segment. */
type Shape = readonly [readonly number[], readonly Shape[]];
const shapeOf = (segments: readonly Segment[]): Shape[] =>
  segments.map(({ tokens, children }) => [tokens, shapeOf(children)]);

test("what sequences begin with stands above what differs; a beginning of another is no branch", () => {
  const tree = buildTree([[1, 2, 3, 4, 5], [1, 2, 3, 4], [1, 2, 3, 4, 6, 7], [9], [1, 2, 3, 4, 6, 7, 8]]);
  expect(shapeOf(tree)).toEqual([
    [
      [1, 2, 3, 4],
      [
        [[5], []],
        [[6, 7, 8], []],
      ],
    ],
    [[9], []],
  ]);
});

test("a few tokens at the beginning, and a few behind many, are repeated instead of shared", () => {
  expect(
    shapeOf(
      buildTree([
        [1, 2, 3, 4],
        [1, 2, 3, 5],
      ]),
    ),
  ).toEqual([
    [[1, 2, 3, 4], []],
    [[1, 2, 3, 5], []],
  ]);
  const long = Array.from({ length: 20 }, (_, i) => i);
  const tree = buildTree([
    [...long, 30, 40],
    [...long, 30, 41],
    [...long, 50],
  ]);
  expect(shapeOf(tree)).toEqual([
    [
      long,
      [
        [[30, 40], []],
        [[30, 41], []],
        [[50], []],
      ],
    ],
  ]);
});

test("every sequence is found on its path, and no token is held that none has", () => {
  const sequences = fc.array(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 12 }), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(sequences, (list) => {
      const tree = buildTree(list);
      for (const sequence of list) {
        const path = findPath(tree, sequence).flatMap(({ tokens }) => tokens);
        expect(path.slice(0, sequence.length)).toEqual(sequence);
      }
      const count = (segments: readonly Segment[]): number =>
        segments.reduce((sum, { tokens, children }) => {
          expect(children).not.toHaveLength(1);
          return sum + tokens.length + count(children);
        }, 0);
      expect(count(tree)).toBeLessThanOrEqual(list.reduce((sum, { length }) => sum + length, 0));
    }),
    { seed: 4 },
  );
});
