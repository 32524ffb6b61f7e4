// Advice on simulated families whose best choice is known, and plain answers where there is none.

import { describe, expect, test } from "vitest";
import type { ResultRow } from "../../src/result.ts";
import { countCacheBytes, countWorkspaceBytes, type ModelShape } from "../../src/scaling/memory.ts";
import { recommend } from "../../src/scaling/recommend.ts";
import { createRandom } from "../../src/tensor/random.ts";
import { bitsOf, plainLoss, simulateRows, sizes, totalOf } from "./laws.ts";

const specs = ["fp16", "int3:b64", "int4:b64", "int5:b64", "int6:b64", "int8:b64"];
const rows = simulateRows({ specs, loss: plainLoss, own: 0.0002, shared: 0.001 });
const cellOf = ({ model, key }: ResultRow) => `${model.name} ${key.spec}`;
/** Rows of the first 100 documents, of independent luck, so that a value is known to `error`. */
const takePart = (all: readonly ResultRow[], error: number) =>
  all.map((row, seed): ResultRow => {
    const random = createRandom(seed + 1);
    const noise = Array.from({ length: 100 }, () => random.normal());
    const mean = noise.reduce((sum, one) => sum + one, 0) / 100;
    const { value } = row.metrics["nll"];
    const values = Float32Array.from(noise, (one) => value + (one - mean) * error * 10);
    return {
      ...row,
      key: { ...row.key, limit: 100 },
      metrics: { nll: { value, standardError: error, n: 100 } },
      documents: { nll: { values } },
    };
  });
const without = (...cells: string[]) => rows.filter((row) => !cells.includes(cellOf(row)));

describe("the best within a budget", () => {
  test("is the one with the lowest loss of all that fit", () => {
    for (const budget of [1e6, 3e6, 9e6, 30e6]) {
      const { best, alternatives } = recommend(rows, { budget, predict: false });
      const fitting = rows.filter((row) => row.bits.total / 8 <= budget);
      const lowest = fitting.reduce((a, b) => (b.metrics["nll"].value < a.metrics["nll"].value ? b : a));
      expect(`${best!.name} ${best!.spec}`).toBe(cellOf(lowest));
      expect(best!.bytes).toBe(lowest.bits.total / 8);
      expect(best!.interval![0]).toBeLessThan(best!.value);
      expect(alternatives).toHaveLength(3);
      expect(alternatives.every((one) => one.difference >= 0 && one.needed <= budget)).toBe(true);
    }
  });

  test("may be a cell that was not measured, predicted by the law within its interval", () => {
    const missing = rows.find((row) => cellOf(row) === "toy-11m int5:b64")!;
    const { best, nextExperiment, assumptions } = recommend(without(cellOf(missing)), { budget: 8e6 });
    expect(best).toMatchObject({ name: "toy-11m", spec: "int5:b64", source: "predicted" });
    expect(best!.bytes).toBeCloseTo(missing.bits.total / 8, -3);
    expect(best!.interval![0]).toBeLessThan(missing.metrics["nll"].value);
    expect(best!.interval![1]).toBeGreaterThan(missing.metrics["nll"].value);
    expect(nextExperiment!.candidate).toMatchObject({ name: "toy-11m", spec: "int5:b64" });
    expect(nextExperiment!.reason).toMatch(/is a prediction/);
    expect(assumptions.join(" ")).toMatch(/predicted by "loss falls exponentially with bits"/);
    const measuredOnly = recommend(without(cellOf(missing)), { budget: 8e6, predict: false });
    expect(measuredOnly.best!.source).toBe("measured");
  });

  test("is by accuracy the one with the highest", () => {
    const scored = rows.map((row) => ({
      ...row,
      metrics: { acc: { value: 1.4 - 0.35 * row.metrics["nll"].value, standardError: 0.01, n: 400 } },
    }));
    const byAccuracy = recommend(scored, { budget: 9e6 });
    const byLoss = recommend(rows, { budget: 9e6, predict: false });
    expect(byAccuracy.metric.name).toBe("acc");
    expect(byAccuracy.best!.spec).toBe(byLoss.best!.spec);
    expect(byAccuracy.best!.value).toBeGreaterThan(byAccuracy.alternatives[0].value);
  });

  test("stands on the frontier, which reaches a little around the budget", () => {
    const { best, frontier } = recommend(rows, { budget: 9e6, predict: false });
    const fits = frontier.filter((one) => one.fits);
    expect(fits.at(-1)).toMatchObject({ name: best!.name, spec: best!.spec });
    expect(frontier.some((one) => !one.fits)).toBe(true);
    expect([...frontier].sort((a, b) => a.needed - b.needed)).toEqual(frontier);
  });
});

