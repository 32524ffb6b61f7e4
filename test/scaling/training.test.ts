// Tokens of training and seeds: laws are recovered where tokens vary, and seeds are no sizes but a source of noise.

import { describe, expect, test } from "vitest";
import type { ResultRow } from "../../src/result.ts";
import { compareAt } from "../../src/scaling/compare.ts";
import { buildCurves, placePoints } from "../../src/scaling/curves.ts";
import { estimateMeanEffect } from "../../src/scaling/effect.ts";
import { fitLaw } from "../../src/scaling/fit.ts";
import { formulaOf } from "../../src/scaling/laws/law.ts";
import { laws } from "../../src/scaling/laws/laws.ts";
import { findMetric } from "../../src/scaling/metrics.ts";
import { observe } from "../../src/scaling/observations.ts";
import { selectLaw } from "../../src/scaling/select-law.ts";
import { estimateSeedVariance } from "../../src/scaling/training.ts";
import { plainLoss, simulateRows, sizes } from "./laws.ts";

const nll = findMetric("nll");
const specs = ["fp16", "int3:b64", "int4:b64", "int5:b64", "int6:b64", "int8:b64"];
const lawOf = (name: string) => laws.find((law) => law.name === name)!;
const read = (fit: ReturnType<typeof fitLaw>, name: string) => fit.parameters.find((one) => one.name === name)!.value;

describe("where tokens of training vary", () => {
  const tokens = [1.5e9, 6e9, 2.6e10];
  // Table 2 of Kumar et al.: A 4299, alpha = beta 0.4965, B 18060, E 2.7648.
  const base = (size: number, seen: number) => 2.7648 + 4299 / size ** 0.4965 + 18060 / seen ** 0.4965;
  const family = [3e7, 6e7, 1.1e8, 2.2e8];

  test("Kumar et al. are recovered: B / D^0.4965 and 0.0598 D^0.5068 / N^0.3439 e^(-P / 0.5907)", () => {
    const loss = (size: number, bits: number, _: string, seen: number) =>
      base(size, seen) + (bits < 16 ? ((0.0598 * seen ** 0.5068) / size ** 0.3439) * Math.exp(-bits / 0.5907) : 0);
    const fit = fitLaw(observe(simulateRows({ specs, loss, sizes: family, tokens }), nll), lawOf("exponential"));
    expect(read(fit, "betaD")).toBeCloseTo(0.4965, 2);
    expect(read(fit, "alpha")).toBeCloseTo(0.4965, 2);
    expect(read(fit, "E")).toBeCloseTo(2.7648, 2);
    expect(read(fit, "gammaD")).toBeCloseTo(0.5068, 2);
    expect(read(fit, "gammaN")).toBeCloseTo(0.3439, 2);
    expect(1 / read(fit, "1 / gamma")).toBeCloseTo(0.5907, 3);
    expect(formulaOf(fit.law, fit.design)).toMatch(/B \/ D\^beta/);
  });

  test("Ouyang et al. are recovered: 0.017 D^0.5251 / (N^0.2261 P^5.4967)", () => {
    const loss = (size: number, bits: number, _: string, seen: number) =>
      base(size, seen) + (bits < 16 ? (0.017 * seen ** 0.5251) / (size ** 0.2261 * bits ** 5.4967) : 0);
    const fit = fitLaw(observe(simulateRows({ specs, loss, sizes: family, tokens }), nll), lawOf("power"));
    expect(read(fit, "gammaD")).toBeCloseTo(0.5251, 2);
    expect(read(fit, "gammaN")).toBeCloseTo(0.2261, 2);
    expect(read(fit, "gammaP")).toBeCloseTo(5.4967, 2);
  });

  test("with noise the law that made the rows is chosen, and says what a model of other tokens will lose", () => {
    const loss = (size: number, bits: number, _: string, seen: number) =>
      base(size, seen) + (bits < 16 ? (seen / 6e9) ** 0.5 * 6 * Math.exp(-1.2 * bits) : 0);
    const rows = simulateRows({ specs, loss, sizes: family, tokens, shared: 0.002, own: 0.0005 });
    const { best } = selectLaw(observe(rows, nll));
    expect(best.law.name).toBe("exponential");
    const place = { size: 1.1e8, variant: "int", block: 64, tokens: 1.2e10 };
    const lost = (bits: number) => best.fit.predict({ ...place, bits }) - best.fit.predict({ ...place, bits: 16 });
    expect(lost(3) / (loss(1.1e8, 3, "", 1.2e10) - loss(1.1e8, 16, "", 1.2e10))).toBeCloseTo(1, 1);
    expect(best.fit.predict({ ...place, tokens: null, bits: 4 })).toBeNaN();
  });

  test("tokens in step with size cannot be told from it: the law has none, and each size stands once", () => {
    const loss = (size: number, bits: number) => plainLoss(size, bits);
    const rows = sizes.flatMap((size) => simulateRows({ specs, loss, sizes: [size], tokens: [20 * size] }));
    expect(selectLaw(observe(rows, nll)).best.fit.design.tokens).toBeNull();
    const few = simulateRows({ specs, loss, sizes: sizes.slice(0, 4) });
    const early = simulateRows({
      specs,
      loss: (size, bits) => plainLoss(size, bits) + 1,
      sizes: [sizes[0]],
      tokens: [1e6],
    });
    const late = few.map((row) => ({ ...row, model: { ...row.model, trainingTokens: 1e9 } }));
    const { fit } = selectLaw(observe([...late, ...early], nll)).best;
    expect(new Set(fit.observations.map((one) => one.tokens))).toEqual(new Set([1e9]));
  });

  test("a curve has the model of most tokens at each size", () => {
    const rows = simulateRows({ specs, loss: (size, bits, _, seen) => plainLoss(size, bits) + seen, tokens: [1, 2] });
    const curves = buildCurves(placePoints(rows, nll), nll);
    for (const { points } of curves) {
      expect(points).toHaveLength(sizes.length);
      for (const { row } of points) expect(row.model.trainingTokens).toBe(2);
    }
  });
});

