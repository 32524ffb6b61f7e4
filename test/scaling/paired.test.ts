// Paired standard errors: exact on small numbers, then against the spread over many simulated sets of documents.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DocumentValues, ResultRow } from "../../src/result.ts";
import { answerRows } from "../../src/scaling/answer.ts";
import { compareAt, compareValues } from "../../src/scaling/compare.ts";
import { buildCurves, placePoints } from "../../src/scaling/curves.ts";
import { averageAccuracies } from "../../src/scaling/mean-accuracy.ts";
import { findMetric, readMetric } from "../../src/scaling/metrics.ts";
import { computePairedError, type Part, sizeBlocks } from "../../src/scaling/paired.ts";
import { createRandom, makeRow } from "./simulate.ts";

const nll = findMetric("nll");
const acc = findMetric("acc");

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const meanError = (values: readonly number[]) => {
  const center = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1) / values.length);
};
const minus = (...rows: ResultRow[]): Part[] => rows.map((row, i) => ({ row, factor: i === 0 ? 1 : -1 }));

/** A row of a zero-shot task whose accuracy is the mean of `values`. */
function answers(values: readonly number[], changes: Partial<Parameters<typeof makeRow>[0]> = {}): ResultRow {
  const metric = { value: mean(values), standardError: meanError(values), n: values.length };
  const documents = { acc: { values: Float32Array.from(values) } };
  return { ...makeRow({ task: "piqa", total: 8e6, metrics: { acc: metric }, ...changes }), documents };
}

/** A row of a text whose loss is `sum(values) / sum(weights)`. */
function windows(list: DocumentValues, changes: Partial<Parameters<typeof makeRow>[0]> = {}): ResultRow {
  const weights = list.weights ?? list.values.map(() => 1);
  const total = (array: Float32Array) => array.reduce((sum, value) => sum + value, 0);
  const value = total(list.values) / total(weights);
  const squares = list.values.reduce((sum, v, i) => sum + (v - value * weights[i]) ** 2, 0);
  const n = list.values.length;
  const standardError = Math.sqrt((n / (n - 1)) * squares) / total(weights);
  const metrics = {
    nll: { value, standardError, n: total(weights) },
    bitsPerByte: { value: value * 0.5, n: total(weights) },
  };
  return { ...makeRow({ total: 8e6, metrics, ...changes }), documents: { nll: list } };
}

describe("exactly", () => {
  test("the error of a difference of accuracies is that of the mean of the differences", () => {
    const [a, b] = [answers([1, 1, 0, 1, 0, 1]), answers([1, 0, 0, 1, 1, 0])];
    expect(computePairedError(minus(a, b), acc)).toBeCloseTo(meanError([0, 1, 0, 0, -1, 1]), 7);
    expect(computePairedError(minus(a), acc)).toBeCloseTo(a.metrics["acc"].standardError!, 7);
  });

  test("of windows it is that of the combined window sums against the combined loss", () => {
    const number = fc.float({ min: -100, max: 100, noNaN: true });
    const rows = fc.array(fc.tuple(number, number, number, number, fc.integer({ min: 1, max: 255 })), {
      minLength: 2,
      maxLength: 20,
    });
    fc.assert(
      fc.property(rows, fc.tuple(number, number, number, number), (table, factors) => {
        const weights = Float32Array.from(table, (row) => row[4]);
        const parts = factors.map((factor, j) => ({
          row: windows({ values: Float32Array.from(table, (row) => row[j]), weights }),
          factor,
        }));
        // d_w = sum_j factor_j v_wj, D = sum(d) / sum(t): se^2 = W / (W - 1) sum_w (d_w - D t_w)^2 / sum(t)^2
        const combined = table.map((row) => factors.reduce((sum, factor, j) => sum + factor * row[j], 0));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const difference = combined.reduce((sum, value) => sum + value, 0) / total;
        const squares = combined.reduce((sum, value, i) => sum + (value - difference * weights[i]) ** 2, 0);
        const count = table.length;
        const expected = Math.sqrt((count / (count - 1)) * squares) / total;
        expect(Math.abs(computePairedError(parts, nll)! - expected)).toBeLessThan(1e-9 * (1 + expected));
      }),
    );
  });

  test("long texts are taken in blocks of windows", () => {
    expect([1, 59, 60, 240, 480, 100_000].map(sizeBlocks)).toEqual([1, 1, 2, 8, 16, 16]);
    const values = Float32Array.from({ length: 64 }, (_, i) => i % 7);
    const pairs = Array.from({ length: 32 }, (_, i) => (values[2 * i] + values[2 * i + 1]) / 2);
    expect(computePairedError(minus(windows({ values })), nll)).toBeCloseTo(meanError(pairs), 12);
  });

  test("perplexity and bits a byte of a text follow from its loss, the loss of a task from its perplexity", () => {
    const a = windows({ values: Float32Array.of(3, 4, 8), weights: Float32Array.of(1, 2, 2) });
    const b = windows({ values: Float32Array.of(2, 5, 7), weights: Float32Array.of(1, 2, 2) });
    const error = computePairedError(minus(a, b), nll)!;
    expect(computePairedError(minus(a, b), findMetric("perplexity"))).toBe(error);
    expect(computePairedError(minus(a, b), findMetric("bitsPerByte"))).toBeCloseTo(error / 2, 12);
    expect(computePairedError(minus(a, b), acc)).toBeNull();
    const lambada = { ...a, documents: { perplexity: { values: Float32Array.of(1, 2, 6) } } };
    expect(computePairedError(minus(lambada), nll)).toBe(computePairedError(minus(lambada), findMetric("perplexity")));
  });

  test("the mean of tasks has the errors of the tasks, each by 1 / T", () => {
    const make = (model: string, piqa: number[], winogrande: number[]) => [
      answers(piqa, { model }),
      answers(winogrande, { model, task: "winogrande" }),
    ];
    const rows = [...make("a", [1, 0, 1, 1], [0, 1, 1]), ...make("b", [0, 0, 1, 1], [1, 0, 1])];
    const means = averageAccuracies(rows);
    expect(means.map((row) => row.model.name)).toEqual(["a", "b"]);
    const byTask = [minus(rows[0], rows[2]), minus(rows[1], rows[3])].map((parts) => computePairedError(parts, acc)!);
    expect(computePairedError(minus(...means), acc)).toBeCloseTo(Math.hypot(...byTask) / 2, 12);
  });
});

