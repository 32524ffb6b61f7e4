// Comparing on fakes and made-up results: known divergences, models that share no tokens, flips, intervals, the sentence.

import { expect, test } from "vitest";
import { resamplePairs } from "../../../src/evaluate/compare/paired.ts";
import { compareResults } from "../../../src/evaluate/compare/task.ts";
import { compareOnText } from "../../../src/evaluate/compare/text.ts";
import { compareRows, findQuantile } from "../../../src/evaluate/compare/tokens.ts";
import { describeComparison } from "../../../src/evaluate/compare/verdict.ts";
import type { DocumentScore } from "../../../src/evaluate/metrics.ts";
import type { TaskResult } from "../../../src/evaluate/task.ts";
import type { LanguageModel, ScoreRequest } from "../../../src/language-model.ts";
import { createFakeModel } from "../fake-model.ts";

/** A fake whose logit of a token is a made-up function of it and the last, `sharpness` times; tiles of `tileRows`. */
function createDistributionModel(
  sharpness: number,
  tileRows: number,
  change: Partial<LanguageModel> = {},
): LanguageModel {
  return createFakeModel({
    async *readLogits(requests: readonly ScoreRequest[]) {
      const all = requests.flatMap(({ context, continuations: [continuation] }) =>
        continuation.map((_, i) => (i === 0 ? context.at(-1)! : continuation[i - 1])),
      );
      for (let start = 0; start < all.length; start += tileRows) {
        const rows = all.slice(start, start + tileRows);
        const logits = Float32Array.from({ length: rows.length * 258 }, (_, i) => {
          const previous = rows[Math.floor(i / 258)];
          return 100 + sharpness * ((previous * 31 + (i % 258) * 17) % 7);
        });
        yield { rows: rows.length, logits };
      }
    },
    ...change,
  });
}

test("a known divergence: of (1/2, 1/4, 1/4) from (1/4, 1/2, 1/4)", () => {
  const base = Float32Array.of(Math.log(2), 0, 0);
  const other = Float32Array.of(5, Math.log(2) + 5, 5);
  const pair = compareRows(base, other, 0);
  expect(pair.divergence).toBeCloseTo(0.5 * Math.LN2 - 0.25 * Math.LN2, 6);
  expect(pair.baseLogProb).toBeCloseTo(Math.log(0.5), 6);
  expect(pair.logProb).toBeCloseTo(Math.log(0.25), 6);
  expect(pair.sameTop).toBe(false);
});

test("a token that the base excludes adds nothing; llama.cpp's sum leaves out what is below exp(-16)", () => {
  const base = Float32Array.of(0, -20, Number.NEGATIVE_INFINITY);
  const other = Float32Array.of(0, -30, -1);
  const pair = compareRows(base, other, 0);
  const p = Math.exp(-20);
  expect(pair.divergence - pair.divergenceAbove16).toBeCloseTo(p * (10 + Math.log1p(Math.exp(-1))), 10);
  expect(Number.isFinite(pair.divergence)).toBe(true);
});

test("a model is the same as itself, and tiles of different heights are compared row by row", async () => {
  const text = "It was near the close of the year, and the house was still.";
  const same = await compareOnText(createDistributionModel(1, 3), createDistributionModel(1, 5), text);
  expect(same.divergence.max).toBe(0);
  expect(same.ratio.value).toBe(1);
  expect(same.sameTop.value).toBe(1);
  expect(same.rmsProbabilityChange).toEqual({ value: 0, standardError: 0 });
  const different = await compareOnText(createDistributionModel(1, 3), createDistributionModel(0.5, 64), text);
  expect(different.divergence.mean.value).toBeGreaterThan(0.01);
  expect(different.sameTop.value).toBe(1);
  expect(different.tokens).toBe(same.tokens);
  const bigger = await compareOnText(createDistributionModel(1, 1000), createDistributionModel(0.5, 1), text);
  expect(bigger).toEqual(different);
});