describe("the next experiment", () => {
  test("is the prediction that may well be better than the best", () => {
    // With 4 bits of a size just below the budget unmeasured, what remains is clearly worse.
    const { nextExperiment, best } = recommend(without("toy-24m int4:b64", "toy-24m int5:b64"), { budget: 13e6 });
    expect([nextExperiment!.candidate.spec, best!.spec]).toEqual(["int4:b64", "int4:b64"]);
    expect(nextExperiment!.expectedGain).toBeGreaterThanOrEqual(0);
  });

  test("is a measurement on all of the data where a part left two choices close", () => {
    const close = takePart(rows, 0.05);
    const { nextExperiment, answer } = recommend(close, { budget: 9e6, predict: false });
    expect(answer).toMatch(/cannot be told from/);
    expect(nextExperiment!.reason).toMatch(/part of the data/);
    expect(nextExperiment!.chance).toBeGreaterThan(0.05);
  });

  test("is none whose gain would be lost in the error of the value, and why is told", () => {
    // Documents are alike hard for all, so two choices are told apart to 0.001 where the value is known to 0.05.
    const common = takePart(rows.slice(0, 1), 0.05)[0].documents!["nll"].values;
    const first = rows[0].metrics["nll"].value;
    const part = takePart(rows, 0.001).map((row): ResultRow => {
      const values = row.documents!["nll"].values.map((one, i) => one + common[i] - first);
      const nll = { value: row.metrics["nll"].value, standardError: 0.05, n: 100 };
      return { ...row, metrics: { nll }, documents: { nll: { values } } };
    });
    const { nextExperiment, noExperiment } = recommend(part, { budget: 9e6, predict: false });
    expect(nextExperiment).toBeNull();
    expect(noExperiment).toMatch(/No experiment is worth its time: .* improve the loss by .* only known to 0.05 /);
  });

  test("is none of results without documents, which might tell two apart as they are", () => {
    const bare = takePart(rows, 0.05).map(({ documents: _, ...row }): ResultRow => row);
    const { nextExperiment, noExperiment, assumptions } = recommend(bare, { budget: 9e6, predict: false });
    expect(nextExperiment).toBeNull();
    expect(noExperiment).toMatch(/^Without documents/);
    const told = assumptions.filter((one) => /carry no documents, so differences are unpaired.*export/i.test(one));
    expect(told).toHaveLength(1);
    const paired = recommend(takePart(rows, 0.05), { budget: 9e6, predict: false });
    expect(paired.assumptions.join(" ")).not.toMatch(/carry no documents/);
  });

  test("measures both sides on all of the data, which then decides between them", () => {
    const part = takePart(rows, 0.05);
    const ask = (whole: readonly ResultRow[]) => recommend([...part, ...whole], { budget: 9e6, predict: false });
    const first = ask([]);
    const { candidate, beside } = first.nextExperiment!;
    expect(`${beside!.name} ${beside!.spec}`).toBe(`${first.best!.name} ${first.best!.spec}`);
    const measure = (one: { row: ResultRow }, value: number): ResultRow => ({
      ...one.row,
      id: `${one.row.id} whole`,
      key: { ...one.row.key, limit: null },
      metrics: { nll: { value, standardError: 0.001, n: 1000 } },
      documents: undefined,
    });
    const second = ask([measure(candidate, 2), measure(beside!, 2.5)]);
    expect([second.best!.name, second.best!.spec]).toEqual([candidate.name, candidate.spec]);
    const loser = second.alternatives.find((one) => one.name === beside!.name && one.spec === beside!.spec)!;
    expect(loser.difference).toBeCloseTo(0.5, 9);
    expect(second.answer).not.toMatch(/cannot be told/);
    expect(second.assumptions.join(" ")).toMatch(/measured on all of the data too, that decides/);
    expect(second.nextExperiment?.beside ?? null).toBeNull();
    expect(second.nextExperiment?.candidate).not.toMatchObject({ name: candidate.name, spec: candidate.spec });
    const third = ask([measure(candidate, 2.5), measure(beside!, 2)]);
    expect([third.best!.name, third.best!.spec]).toEqual([beside!.name, beside!.spec]);
    const half = ask([measure(beside!, 2)]);
    expect(half.nextExperiment).toMatchObject({ candidate: { name: candidate.name, spec: candidate.spec } });
    expect(half.nextExperiment!.beside).toBeNull();
  });

  test("is no mix on all of the data, for its row does not say what it is", () => {
    const mixes = takePart(rows, 0.05).map((row) => ({
      ...row,
      key: { ...row.key, spec: row.key.spec === "fp16" ? "fp16" : `mix:${row.key.spec}` },
    }));
    expect(recommend(mixes, { budget: 9e6, predict: false }).nextExperiment).toBeNull();
  });

  test("is none where all is measured and clear", () => {
    expect(recommend(rows, { budget: 9e6 }).nextExperiment).toBeNull();
  });
});

