// Times of tokens: the median and its error are those of the steps, and what the model does not take is refused.

import { describe, expect, test } from "vitest";
import { summarizeTimes } from "../../src/model/latency.ts";
import { openModel } from "./open.ts";

describe("time a token", () => {
  test("is measured over at least fifty steps, whatever the batch", async () => {
    const model = await openModel("test/fixtures/architectures/llama");
    const shares: number[] = [];
    for (const batch of [1, 3]) {
      const onProgress = (share: number) => shares.push(share);
      const { milliseconds, standardError, steps } = await model.measureLatency({
        context: 7,
        batch,
        seconds: 0.01,
        onProgress,
      });
      expect(steps).toBeGreaterThanOrEqual(50);
      expect(steps % 10).toBe(0);
      expect(milliseconds).toBeGreaterThan(0);
      expect(standardError).toBeGreaterThan(0);
    }
    expect(Math.max(...shares)).toBeLessThanOrEqual(1);
  });

  test("of more tokens than the model takes is refused", async () => {
    const model = await openModel("test/fixtures/architectures/llama");
    await expect(model.measureLatency({ context: model.maxLength })).rejects.toThrow(/do not fit; the model takes/);
    await expect(model.measureLatency({ context: 1, batch: 1e6 })).rejects.toThrow(/A batch of 1000000 is too large/);
  });

  test("is the median, and its error that of the medians of tenths", () => {
    const times = Array.from({ length: 50 }, (_, i) => (i === 0 ? 1000 : Math.floor(i / 5)));
    const { milliseconds, standardError, steps } = summarizeTimes(times);
    expect(steps).toBe(50);
    expect(milliseconds).toBe(5);
    // Medians 0..9: variance 55 / 6 of ten of them.
    expect(standardError).toBeCloseTo(Math.sqrt(55 / 6 / 10), 12);
  });
});
