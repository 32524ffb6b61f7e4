import fc from "fast-check";
import { expect, test } from "vitest";
import { planBosWindows, planGptq, planLlamaCpp, planRolling, planWindows } from "../../src/evaluate/windows.ts";
import pieces from "../fixtures/evaluate-pieces/pieces.json" with { type: "json" };

const count = (n: number) => Array.from({ length: n }, (_, i) => i);

test("rolling windows are lm-eval's disjoint windows", () => {
  for (const [n, size, expected] of pieces.rolling as [number, number, [number[], number[]][]][]) {
    const windows = planRolling(count(n), -1, size);
    expect(windows.map(({ context, continuation }) => [context, continuation])).toEqual(expected);
  }
});

test("windows side by side leave each first token unscored and keep a short last window", () => {
  expect(planWindows(count(10), 4, 4)).toEqual([
    { context: [0], continuation: [1, 2, 3] },
    { context: [4], continuation: [5, 6, 7] },
    { context: [8], continuation: [9] },
  ]);
  expect(planWindows(count(9), 4, 4)).toHaveLength(2);
});

test("overlapping windows score what is new and stop when the text is used up", () => {
  expect(planWindows(count(7), 4, 2)).toEqual([
    { context: [0], continuation: [1, 2, 3] },
    { context: [2, 3], continuation: [4, 5] },
    { context: [4, 5], continuation: [6] },
  ]);
});

test("every token but the first is scored once when windows overlap, after at most size - 1 others", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 60 }), fc.integer({ min: 2, max: 12 }), fc.nat(), (n, size, offset) => {
      const stride = 1 + (offset % (size - 1));
      const windows = planWindows(count(n), size, stride);
      expect(windows.flatMap((window) => window.continuation)).toEqual(count(n).slice(1));
      for (const { context, continuation } of windows) {
        expect(context.length).toBeGreaterThan(0);
        expect(context.length + continuation.length).toBeLessThanOrEqual(size);
        expect(context.at(-1)! + 1).toBe(continuation[0]);
      }
    }),
  );
});

test("windows with a beginning-of-text token score every token, each window after it", () => {
  expect(planBosWindows(count(7), -1, 4, 3)).toEqual([
    { context: [-1], continuation: [0, 1, 2] },
    { context: [-1], continuation: [3, 4, 5] },
    { context: [-1], continuation: [6] },
  ]);
  expect(planBosWindows(count(6), -1, 4, 2)).toEqual([
    { context: [-1], continuation: [0, 1, 2] },
    { context: [-1, 2], continuation: [3, 4] },
    { context: [-1, 4], continuation: [5] },
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 2, max: 12 }), fc.nat(), (n, size, offset) => {
      const windows = planBosWindows(count(n), -1, size, 1 + (offset % (size - 1)));
      expect(windows.flatMap((window) => window.continuation)).toEqual(count(n));
      for (const { context, continuation } of windows) {
        expect(context[0]).toBe(-1);
        expect(continuation.length).toBeGreaterThan(0);
        expect(context.length + continuation.length).toBeLessThanOrEqual(size);
      }
    }),
  );
});

test("gptq drops the rest that fills no window", () => {
  expect(planGptq(count(11), 4).map((window) => window.continuation)).toEqual([
    [1, 2, 3],
    [5, 6, 7],
  ]);
});

test("llama.cpp scores the second half of each window after a beginning-of-text token", () => {
  expect(planLlamaCpp(count(17), 8, 99)).toEqual([
    { context: [99, 1, 2, 3, 4], continuation: [5, 6, 7] },
    { context: [99, 9, 10, 11, 12], continuation: [13, 14, 15] },
  ]);
  expect(planLlamaCpp(count(8), 8, undefined)[0].context).toEqual([0, 1, 2, 3, 4]);
  expect(planLlamaCpp(count(512), 512, undefined)[0].continuation).toHaveLength(255);
});