describe("memory and speed", () => {
  const shape: ModelShape = {
    layers: 4,
    keyHeads: 2,
    heads: 8,
    headSize: 16,
    width: 128,
    ffnWidth: 512,
    vocabulary: 1000,
    maxLength: 2048,
  };

  test("the cache is two vectors a layer, key head and token; windows hold no more than they see", () => {
    const workload = { context: 1000, batch: 3, kvBits: 8 };
    expect(countCacheBytes(shape, workload)).toBe(2 * 4 * 2 * 16 * 1000 * 3);
    expect(countCacheBytes({ ...shape, windows: [undefined, 100, 100, 100] }, workload)).toBe(
      2 * 2 * 16 * (1000 + 300) * 3,
    );
    expect(countCacheBytes(shape, { ...workload, kvBits: 16 })).toBe(2 * countCacheBytes(shape, workload));
    expect(countWorkspaceBytes(shape, workload)).toBe(4 * 3 * (4 * 128 + 12 * 16 + 2 * 512 + 8 * 1000 + 1000));
  });

  test("a budget of memory is charged for weights, cache and activations", () => {
    const shapes = new Map(rows.map((row) => [row.model.name, shape]));
    const workload = { context: 2000, batch: 8, kvBits: 16 };
    const extra = countCacheBytes(shape, workload) + countWorkspaceBytes(shape, workload);
    const { best } = recommend(rows, { budget: 20e6, workload, shapes, predict: false });
    const same = recommend(rows, { budget: 20e6 - extra, predict: false });
    expect(best).toMatchObject({ name: same.best!.name, spec: same.best!.spec });
    expect(best!.needed).toBe(best!.bytes + extra);
    expect(recommend(rows, { budget: 20e6, workload, predict: false }).assumptions.join(" ")).toMatch(/not counted/);
    const long = recommend(rows, {
      budget: 20e6,
      workload: { ...workload, context: 4096, batch: 1 },
      shapes,
      predict: false,
    });
    expect(long.best).toBeNull();
    expect(long.answer).toMatch(/reads a context of 4096 tokens: the longest input of those models is 2048/);
    const timing = { context: 4096 };
    const speed = { budget: 20e6, tokensPerSecond: 1, bandwidth: 1e9, shapes, predict: false };
    expect(recommend(rows, { ...speed, timing }).best).toBeNull();
    expect(recommend(rows, { ...speed, timing: { context: 2048 } }).best).not.toBeNull();
  });

  test("a wanted speed rules out what reads too many bytes a token", () => {
    const speed = { tokensPerSecond: 10_000, bandwidth: 30e9 };
    expect(recommend(rows, { budget: 30e6, tokensPerSecond: 1 }).answer).toMatch(/Nothing .* nothing was timed/);
    expect(recommend(rows, { ...speed, budget: 30e6, tokensPerSecond: 1e9, predict: false }).answer).toMatch(
      /writes 1000000000 tokens a second: the fastest is toy-1m at int3:b64, with 73\d{3}\.$/,
    );
    const { best } = recommend(rows, { budget: 30e6, ...speed, predict: false });
    expect(best!.bytes).toBeLessThanOrEqual(3e6);
    expect(best!.tokensPerSecond).toBeCloseTo(30e9 / best!.bytes, 6);
    expect(best!.speedSource).toBe("bandwidth");
    expect(recommend(rows, { budget: 3e6, predict: false }).best!.spec).toBe(best!.spec);
  });

  test("a speed beside a budget of memory is meant at the context of that memory", () => {
    const time = (row: ResultRow, context: number, msPerToken: number): ResultRow => ({
      ...row,
      id: `${row.id} ${context}`,
      key: { ...row.key, task: "latency", dataHash: "machine", profile: `batch-2-context-${context}` },
      metrics: { msPerToken: { value: msPerToken, standardError: 0.01, n: 100 } },
    });
    const timed = rows.flatMap((row) => [time(row, 128, 10), time(row, 2000, 20)]);
    const ask = { budget: 1e9, tokensPerSecond: 1, predict: false };
    const workload = { batch: 2, context: 2048, kvBits: 16 };
    const speedOf = (options: object) => recommend([...rows, ...timed], { ...ask, ...options }).best!.tokensPerSecond;
    expect(speedOf({ timing: { batch: 2 } })).toBe(100);
    expect(speedOf({ timing: { batch: 2 }, workload })).toBe(50);
    expect(speedOf({ timing: { batch: 2, context: 128 }, workload })).toBe(100);
    expect(recommend([...rows, ...timed], { ...ask, timing: {}, workload }).assumptions.join(" ")).toMatch(
      /Speed at batch 2: 36 of 36 were timed/,
    );
  });

  test("times in the store come before a bandwidth, at the batch that is asked for", () => {
    const time = (row: ResultRow, batch: number, msPerToken: number): ResultRow => ({
      ...row,
      id: `${row.id} ${batch}`,
      key: { ...row.key, task: "latency", dataHash: "machine", profile: `batch-${batch}-context-128` },
      metrics: { msPerToken: { value: msPerToken, standardError: 0.01, n: 100 } },
    });
    // 8 bits were not timed; 3 bits are slow here, whatever they read.
    const timed = rows
      .filter((row) => row.key.spec !== "int8:b64")
      .flatMap((row) => {
        const ms = (row.key.spec === "int3:b64" ? 5 : 1) * (row.bits.total / 8e6);
        return [time(row, 1, ms), time(row, 8, 6 * ms)];
      });
    const ask = (batch: number) => {
      const workload = { batch, context: 100, kvBits: 16 };
      return recommend([...rows, ...timed], {
        budget: 1e9,
        workload,
        tokensPerSecond: 100,
        bandwidth: 1,
        predict: false,
      });
    };
    const one = ask(1);
    expect(one.best!.bytes).toBeLessThanOrEqual(10e6);
    expect(one.best!.tokensPerSecond).toBeCloseTo(1e9 / one.best!.bytes, 6);
    const all = [one.best!, ...one.alternatives, ...one.frontier];
    expect(all.every((option) => option.tokensPerSecond! >= 100)).toBe(true);
    expect(all.filter((option) => option.spec === "int3:b64" && option.bytes > 2e6)).toEqual([]);
    const eight = all.find((option) => option.spec === "int8:b64");
    if (eight) expect(eight.speedSource).toBe("neighbour");
    expect(one.assumptions.join(" ")).toMatch(/30 of 36 were timed, 6 take the bytes a second/);
    expect(one.assumptions.join(" ")).toMatch(/bandwidth given was not used/);
    expect(ask(8).best!.bytes).toBeLessThanOrEqual(10e6 / 6);
  });
});