describe("seeds", () => {
  const seeds = (index: number) => (index === 1 ? 4 : 1);
  const family = sizes.slice(0, 5);

  test("of a size are one point of a curve, at their mean", () => {
    const rows = simulateRows({ specs, loss: plainLoss, shared: 0.01, own: 0.001, seeds, sizes: family });
    const curves = buildCurves(placePoints(rows, nll), nll);
    for (const { points, bitsPerWeight } of curves) {
      expect(points).toHaveLength(family.length);
      const own = rows.filter((row) => row.bitsPerWeight === bitsPerWeight && row.model.parameters === family[1]);
      const mean = own.reduce((sum, row) => sum + row.metrics["nll"].value, 0) / 4;
      expect(points[1].value).toBeCloseTo(mean, 12);
      expect(points[1].members).toHaveLength(4);
      const shareOf = ({ value, training }: (typeof points)[number]) => training!.variance / value ** 2;
      expect(shareOf(points[1])).toBeCloseTo(shareOf(points[0]) / 4, 12);
    }
  });

  test("tell the noise of training, which makes a margin between two sizes wider and leaves one model's specs alone", () => {
    const loss = (size: number, bits: number) => plainLoss(size, bits);
    const simulate = (count: number) =>
      simulateRows({ specs, loss, shared: 0.01, own: 0, seeds: (i) => (i === 1 ? count : 1), sizes: family, seed: 5 });
    const withDocuments = (rows: readonly ResultRow[]) =>
      rows.map((row) => ({
        ...row,
        documents: {
          nll: {
            values: Float32Array.from({ length: 60 }, (_, i) => row.metrics["nll"].value + 0.001 * Math.sin(7 * i)),
          },
        },
      }));
    const variance = estimateSeedVariance(
      simulate(40).map((row) => ({
        row,
        value: row.metrics["nll"].value / plainLoss(row.model.parameters, row.bitsPerWeight),
      })),
    )!;
    expect(variance.degrees).toBe(39);
    expect(Math.sqrt(variance.variance)).toBeGreaterThan(0.007);
    expect(Math.sqrt(variance.variance)).toBeLessThan(0.013);
    const marginOf = (count: number) => {
      const curves = buildCurves(placePoints(withDocuments(simulate(count)), nll), nll);
      return compareAt(
        curves.filter((curve) => [4, 8].includes(curve.bitsPerWeight)),
        nll,
        3e7,
      ).margin!;
    };
    expect(marginOf(1).standardError).toBeLessThan(0.001);
    expect(marginOf(4).standardError).toBeGreaterThan(0.003);
    // The same model at two specs has the same training: nothing is added.
    const curves = buildCurves(placePoints(withDocuments(simulate(4)), nll), nll);
    const [four, eight] = [4, 8].map((bits) => curves.find((curve) => curve.bitsPerWeight === bits)!.points[2]);
    expect(four.training!.key).toBe(eight.training!.key);
  });

  test("make a law's shared noise known from more than sizes", () => {
    const fitOf = (count: number) =>
      fitLaw(
        observe(
          simulateRows({
            specs,
            loss: plainLoss,
            shared: 0.005,
            own: 0.001,
            seeds: (i) => (i === 1 ? count : 1),
            sizes: family,
          }),
          nll,
        ),
        lawOf("exponential"),
      );
    expect(fitOf(1).noise.sharedDegrees).toBe(2);
    expect(fitOf(5).noise.sharedDegrees).toBe(6);
    const three = simulateRows({ specs, loss: plainLoss, seeds: () => 3, sizes: family.slice(0, 2) });
    expect(() => fitLaw(observe(three, nll), lawOf("exponential"))).toThrow(/at least 3 sizes/);
  });

  test("do not make a size count more in a mean effect", () => {
    const at = (size: number, value: number) => ({ size, value, parts: [] });
    const { value, standardError, degrees } = estimateMeanEffect(
      [at(1, 1), at(1, 1.1), at(1, 0.9), at(2, 3), at(3, 5)],
      nll,
    );
    expect(value).toBeCloseTo(3, 12);
    expect(standardError).toBeGreaterThan(0);
    expect(degrees).toBe(3);
  });
});
