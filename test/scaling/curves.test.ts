import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerRows } from "../../src/scaling/answer.ts";
import { buildCurves, placePoints } from "../../src/scaling/curves.ts";
import { readFacets } from "../../src/scaling/facets.ts";
import { interpolate } from "../../src/scaling/interpolate.ts";
import { averageAccuracies } from "../../src/scaling/mean-accuracy.ts";
import { findMetric, readMetric } from "../../src/scaling/metrics.ts";
import { observe } from "../../src/scaling/observations.ts";
import { groupSeries } from "../../src/scaling/series.ts";
import { findUnstable } from "../../src/scaling/stability.ts";
import { makeRow } from "./simulate.ts";

const nll = findMetric("nll");
const row = (model: string, bits: number, total: number, loss: number, spec = `int${bits}:b64`) =>
  makeRow({ model, bitsPerWeight: bits, spec: bits === 16 ? "fp16" : spec, total, metrics: { nll: loss } });
const curvesOf = (...rows: ReturnType<typeof row>[]) => buildCurves(placePoints(rows, nll), nll);

describe("metrics", () => {
  test("perplexity is read as its logarithm, with the standard error carried over", () => {
    const one = makeRow({ total: 8, metrics: { perplexity: { value: 20, standardError: 0.5, n: 10 } } });
    expect(readMetric(one, findMetric("perplexity"))).toEqual({ value: Math.log(20), standardError: 0.025 });
    expect(readMetric(one, nll)).toEqual({ value: Math.log(20), standardError: 0.025 });
    expect(readMetric(one, findMetric("acc"))).toBeUndefined();
  });

  test("an unknown metric names the nearest", () => {
    expect(() => findMetric("perplexty")).toThrow("did you mean perplexity?");
  });
});

describe("spec facets", () => {
  test.each([
    ["float4:e3:b64", "float", "64"],
    ["int8", "int", "tensor"],
    ["nf4:brow:dq", "nf", "row"],
    ["bnbfp4:b64", "bnbfp", "64"],
    ["float3:e2:bnb:b128:proxy2", "float", "128"],
    ["fp16", "baseline", ""],
    ["stored", "baseline", ""],
    ["mix:0123456789abcdef", "mix", ""],
  ])("%s has type %s and block %s", (spec, type, block) => {
    expect(readFacets(spec)).toEqual({ type, block });
  });
});

describe("a mix", () => {
  const mix = row("small", 4, 105, 2.5, "mix:0123456789abcdef");
  const rows = [
    ...[16, 8, 4, 3].flatMap((bits) => [row("small", bits, 25 * bits, 3), row("large", bits, 100 * bits, 2)]),
    mix,
  ];

  test("is a point that can be chosen, but on the curve of no precision, even if its mean is whole", () => {
    const [answer] = answerRows(rows, { metric: "nll", budgets: [110] });
    expect(answer.points.map((point) => point.row)).toContain(mix);
    expect(answer.curves.map((curve) => curve.bitsPerWeight)).toEqual([3, 4, 8, 16]);
    expect(answer.curves.flatMap((curve) => curve.points.map((point) => point.row))).not.toContain(mix);
    expect(answer.frontier.map((point) => point.row)).toContain(mix);
  });

  test("has no place in a law", () => {
    expect(observe(rows, nll).map((one) => one.row)).toEqual(rows.slice(0, -1));
  });
});