describe("what cannot be said is said", () => {
  test("below the smallest and above the largest", () => {
    const small = recommend(rows, { budget: 1000, predict: false });
    expect(small.best).toBeNull();
    expect(small.answer).toMatch(/^Nothing fits in 1 KB: the smallest is toy-1m at int3:b64/);
    const large = recommend(rows, { budget: 1e12, predict: false });
    expect(large.best!.name).toBe("toy-52m");
    expect(large.assumptions.join(" ")).toMatch(/nothing is extrapolated/);
    expect(() => recommend(rows, { budget: -1 })).toThrow(/not a positive size/);
  });

  test("one size, one precision and too few models predict nothing, and why is told", () => {
    const oneSize = recommend(
      rows.filter((row) => row.model.parameters === sizes[2]),
      { budget: 9e6 },
    );
    expect(oneSize.best!.source).toBe("measured");
    expect(oneSize.details.join(" ")).toMatch(/only what was measured counts. Every model was measured at every spec/);
    const three = without("toy-4.8m int5:b64").filter((row) => row.model.parameters <= sizes[2]);
    expect(recommend(three, { budget: 9e6 }).assumptions.join(" ")).toMatch(
      /toy: only what was measured counts. What was not measured is predicted from 4 models of a family on; there are 3/,
    );
    const four = without("toy-4.8m int5:b64").filter((row) => row.model.parameters <= sizes[3]);
    expect(recommend(four, { budget: 9e6 }).assumptions.join(" ")).toMatch(
      /what was not measured \(1 here\) is predicted/,
    );
    const onePrecision = recommend(
      rows.filter((row) => row.key.spec === "int4:b64"),
      { budget: 9e6 },
    );
    expect(onePrecision.best!.spec).toBe("int4:b64");
  });

  test("what fits but is unstable, and that no law promises it all the same", () => {
    const broken = rows.map((row) => {
      const isBroken = row.model.name === "toy-1m" && row.key.spec === "int3:b64";
      return isBroken ? { ...row, metrics: { nll: { value: row.metrics["nll"].value + 2, n: 1 } } } : row;
    });
    const { best, answer, frontier, laws } = recommend(broken, { budget: 410e3 });
    expect(best).toBeNull();
    expect(answer).toBe(
      "Nothing stable fits in 410 KB: what does, 1 spec at 3 bits of 406 KB, is unstable and took no part. The smallest stable choice is toy-1m at int4:b64, which takes 531 KB.",
    );
    expect(frontier.every((one) => one.source === "measured")).toBe(true);
    expect(laws).toMatchObject([{ family: "toy", isComplete: true }]);
    const gap = broken.filter((row) => cellOf(row) !== "toy-2.2m int4:b64");
    const { frontier: filled, alternatives } = recommend(gap, { budget: 600e3 });
    expect([...filled, ...alternatives].map((one) => `${one.name} ${one.spec}`)).not.toContain("toy-1m int3:b64");
    expect(recommend(gap, { budget: 1.3e6 }).frontier.map((one) => one.source)).toContain("predicted");
  });

  test("the next larger model, and why it is not the answer", () => {
    const ask = (budget: number, some: readonly ResultRow[] = rows) =>
      recommend(some, { budget, predict: false }).nextLarger;
    expect(ask(700e3)).toEqual({
      model: "toy-2.2m",
      spec: "int3:b64",
      needed: 893750,
      fits: false,
      sentence: "The next larger model, toy-2.2m, does not fit: it needs 894 KB at int3:b64, its smallest stable spec.",
    });
    const unstable = rows.map((row) =>
      row.key.spec === "int3:b64" ? { ...row, metrics: { nll: { value: 99, n: 1 } } } : row,
    );
    expect(ask(900e3, unstable)!.sentence).toMatch(
      /needs 1.17 MB at int4:b64.* What of it would fit, 1 spec at 3 bits of 894 KB, is unstable\.$/,
    );
    const worse = rows.map((row) =>
      row.key.spec === "int3:b64" ? { ...row, metrics: { nll: { value: row.metrics["nll"].value + 1, n: 1 } } } : row,
    );
    expect(ask(900e3, worse)!.sentence).toMatch(
      /toy-2.2m, is no better where it fits: at best loss \d\.\d{3}, at int3:b64. At more bits it needs 1.17 MB or more \(int4:b64\)\.$/,
    );
    expect(ask(1e12)).toBeNull();
  });

  test("by what the answer was chosen, always, and for which family the curves speak", () => {
    const { answer, assumptions, criterion } = recommend(rows, { budget: 9e6, predict: false });
    expect(answer).toMatch(/^Within 9 MB, by loss on data [0-9a-f]{8}: toy-/);
    expect(assumptions[0]).toMatch(/^Compared on perplexity of data [0-9a-f]{8} by nll\.$/);
    expect(criterion).toMatch(/^loss on data/);
    const scored = rows.flatMap((row) =>
      ["piqa", "copa"].map((task) => ({
        ...row,
        id: `${row.id} ${task}`,
        key: { ...row.key, task },
        metrics: { acc: { value: 1.4 - 0.35 * row.metrics["nll"].value, standardError: 0.01, n: 400 } },
      })),
    );
    const mean = recommend(scored, { budget: 9e6, predict: false, metric: "acc" });
    expect(mean.answer).toMatch(/^Within 9 MB, by mean accuracy of copa and piqa: toy-/);
    expect(mean.assumptions[0]).toBe("Compared on the mean of tasks copa and piqa by acc.");
    const good = simulateRows({
      specs,
      loss: (size, bits) => plainLoss(size, bits) - 1,
      sizes: sizes.slice(1),
      family: "good",
    });
    const both = recommend(
      [...rows, ...good].map((row) => ({ ...row, key: { ...row.key, tokenizerHash: "same" } })),
      {
        budget: 9e6,
        predict: false,
      },
    );
    expect([both.best!.family, both.precision!.family]).toEqual(["good", "good"]);
  });

  test("losses that are not numbers and unstable runs take no part", () => {
    const broken = rows.map((row) => {
      const { value } = row.metrics["nll"];
      if (row.key.spec === "int4:b64") return { ...row, metrics: { nll: { value: Number.NaN, n: 1 } } };
      return row.key.spec === "int3:b64" ? { ...row, metrics: { nll: { value: value + 2, n: 1 } } } : row;
    });
    const { best, alternatives, assumptions } = recommend(broken, { budget: 9e6, predict: false });
    for (const one of [best!, ...alternatives]) expect(["int3:b64", "int4:b64"]).not.toContain(one.spec);
    expect(assumptions.join(" ")).toMatch(/12 unstable results/);
  });

  test("models of two tokenizers are compared by bits a byte, and never by loss a token", () => {
    const other = simulateRows({ specs, loss: (size, bits) => plainLoss(size, bits) - 1, family: "other" });
    const mixed = [...rows, ...other].map((row) => {
      const tokensPerByte = row.model.family === "toy" ? 0.25 : 0.5;
      const { value } = row.metrics["nll"];
      return { ...row, metrics: { ...row.metrics, bitsPerByte: { value: (value * tokensPerByte) / Math.LN2, n: 1 } } };
    });
    const { metric, best } = recommend(mixed, { budget: 9e6, predict: false });
    expect(metric.name).toBe("bitsPerByte");
    expect(best!.family).toBe("toy");
    const firstWindows = mixed.map((row) => ({ ...row, key: { ...row.key, limit: 100 } }));
    const part = recommend(firstWindows, { budget: 9e6, predict: false });
    expect([part.metric.name, part.best!.family]).toEqual(["nll", "toy"]);
    expect(part.assumptions.join(" ")).toMatch(/first windows of a text are another text for them/);
    expect(() => recommend(mixed, { budget: 9e6, metric: "nll" })).toThrow(/2 tokenizers.*bitsPerByte/);
    expect(() => recommend([...rows, ...other], { budget: 9e6 })).toThrow(/2 tokenizers.*--family/);
    expect(recommend(mixed, { budget: 9e6, metric: "nll", family: "toy", predict: false }).metric.name).toBe("nll");
  });

  test("published results alone are enough, and are said to be that", () => {
    const publish = (family: string, shift: number) =>
      simulateRows({ specs: ["fp16", "int3:b64", "int4:b64"], loss: plainLoss, own: 0.001, family }).flatMap((row) =>
        ["piqa", "arc"].map((task, i): ResultRow => {
          const isQuantized = row.bitsPerWeight < 16;
          // As an import has it: no tokenizer, another source for each precision, a type only where nothing is quantized.
          const key = {
            ...row.key,
            task,
            tokenizerHash: "",
            dataHash: "",
            profile: "lm-eval-0.4.9",
            weightsHash: `lm-eval:${row.model.name}${isQuantized ? "-GPTQ" : ""}`,
            computeType: isQuantized ? "" : "float16",
          };
          const acc = { value: 1.4 - 0.35 * row.metrics["nll"].value + shift + 0.05 * i, standardError: 0.01, n: 1000 };
          const perplexity = { value: Math.exp(row.metrics["nll"].value), n: 1000 };
          return {
            ...row,
            id: `${row.id} ${task}`,
            key,
            metrics: { acc, perplexity },
            imported: "lm-eval 0.4.9, a.json",
          };
        }),
      );
    const published = [...publish("opt", 0), ...publish("bloom", -0.02)];
    const missing = published.filter((row) => row.model.name !== "opt-11m" || row.key.spec !== "int4:b64");
    const { task, metric, best, assumptions, nextExperiment } = recommend(missing, { budget: 6.5e6 });
    expect([task, metric.name]).toEqual(["mean of tasks", "acc"]);
    expect(best).toMatchObject({ name: "opt-11m", spec: "int4:b64", source: "predicted" });
    expect(nextExperiment!.candidate.name).toBe("opt-11m");
    expect(assumptions.join(" ")).toMatch(/All 35 results are published ones, imported from lm-eval 0.4.9/);
    expect(() => recommend(published, { budget: 6e6, metric: "perplexity" })).toThrow(/2 tokenizers.*cannot compare/);
    const known = recommend(published, { budget: 6.5e6, predict: false });
    expect(known.best!.source).toBe("measured");
  });

  test("an empty store, and a family that has no rows", () => {
    expect(() => recommend([], { budget: 1e6 })).toThrow(/no results/);
    expect(() => recommend(rows, { budget: 1e6, family: "tay" })).toThrow(/of family tay; it has toy\.$/);
  });
});

test("sizes of simulated specs are those of the paper's accounting", () => {
  expect(totalOf(1e6, "int4:b64")).toBe(4.25e6);
  expect(bitsOf("fp16")).toBe(16);
});