describe("rows that cannot be paired", () => {
  const values = [1, 0, 1, 1, 0];
  test.each([
    ["other data", { dataHash: "other" }],
    ["another limit", { limit: 5 }],
    ["another profile", { profile: "lm-eval-0.3" }],
    ["another version of the task", { taskVersion: "2" }],
  ])("%s", (_, key) => {
    expect(computePairedError(minus(answers(values), answers(values, { key })), acc)).toBeNull();
  });

  test("no documents on one side, fewer, or a single one", () => {
    const { documents: _, ...bare } = answers(values);
    expect(computePairedError(minus(answers(values), bare), acc)).toBeNull();
    expect(computePairedError(minus(answers(values), answers(values.slice(1))), acc)).toBeNull();
    expect(computePairedError(minus(answers([1]), answers([0])), acc)).toBeNull();
  });

  test("windows of another tokenizer; documents of a task are the same whatever the tokenizer", () => {
    const key = { tokenizerHash: "other" };
    const list = { values: Float32Array.of(1, 2, 4) };
    expect(computePairedError(minus(windows(list), windows(list, { key })), findMetric("bitsPerByte"))).toBeNull();
    expect(computePairedError(minus(answers(values), answers([0, 0, 1, 1, 0], { key })), acc)).not.toBeNull();
  });

  test("are compared by unpaired errors, and the margin says which it has", () => {
    const { documents: _, ...bare } = answers([0, 0, 1, 1, 0]);
    const estimate = (row: ResultRow) => ({ ...readMetric(row, acc)!, parts: [{ row, factor: 1 }] });
    const a = estimate(answers(values));
    const unpaired = compareValues(acc, a, estimate(bare));
    expect(unpaired).toMatchObject({
      paired: false,
      standardError: Math.hypot(meanError(values), meanError([0, 0, 1, 1, 0])),
    });
    expect(compareValues(acc, a, estimate(answers([0, 0, 1, 1, 0])))).toMatchObject({ paired: true });
    // The same answers on both sides: no difference, and no error to it; that is not a clear win.
    expect(compareValues(acc, a, a)).toEqual({ value: 0, standardError: 0, paired: true, withinNoise: true });
    expect(compareValues(acc, { value: 1, standardError: null }, a)).toMatchObject({ paired: null, withinNoise: null });
  });
});

