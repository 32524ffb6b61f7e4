// Comparing on fakes and made-up results: known divergences, models that share no tokens, flips, intervals, the sentence.

import { expect, test } from "vitest";
import { estimatePairs, estimateShares, studentQuantile } from "../../../src/evaluate/compare/paired.ts";
import { compareResults } from "../../../src/evaluate/compare/task.ts";
import { compareOnText } from "../../../src/evaluate/compare/text.ts";
import { compareRows, findQuantile } from "../../../src/evaluate/compare/tokens.ts";
import { describeComparison } from "../../../src/evaluate/compare/verdict.ts";
import type { DocumentScore } from "../../../src/evaluate/metrics.ts";
import type { TaskResult } from "../../../src/evaluate/task.ts";
import type { LanguageModel, ScoreRequest } from "../../../src/language-model.ts";
import { tQuantile } from "../../../src/scaling/statistics.ts";
import { createRandom } from "../../../src/tensor/random.ts";
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
  const base = [choice(0, -1, -2, -3), choice(1, -1, -2, -3), choice(2, -1, -2, -3), choice(0, -1, -2, -9)];
  const other = [choice(0, -3, -2, -3), choice(1, -3, -2, -9), choice(2, -4, -2, -3), choice(0, -1, -2, -9)];
  const thrice = (documents: DocumentScore[]) => result([...documents, ...documents, ...documents]);
  const found = compareResults(thrice(base), thrice(other));
  expect(found.accuracies["acc"]).toMatchObject({ base: 0.5, other: 0.5, lost: 3, won: 3, flips: 0.5, pValue: 1 });
  expect(found.changedAnswers).toBe(0.75);
  expect(found.nll!.value).toBe(0.5); // of the right answers only
});

test("the interval of a mean is Student's, weights count, and below ten there is none", () => {
  const values = Array.from({ length: 12 }, (_, i) => ((i * 7919) % 401) / 401);
  const mean = values.reduce((a, b) => a + b) / 12;
  const error = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 11 / 12);
  const found = estimatePairs(values)!;
  expect(found.standardError).toBeCloseTo(error, 12);
  expect((found.high - mean) / error).toBeCloseTo(2.201, 3); // of eleven degrees of freedom, from any table
  expect((mean - found.low) / error).toBeCloseTo(2.201, 3);
  const same = estimatePairs(Array(10).fill(3), Array(10).fill(2));
  expect(same).toEqual({ low: 1.5, high: 1.5, standardError: 0 });
  expect(estimatePairs(Array(9).fill(3))).toBeUndefined();
  expect(estimateShares(9, 0, 9)).toBeUndefined();
  for (const degrees of [9, 10, 29, 1000]) {
    expect(studentQuantile(degrees)).toBeCloseTo(tQuantile(0.975, degrees), 4);
  }
});

/** Share of 4000 simulations in which the interval holds the truth. */
function cover(draw: (random: () => number) => { low: number; high: number } | undefined, truth: number): number {
  const generator = createRandom(7);
  const random = () => generator.uniform();
  const runs = Array.from({ length: 4000 }, () => draw(random)!);
  return runs.filter(({ low, high }) => low <= truth && truth <= high).length / runs.length;
}

test.each([10, 30])("intervals of 95 in 100 hold the truth about as often, of %i windows or documents", (n) => {
  const normal = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  // Windows of 100 tokens, the last shorter; the error of a window's sum grows with the root of its tokens.
  const weights = Array.from({ length: n }, (_, i) => (i === n - 1 ? 37 : 100));
  const drawText = (noise: (random: () => number) => number) => (random: () => number) =>
    estimatePairs(
      weights.map((weight) => 0.02 * weight + 0.3 * Math.sqrt(weight) * noise(random)),
      weights,
    );
  expect(cover(drawText(normal), 0.02)).toBeGreaterThan(0.94);
  expect(cover(drawText(normal), 0.02)).toBeLessThan(0.965);
  // As skew as a sum of four exponentials.
  const skew = (random: () => number) =>
    -(Math.log(1 - random()) + Math.log(1 - random()) + Math.log(1 - random()) + Math.log(1 - random()) + 4) / 2;
  expect(cover(drawText(skew), 0.02)).toBeGreaterThan(0.925);
  for (const [lost, won] of [
    [0.02, 0.02],
    [0.2, 0.1],
    [0.5, 0.05],
  ]) {
    const drawShares = (random: () => number) => {
      let [a, b] = [0, 0];
      for (let i = 0; i < n; i++) {
        const at = random();
        if (at < lost) a++;
        else if (at < lost + won) b++;
      }
      return estimateShares(a, b, n);
    };
    expect(cover(drawShares, won - lost), `${lost} ${won}`).toBeGreaterThan(0.94);
  }
});

test("shares stay within what they can be, and no change is no certainty", () => {
  expect(estimateShares(10, 0, 10)).toMatchObject({ low: -1 });
  expect(estimateShares(10, 0, 10)!.high).toBeLessThan(0);
  expect(estimateShares(0, 0, 10)!.high).toBeGreaterThan(0.1);
  expect(estimateShares(4, 0, 10)!.high).toBeGreaterThan(0); // McNemar's p is 0.125
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
  const read = (length: number) =>
    compareOnText(createDistributionModel(1, 9), createDistributionModel(0.5, 9), "Windows. ".repeat(length), {
      window: 8,
    });
  const many = await read(40);
  expect(describeComparison("A", "B", many, [])).toMatch(
    /^B is (better|worse) than A here: its perplexity is \d\.\d{4} times as high \(95 % \d\.\d{4} to \d\.\d{4}\) over \d+ tokens in 4\d windows\.$/,
  );
  const few = await read(2);
  expect(few.windows).toBeLessThan(10);
  expect(few.ratioInterval).toBeUndefined();
  expect(describeComparison("A", "B", few, [])).toMatch(
    /^Whether B is worse than A cannot be told here: .* in \d windows, too few for an error \(10 are needed\)\.$/,
  );
  const four = compareResults(result(right.slice(0, 4)), result(half.slice(0, 4)));
  expect(four.accuracies["acc"].difference).toBeUndefined();
  expect(describeComparison("A", "B", undefined, [four])).toBe(
    "Whether B is worse than A cannot be told here: its acc on quiz changes by -50.00 points on 4 documents, too few for an error (10 are needed).",
  );
});
