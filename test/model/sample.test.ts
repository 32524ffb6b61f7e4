// The choice of a token: what each filter leaves, and with which probabilities.

import { describe, expect, test } from "vitest";
import { chooseToken, type SamplingOptions } from "../../src/model/sample.ts";
import { createRandom } from "../../src/tensor/random.ts";

const probabilities = [0.1, 0.4, 0.2, 0.3];

/** How often each token is chosen in 20,000 draws. */
function measureShares(options: SamplingOptions, seen: number[] = []): number[] {
  const random = createRandom(7);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 20_000; i++)
    counts[chooseToken(Float32Array.from(probabilities, Math.log), seen, options, random)]++;
  return counts.map((count) => count / 20_000);
}

function expectShares(shares: number[], expected: number[]): void {
  shares.forEach((share, i) => {
    if (expected[i] === 0) expect(share).toBe(0);
    else expect(Math.abs(share - expected[i])).toBeLessThan(0.015);
  });
}

describe("chooseToken", () => {
  test("takes the first of the most likely tokens at temperature 0", () => {
    expect(chooseToken(Float32Array.of(1, 3, 3, 2), [], {}, createRandom(0))).toBe(1);
  });
  test("draws each token by its probability at temperature 1", () => {
    expectShares(measureShares({ temperature: 1 }), probabilities);
  });
  test("temperature divides the logits", () => {
    const squares = probabilities.map((p) => p ** 2);
    const total = squares.reduce((a, b) => a + b);
    expectShares(
      measureShares({ temperature: 0.5 }),
      squares.map((p) => p / total),
    );
  });
  test("topK keeps the K most likely", () => {
    expectShares(measureShares({ temperature: 1, topK: 2 }), [0, 4 / 7, 0, 3 / 7]);
  });
  test("topP keeps the fewest most likely tokens that reach P together", () => {
    expectShares(measureShares({ temperature: 1, topP: 0.65 }), [0, 4 / 7, 0, 3 / 7]);
    expectShares(measureShares({ temperature: 1, topP: 0.71 }), [0, 4 / 9, 2 / 9, 3 / 9]);
    expectShares(measureShares({ temperature: 1, topP: 1e-9 }), [0, 1, 0, 0]);
  });
  test("topP counts shares of what topK left", () => {
    expectShares(measureShares({ temperature: 1, topK: 2, topP: 0.57 }), [0, 1, 0, 0]);
  });
  test("minP keeps tokens at least P times as likely as the most likely", () => {
    expectShares(measureShares({ temperature: 1, minP: 0.6 }), [0, 4 / 7, 0, 3 / 7]);
  });
  test("the repetition penalty divides positive and multiplies negative logits of tokens seen", () => {
    const logits = Float32Array.of(2, -1, 1.5, -3);
    chooseToken(logits, [0, 1, 1], { repetitionPenalty: 2 }, createRandom(0));
    expect([...logits]).toEqual([1, -2, 1.5, -3]);
  });
});