/** Normal numbers by Box and Muller. */
function createNormal(seed: number): () => number {
  const random = createRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Windows of two rows whose true losses differ by `gap`: hard and easy windows are so for both (deviation 0.5), each row
 * has noise of its own (0.05, with memory `rho` from window to window), and windows have 100 to 255 tokens.
 */
function simulatePair(normal: () => number, count: number, gap: number, rho = 0): [ResultRow, ResultRow] {
  const weights = Float32Array.from({ length: count }, () => Math.round(177 + 77 * Math.tanh(normal())));
  const noise = [normal() * 0.05, normal() * 0.05];
  const values = [new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    const common = 3.5 + 0.5 * normal();
    for (const side of [0, 1]) {
      noise[side] = rho * noise[side] + Math.sqrt(1 - rho * rho) * 0.05 * normal();
      values[side][i] = weights[i] * (common + side * gap + noise[side]);
    }
  }
  return [windows({ values: values[0], weights }), windows({ values: values[1], weights })];
}

/** Over many simulated studies: spread of the difference, mean of its errors, share within two errors of the truth. */
function simulateMany(studies: number, count: number, rho: number) {
  const normal = createNormal(7);
  const gap = 0.02;
  const differences: number[] = [];
  const errors: number[] = [];
  for (let i = 0; i < studies; i++) {
    const [a, b] = simulatePair(normal, count, gap, rho);
    differences.push(b.metrics["nll"].value - a.metrics["nll"].value);
    errors.push(computePairedError(minus(b, a), nll)!);
  }
  const spread = meanError(differences) * Math.sqrt(studies);
  const covered = differences.filter((value, i) => Math.abs(value - gap) <= 2 * errors[i]).length / studies;
  return { spread, error: mean(errors), covered };
}

describe("over many simulated studies", () => {
  test("the paired error is the spread of the difference, and two of them hold the truth 95 times in 100", () => {
    const { spread, error, covered } = simulateMany(3000, 60, 0);
    expect(error / spread).toBeGreaterThan(0.95);
    expect(error / spread).toBeLessThan(1.05);
    expect(covered).toBeGreaterThan(0.935);
    expect(covered).toBeLessThan(0.965);
  });

  test("blocks keep that nearly true where neighbouring windows are alike", () => {
    const { spread, error, covered } = simulateMany(1000, 240, 0.3);
    expect(error / spread).toBeGreaterThan(0.93);
    expect(error / spread).toBeLessThan(1.05);
    expect(covered).toBeGreaterThan(0.92);
    expect(covered).toBeLessThan(0.97);
  });

  test("an unpaired error is several times as large", () => {
    const [a, b] = simulatePair(createNormal(3), 240, 0.02);
    const unpaired = Math.hypot(a.metrics["nll"].standardError!, b.metrics["nll"].standardError!);
    expect(unpaired / computePairedError(minus(a, b), nll)!).toBeGreaterThan(4);
  });
});

describe("in an answer", () => {
  // Two sizes at 4 and 16 bits on 240 common windows; 4 bits is better by 0.02 at equal size.
  const normal = createNormal(5);
  const common = Array.from({ length: 240 }, () => 3.5 + 0.5 * normal());
  const rows = [
    ["s", 4, 8e6, 0],
    ["l", 4, 8e8, -1],
    ["s", 16, 8e6, 0.02],
    ["l", 16, 8e8, -0.98],
  ].map(([model, bits, total, level]) =>
    windows(
      { values: Float32Array.from(common, (value) => value + Number(level) + 0.02 * normal()) },
      { model: String(model), spec: `int${bits}`, bitsPerWeight: Number(bits), total: Number(total) },
    ),
  );
  const bare = rows.map(({ documents: _, ...row }) => row);

  test("the margin between two curves is paired over the four rows around a budget", () => {
    const { margin, standings } = compareAt(buildCurves(placePoints(rows, nll), nll), nll, 8e7);
    expect(standings[0].parts.map(({ row, factor }) => [row.model.name, factor])).toEqual([
      ["s", expect.closeTo(0.5, 12)],
      ["l", expect.closeTo(0.5, 12)],
    ]);
    const parts = rows.map((row, i) => ({ row, factor: i < 2 ? 0.5 : -0.5 }));
    expect(margin).toMatchObject({ paired: true, withinNoise: false });
    expect(margin!.standardError).toBeCloseTo(computePairedError(parts, nll)!, 12);
  });

  test("what is within noise by unpaired errors is clear by paired ones", () => {
    const marginOf = (list: readonly ResultRow[]) => answerRows(list, { budgets: [8e7] })[0].budgets[0];
    expect(marginOf(bare).curves.margin).toMatchObject({ paired: false, withinNoise: true });
    expect(marginOf(rows).curves.margin).toMatchObject({ paired: true, withinNoise: false });
    expect(marginOf(rows).choice!.margin).toMatchObject({ paired: true });
  });
});