test("models that share no tokens, or give no distributions, are refused", async () => {
  const base = createDistributionModel(1, 3);
  const shifted = createDistributionModel(1, 3, {
    name: "shifted",
    encode: (text) => [...text].map((c) => c.charCodeAt(0) + 1),
  });
  await expect(compareOnText(base, shifted, "Some text.")).rejects.toThrow(/do not read this text as the same tokens/);
  await expect(compareOnText(base, createFakeModel(), "Some text.")).rejects.toThrow(/gives no distributions/);
  await expect(compareOnText(base, base, "")).rejects.toThrow(/empty/);
});

test("logits that are not numbers are an error that names the model", async () => {
  const broken = createDistributionModel(Number.NaN, 4, { name: "broken" });
  await expect(compareOnText(createDistributionModel(1, 4), broken, "Some text.")).rejects.toThrow(/^broken gives/);
});

const choice = (gold: number, ...logLikelihoods: number[]): DocumentScore => ({
  logLikelihoods,
  gold,
  acc: logLikelihoods.indexOf(Math.max(...logLikelihoods)) === gold ? 1 : 0,
});
const result = (documents: DocumentScore[]): TaskResult => ({
  task: "quiz",
  version: "1",
  profile: "lm-eval-0.4.9.2",
  metrics: { acc: { value: 0, n: documents.length } },
  overlong: 0,
  cut: 0,
  documents,
});

test("flips are answers that turn right or wrong; another wrong answer is only a changed one", () => {
  const base = result([choice(0, -1, -2, -3), choice(1, -1, -2, -3), choice(2, -1, -2, -3), choice(0, -1, -2, -9)]);
  const other = result([choice(0, -3, -2, -3), choice(1, -3, -2, -9), choice(2, -4, -2, -3), choice(0, -1, -2, -9)]);
  const found = compareResults(base, other);
  expect(found.accuracies["acc"]).toMatchObject({ base: 0.5, other: 0.5, lost: 1, won: 1, flips: 0.5, pValue: 1 });
  expect(found.changedAnswers).toBe(0.75);
  expect(found.nll!.value).toBe(0.5); // of the right answers only
});

test("the bootstrap of a mean agrees with its standard error, and weights count", () => {
  const values = Array.from({ length: 400 }, (_, i) => ((i * 7919) % 401) / 401);
  const mean = values.reduce((a, b) => a + b) / 400;
  const error = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 400 / 400);
  const found = resamplePairs(values)!;
  expect(found.standardError / error).toBeCloseTo(1, 1);
  expect((found.high - mean) / error).toBeCloseTo(1.96, 0);
  expect((mean - found.low) / error).toBeCloseTo(1.96, 0);
  expect(resamplePairs([3, 3, 3], [2, 2, 2])).toMatchObject({ low: 1.5, high: 1.5, standardError: 0 });
  expect(resamplePairs([1])).toBeUndefined();
});

test("quantiles interpolate as NumPy's", () => {
  expect(findQuantile(Float64Array.of(1, 2, 4), 0.75)).toBe(3);
  expect(findQuantile(Float64Array.of(1, 2, 4), 1)).toBe(4);
});

test("the sentence says worse, better or neither, with the interval", async () => {
  const right = Array.from({ length: 50 }, () => choice(0, -1, -2));
  const half = Array.from({ length: 50 }, (_, i) => choice(0, -1, i % 2 === 0 ? -0.5 : -2));
  expect(describeComparison("A", "B", undefined, [compareResults(result(right), result(half))])).toMatch(
    /^B is worse than A here: its acc on quiz changes by -50\.00 points \(95 % -6\d\.\d\d to -3\d\.\d\d\)\.$/,
  );
  expect(describeComparison("A", "B", undefined, [compareResults(result(half), result(right))])).toMatch(
    /^B is better than A/,
  );
  expect(describeComparison("A", "B", undefined, [compareResults(result(half), result(half))])).toMatch(
    /^B is neither clearly better nor clearly worse than A here/,
  );
  const text = await compareOnText(
    createDistributionModel(1, 9),
    createDistributionModel(1, 9),
    "A text of windows, again.",
  );
  expect(describeComparison("A", "B", text, [])).toMatch(
    /perplexity is 1\.0000 times as high \(95 % 1\.0000 to 1\.0000\)/,
  );
});