describe("curves", () => {
  test("a spec is charged for its bits at the rate of larger models, but not where larger ones are no better", () => {
    // At 16 bits a doubling of size gains 0.2; at 4 bits half the bits for 0.1 less are worth it, for 0.3 less they are not.
    const models = [row("a", 16, 1600, 3), row("b", 16, 3200, 2.8), row("c", 16, 6400, 2.6)];
    const wide = row("a", 4, 800, 3.1, "int4:b64");
    const chosen = (loss: number, others = models) => {
      const [four] = curvesOf(...others, wide, row("a", 4, 400, loss, "int4:b64:embed:head"));
      return four.points.map(({ bits }) => bits);
    };
    expect(chosen(3.2)).toEqual([400]);
    expect(chosen(3.4)).toEqual([800]);
    expect(chosen(3.2, [row("a", 16, 1600, 3), row("b", 16, 3200, 3.1)])).toEqual([800]);
    expect(chosen(3.2, [])).toEqual([800]);
  });

  test("each precision has one point a model, its best, ascending by bits", () => {
    const curves = curvesOf(
      row("large", 4, 800, 2),
      row("small", 4, 100, 3),
      row("small", 4, 120, 2.9, "int4:b16"),
      row("small", 4, 110, 2.9, "nf4:b64"),
      row("small", 16, 400, 2.8),
    );
    expect(curves.map((curve) => [curve.bitsPerWeight, curve.points.map((point) => point.bits)])).toEqual([
      [4, [110, 800]],
      [16, [400]],
    ]);
  });

  test("a filter on type and block keeps baselines", () => {
    const rows = [row("a", 4, 100, 3), row("a", 4, 110, 2, "nf4:b32"), row("a", 16, 400, 1)];
    const specs = (filter: object) => placePoints(rows, nll, "all", filter).map((point) => point.row.key.spec);
    expect(specs({ types: ["int"] })).toEqual(["int4:b64", "fp16"]);
    expect(specs({ blocks: ["32"] })).toEqual(["nf4:b32", "fp16"]);
    expect(specs({ types: ["int"], blocks: ["32"] })).toEqual(["fp16"]);
  });

  test("sizes of zero and values that are not finite have no place", () => {
    const rows = [row("a", 4, 0, 3), row("b", 4, 100, Number.NaN), row("c", 4, 100, Number.POSITIVE_INFINITY)];
    expect(placePoints(rows, nll)).toEqual([]);
  });

  test("by the count of quantized matrices a baseline is charged for the same matrices at its own width", () => {
    const points = placePoints(
      [makeRow({ bitsPerWeight: 16, spec: "fp16", total: 99, parameters: 5, metrics: { nll: 1 } })],
      nll,
      "quantized",
    );
    expect(points[0].bits).toBe(80);
  });
});

describe("interpolation", () => {
  const [curve] = curvesOf(row("s", 4, 100, 3), row("m", 4, 1000, 2), row("l", 4, 100_000, 1));

  test("is exact on points and linear over log10 bits between them", () => {
    expect(interpolate(curve, 100)?.value).toBe(3);
    expect(interpolate(curve, 1000)?.value).toBe(2);
    expect(interpolate(curve, 100_000)?.value).toBe(1);
    expect(interpolate(curve, 10 ** 2.5)?.value).toBeCloseTo(2.5, 12);
    expect(interpolate(curve, 10_000)?.value).toBeCloseTo(1.5, 12);
    expect(interpolate(curve, 10_000)?.parameters).toBeCloseTo(2500, 6);
  });

  test("never answers outside the measured range", () => {
    for (const bits of [0, 99.999, 100_000.001, Number.POSITIVE_INFINITY, Number.NaN]) {
      expect(interpolate(curve, bits)).toBeNull();
    }
  });

  test("stays between its neighbours, in value and in standard error", () => {
    const positive = fc.double({ min: 1e-3, max: 10, noNaN: true });
    fc.assert(
      fc.property(
        positive,
        positive,
        positive,
        positive,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (a, b, sa, sb, t) => {
          const metrics = (value: number, standardError: number) => ({ nll: { value, standardError, n: 9 } });
          const rows = [
            makeRow({ model: "a", total: 64, metrics: metrics(a, sa) }),
            makeRow({ model: "b", total: 640, metrics: metrics(b, sb) }),
          ];
          const reading = interpolate(buildCurves(placePoints(rows, nll), nll)[0], Math.min(640, 64 * 10 ** t))!;
          expect(reading.value).toBeGreaterThanOrEqual(Math.min(a, b) - 1e-9);
          expect(reading.value).toBeLessThanOrEqual(Math.max(a, b) + 1e-9);
          expect(reading.standardError).toBeGreaterThanOrEqual(Math.min(sa, sb) - 1e-9);
          expect(reading.standardError).toBeLessThanOrEqual(Math.max(sa, sb) + 1e-9);
        },
      ),
    );
  });
});

