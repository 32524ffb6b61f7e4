// Laws are recovered from rows simulated by them, with the constants that were published for each.

import { describe, expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { fitLaw } from "../../src/scaling/fit.ts";
import { laws } from "../../src/scaling/laws/laws.ts";
import { findMetric } from "../../src/scaling/metrics.ts";
import { observe } from "../../src/scaling/observations.ts";
import { selectLaw } from "../../src/scaling/select-law.ts";
import { plainLoss, type Simulation, simulateRows, sizes } from "./laws.ts";

const specs = ["fp16", "int3:b64", "int4:b64", "int5:b64", "int6:b64", "int8:b64"];
const lawOf = (name: string) => laws.find((law) => law.name === name)!;
const observeAll = (simulation: Simulation) => observe(simulateRows(simulation), findMetric("nll"));
const fitTo = (name: string, loss: Simulation["loss"], extra: Partial<Simulation> = {}) =>
  fitLaw(observeAll({ specs, loss, ...extra }), lawOf(name));
const read = (fit: ReturnType<typeof fitLaw>, name: string) => fit.parameters.find((one) => one.name === name)!.value;

describe("with published constants", () => {
  test("Ouyang et al.: 0.017 D^0.5251 / (N^0.2261 P^5.4967), the base that of Kumar et al.", () => {
    const tokens = 3e11;
    const base = (size: number) => 2.7648 + 4299 / size ** 0.4965;
    const delta = (size: number, bits: number) => (0.017 * tokens ** 0.5251) / (size ** 0.2261 * bits ** 5.4967);
    expect(delta(1e9, 4)).toBeCloseTo(0.0823, 3);
    const fit = fitTo("power", (size, bits) => base(size) + (bits < 16 ? delta(size, bits) : 0));
    expect(fit.converged).toBe(true);
    expect(read(fit, "gammaP")).toBeCloseTo(5.4967, 3);
    expect(read(fit, "gammaN")).toBeCloseTo(0.2261, 3);
    expect(read(fit, "E")).toBeCloseTo(2.7648, 3);
    expect(read(fit, "alpha")).toBeCloseTo(0.4965, 3);
    expect(Math.exp(read(fit, "ln C"))).toBeCloseTo(delta(fit.design.size, 4), 5);
  });

  test("Kumar et al.: delta = 0.0598 D^0.5068 / N^0.3439 e^(-P / 0.5907)", () => {
    const tokens = 2.6e10;
    const loss = (size: number, bits: number) =>
      2.7648 +
      4299 / size ** 0.4965 +
      (bits < 16 ? ((0.0598 * tokens ** 0.5068) / size ** 0.3439) * Math.exp(-bits / 0.5907) : 0);
    const fit = fitTo("exponential", loss, { sizes: [3e7, 6e7, 1.1e8, 1.6e8, 2.2e8] });
    expect(1 / read(fit, "1 / gamma")).toBeCloseTo(0.5907, 3);
    expect(read(fit, "gammaN")).toBeCloseTo(0.3439, 2);
  });

  test("Kumar et al.: N (1 - e^(-P / 2.6745)) effective parameters", () => {
    const loss = (size: number, bits: number) =>
      2.7648 + 4299 / (size * (bits < 16 ? 1 - Math.exp(-bits / 2.6745) : 1)) ** 0.4965;
    const fit = fitTo("effective", loss);
    expect(1 / read(fit, "1 / gamma")).toBeCloseTo(2.6745, 3);
  });

  test("Frantar et al.: 4 bits are worth 0.923 of the parameters", () => {
    const worth: Record<number, number> = { 3: 0.8, 4: 0.923, 5: 0.96, 6: 0.98, 8: 0.995, 16: 1 };
    const fit = fitTo("multiplier", (size, bits) => 1.75 + 260 / (size * worth[bits]) ** 0.38);
    const place = { size: 5e6, variant: "int", block: 64 };
    const effective = (bits: number) =>
      (260 / (fit.predict({ ...place, bits }) - read(fit, "E"))) ** (1 / read(fit, "alpha")) / 5e6;
    expect(effective(4) / effective(16)).toBeCloseTo(0.923, 3);
    expect(effective(3) / effective(16)).toBeCloseTo(0.8, 3);
  });
});

describe("a fit", () => {
  test("finds factors of blocks and types", () => {
    const loss = (size: number, bits: number, spec: string) => {
      const block = Number(/:b(\d+)/.exec(spec)?.[1] ?? 64);
      return (
        plainLoss(size, 16) +
        (plainLoss(size, bits) - plainLoss(size, 16)) * (block / 64) ** 0.12 * (spec.startsWith("nf") ? 0.8 : 1)
      );
    };
    const all = [
      "fp16",
      ...["int", "nf"].flatMap((type) => [3, 4, 5].flatMap((k) => [64, 256].map((b) => `${type}${k}:b${b}`))),
    ];
    const fit = fitLaw(observeAll({ specs: all, loss }), lawOf("exponential"));
    expect(read(fit, "beta")).toBeCloseTo(0.12, 3);
    expect(read(fit, "ln t(nf)")).toBeCloseTo(Math.log(0.8), 3);
  });

  test("is not moved by one row that is far off", () => {
    const rows = simulateRows({ specs, loss: plainLoss, own: 0.001 });
    rows[8] = { ...rows[8], metrics: { nll: { value: rows[8].metrics["nll"].value * 1.2, n: 1 } } };
    const fit = fitLaw(observe(rows, findMetric("nll")), lawOf("exponential"));
    expect(read(fit, "1 / gamma")).toBeCloseTo(1.2, 1);
    expect(Math.abs(fit.residuals[8])).toBeGreaterThan(0.15);
  });

  test("tells the noise that a model's rows share from that of each row", () => {
    const fits = [1, 2, 3, 4, 5, 6, 7, 8].map(
      (seed) => fitTo("exponential", plainLoss, { shared: 0.006, own: 0.001, seed }).noise,
    );
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(Math.sqrt(mean(fits.map((one) => one.shared)))).toBeGreaterThan(0.003);
    expect(Math.sqrt(mean(fits.map((one) => one.shared)))).toBeLessThan(0.01);
    expect(Math.sqrt(mean(fits.map((one) => one.own)))).toBeCloseTo(0.001, 3);
  });

  test("knows neither precisions nor variants that were not measured where its formula has no say in them", () => {
    const fit = fitTo("smooth", plainLoss);
    expect(fit.predict({ size: 5e6, bits: 2, variant: "int", block: 64 })).toBeNaN();
    expect(fit.predict({ size: 5e6, bits: 4, variant: "nf", block: 64 })).toBeNaN();
    expect(fit.predict({ size: 5e6, bits: 7, variant: "int", block: 64 })).toBeGreaterThan(plainLoss(5e6, 8));
  });

  test("refuses two models, and fewer rows than parameters", () => {
    expect(() => fitTo("smooth", plainLoss, { sizes: [1e6, 2e6] })).toThrow(InputError);
    expect(() => fitTo("exponential", plainLoss, { sizes: [1e6, 2e6, 4e6], specs: ["fp16", "int4:b64"] })).toThrow(
      /too few/,
    );
  });
});

describe("the choice of a law", () => {
  test("finds the law that the rows were made by", () => {
    const power = (size: number, bits: number) =>
      plainLoss(size, 16) + (bits < 16 ? 90 / (size ** 0.1 * bits ** 4) : 0);
    const worth: Record<number, number> = { 3: 0.5, 4: 0.923, 5: 0.93, 6: 0.99, 8: 0.992, 16: 1 };
    const noise = { specs, shared: 0.003, own: 0.0003 };
    const chosen = (loss: Simulation["loss"]) => selectLaw(observeAll({ ...noise, loss })).best.law.name;
    expect(chosen(plainLoss)).toBe("exponential");
    expect(chosen(power)).toBe("power");
    expect(chosen((size, bits) => 1.75 + 260 / (size * worth[bits]) ** 0.38)).toBe("multiplier");
  });

  test("falls back on the free form where no formula in bits fits", () => {
    const steps: Record<number, number> = { 3: 0.2, 4: 0.19, 5: 0.02, 6: 0.019, 8: 0.001, 16: 0 };
    const { best, candidates } = selectLaw(
      observeAll({
        specs,
        loss: (size, bits) => plainLoss(size, 16) + steps[bits] * (size / 1e7) ** -0.05,
        own: 0.0002,
      }),
    );
    expect(best.law.name).toBe("smooth");
    expect(candidates.length).toBe(laws.length);
    expect(candidates[1].heldOutError!).toBeGreaterThan(2 * best.heldOutError!);
  });

  test("shows what is wrong: parameters that the data do not determine, a base that three models fit exactly", () => {
    const flat = (size: number, bits: number) => 3 - 0.1 * Math.log(size / 1e6) + (bits < 16 ? Math.exp(-bits) : 0);
    const problems = selectLaw(observeAll({ specs, loss: flat })).candidates.flatMap((one) => one.problems);
    expect(problems.join(" ")).toMatch(/not determined: E/);
    const three = selectLaw(observeAll({ specs, loss: plainLoss, sizes: sizes.slice(0, 3) }));
    expect(three.best.problems.join(" ")).toMatch(/no intervals/);
    expect(three.best.heldOutError).toBeNull();
  });
});