describe("series", () => {
  test("rows that were measured differently are never mixed", () => {
    const keys = [
      {},
      { limit: 5 },
      { profile: "p" },
      { dataHash: "d" },
      { computeType: "bfloat16" },
      { tokenizerHash: "t" },
    ];
    const rows = keys.map((key) => makeRow({ total: 8, metrics: { nll: 1 }, key }));
    const series = groupSeries([...rows, makeRow({ total: 8, family: "other", metrics: { nll: 1 } })]);
    expect(series).toHaveLength(7);
    expect(new Set(series.map((one) => `${one.family} ${one.note}`)).size).toBe(7);
  });

  test("models of different tokenizers are compared by bits a byte, not by nats a token", () => {
    const rows = ["t1", "t2"].map((tokenizerHash) =>
      makeRow({ total: 8, metrics: { nll: 1, bitsPerByte: 1 }, key: { tokenizerHash } }),
    );
    expect(groupSeries(rows)).toHaveLength(2);
    expect(groupSeries(rows, { metric: "bitsPerByte" })).toHaveLength(1);
  });

  test("tasks are compared by accuracy, texts by loss", () => {
    const rows = [
      makeRow({ total: 8, task: "piqa", metrics: { acc: 0.5, acc_norm: 0.6 } }),
      makeRow({ total: 8, metrics: { perplexity: 3 } }),
    ];
    expect(groupSeries(rows).map((one) => [one.task, one.metric.name])).toEqual([
      ["perplexity", "nll"],
      ["piqa", "acc"],
    ]);
    expect(groupSeries(rows, { metric: "acc_norm" }).map((one) => one.task)).toEqual(["piqa"]);
  });
});

describe("mean of tasks", () => {
  const acc = (value: number, standardError?: number) => ({ acc: { value, standardError, n: 100 } });
  const of = (model: string, task: string, value: number, standardError?: number) =>
    makeRow({ model, task, total: 80, metrics: acc(value, standardError) });

  test("is the plain mean, with independent errors, of models that have every task", () => {
    const rows = [of("a", "piqa", 0.6, 0.03), of("a", "winogrande", 0.5, 0.04), of("b", "piqa", 0.7, 0.01)];
    const means = averageAccuracies(rows);
    expect(means.map((row) => [row.model.name, row.key.task])).toEqual([["a", "mean of tasks"]]);
    expect(means[0].metrics["acc"].value).toBeCloseTo(0.55, 12);
    expect(means[0].metrics["acc"].standardError).toBeCloseTo(0.025, 12);
    expect(answerRows(rows).map((answer) => answer.series.task)).toContain("mean of tasks");
  });

  test("needs two tasks under the same conditions", () => {
    const limited = makeRow({ model: "a", task: "winogrande", total: 80, metrics: acc(0.5), key: { limit: 400 } });
    expect(averageAccuracies([of("a", "piqa", 0.6), limited])).toEqual([]);
    expect(
      averageAccuracies([of("a", "piqa", 0.6), of("a", "winogrande", 0.5)])[0].metrics["acc"].standardError,
    ).toBeUndefined();
  });
});

describe("stability", () => {
  test("a loss more than 1.5 nats above the model's own 16-bit loss is unstable, on every task of that spec", () => {
    const accuracy = makeRow({
      model: "a",
      spec: "int3:b64",
      bitsPerWeight: 3,
      total: 9,
      task: "piqa",
      metrics: { acc: 0.5 },
    });
    const rows = [
      row("a", 16, 100, 3),
      row("a", 4, 50, 4.5),
      row("a", 3, 40, 4.51),
      accuracy,
      row("b", 16, 100, 1),
      row("b", 3, 40, 2.4),
      row("orphan", 3, 40, 9),
    ];
    expect(findUnstable(rows).map((one) => one.row)).toEqual([rows[2], accuracy]);
    expect(findUnstable(rows)[0].reason).toBe("Loss is 1.51 nats above the model's 16-bit loss on perplexity.");
  });

  test("a loss that is not finite is unstable without a 16-bit row", () => {
    expect(findUnstable([row("a", 3, 40, Number.NaN)])).toHaveLength(1);
  });
});
