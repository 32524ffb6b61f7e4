// Verdicts on simulated stores in which every finding of the paper is true, false, or cannot be told.

import { describe, expect, test } from "vitest";
import type { ResultRow } from "../../src/result.ts";
import { claims } from "../../src/scaling/claims/table.ts";
import { checkClaims } from "../../src/scaling/claims.ts";
import { bitsOf, plainLoss, simulateRows } from "./laws.ts";
import { makeRow } from "./simulate.ts";

const specs = [
  "fp16",
  ...[3, 4, 5, 6, 7, 8].flatMap((k) => [`int${k}:b64`, `quantile${k}:b64`]),
  "float4:e1:ieee:b64",
  "float4:e3:b64",
  "float5:e3:ieee:b64",
  "int4:b256",
  "int4:b1024",
  "int5:b1024",
  "int7:b1024",
  "int4:b64:center",
  "int3:b64:proxy2",
  "int4:b64:proxy2",
];

/** What a spec multiplies the penalty of its bits by. */
type World = (spec: string, block: number) => number;

const asThePaperSays: World = (spec, block) => {
  let factor = (block / 64) ** 0.433; // 1024 to 64 is worth e^-1.2, one bit
  if (spec.startsWith("quantile")) factor *= 0.8;
  if (spec.startsWith("float4:e3")) factor *= 0.9;
  if (spec.startsWith("float4:e1")) factor *= 1.6;
  if (spec.startsWith("float5")) factor *= 2;
  if (spec.startsWith("int3:b64:proxy")) factor *= 0.4;
  return factor;
};
const theOtherWay: World = (spec, block) => {
  let factor = (block / 64) ** -0.2;
  if (spec.startsWith("quantile")) factor *= 1.4;
  if (spec.startsWith("float4:e3")) factor *= 1.6;
  if (spec.startsWith("float4:e1")) factor *= 0.7;
  if (spec.startsWith("float5")) factor *= 0.5;
  if (spec.includes("center")) factor *= 1.8;
  if (spec.includes("proxy")) factor *= 0.2;
  return factor;
};

const lossIn =
  (world: World, penalty: (bits: number, size: number) => number, base: (size: number) => number) =>
  (size: number, bits: number, spec: string) =>
    base(size) + (bits >= 16 ? 0 : penalty(bits, size) * world(spec, Number(/:b(\d+)/.exec(spec)?.[1] ?? 64)));

/** Losses, with an accuracy and a latency that follow from them. */
function simulateStore(
  loss: (size: number, bits: number, spec: string) => number,
  {
    own = 0.0005,
    shared = 0.0002,
    accuracyOf = (nll: number) => 1.6 - 0.3 * nll,
    exponent = 1,
    family = "toy",
    seed = 3,
  } = {},
): ResultRow[] {
  return simulateRows({ specs, loss, shared, own, seed, family }).flatMap((row) => {
    const total = row.bits.total;
    const time = (batch: number, power: number) => ({
      ...row,
      id: `${row.id} ${batch}`,
      key: { ...row.key, task: "latency", dataHash: "machine", profile: `batch-${batch}-context-128` },
      metrics: { msPerToken: { value: 1e-7 * total ** power, n: 100 } },
    });
    const acc = { value: accuracyOf(row.metrics["nll"].value), standardError: 0.01, n: 400 };
    const { spec } = row.key;
    const { name: model, parameters } = row.model;
    const task = makeRow({
      model,
      family,
      spec,
      bitsPerWeight: bitsOf(spec),
      total,
      parameters,
      task: "arc",
      metrics: { acc },
    });
    return [row, task, time(1, exponent), time(32, exponent / 2)];
  });
}

const paperBase = (size: number) => plainLoss(size, 16);
// Linear in ln bits, so that the curves are parallel; 3 bits alone are not.
const parallelBase = (size: number) => 4.2 - 0.3 * Math.log(size / 1e6);
const steep = (bits: number) => 6 * Math.exp(-1.2 * bits);

const verdicts = (rows: readonly ResultRow[]) =>
  Object.fromEntries(checkClaims(rows).map((one) => [one.id, one.verdict]));

describe("in a world as the paper says it is", () => {
  const rows = simulateStore(
    lossIn(asThePaperSays, (bits, size) => steep(bits) * (bits === 3 ? 1.3 * (size / 5e6) ** -0.3 : 1), parallelBase),
  );
  const answers = checkClaims(rows);
  test("precisions are judged on the better of two kinds that are measured alike", () => {
    expect(answers.find(({ id }) => id === "four-bit-optimal")!.reason).toContain("(quantile b64)");
  });
  for (const { id } of claims) {
    test(`${id} holds`, () => {
      const answer = answers.find((one) => one.id === id)!;
      expect(answer.verdict, answer.reason).toBe("holds");
      expect(answer.interval![0]).toBeLessThanOrEqual(answer.effect!);
      expect(answer.interval![1]).toBeGreaterThanOrEqual(answer.effect!);
    });
  }

  test("effects are those that were put in", () => {
    const effect = (id: string) => answers.find((one) => one.id === id)!.effect!;
    expect(effect("float-above-int-at-4")).toBeCloseTo(0.1 * steep(4), 2);
    expect(effect("float-below-int-at-5")).toBeCloseTo(steep(5), 2);
    expect(effect("block-gain-is-a-bit")).toBeCloseTo(1, 0);
    expect(effect("latency-follows-bits")).toBeCloseTo(1, 6);
    expect(answers.find((one) => one.id === "latency-follows-bits")!.reason).toMatch(/At batch 32: 0\.5\./);
    expect(effect("perplexity-correlates")).toBeLessThan(-0.99);
  });
});

describe("in a world that is the other way", () => {
  const rows = simulateStore(
    lossIn(theOtherWay, (bits) => (bits <= 4 ? 0.3 * Math.exp(-0.05 * bits) : 0.25 / bits), paperBase),
    { accuracyOf: (nll) => 0.5 + 0.01 * Math.sin(1000 * nll), exponent: 0.2 },
  );
  const found = verdicts(rows);
  for (const { id } of claims) {
    test(`${id} does not hold`, () => expect(found[id]).toBe("does not hold"));
  }
});

describe("on rows with their documents", () => {
  const withDocuments = (rows: readonly ResultRow[], luck: number) =>
    rows.map((row, r) => {
      const { value } = row.metrics["nll"] ?? { value: 0 };
      const values = Float32Array.from(
        { length: 60 },
        (_, i) => value + Math.sin(9 * i) + luck * Math.sin(31 * i + 7 * r),
      );
      return row.metrics["nll"] ? { ...row, documents: { nll: { values } } } : row;
    });
  const few = simulateStore(lossIn(asThePaperSays, steep, parallelBase), { shared: 0.004 }).filter(
    (row) => row.model.parameters < 12e6,
  );

  test("four sizes are enough for a verdict on themselves, and what others would give stands beside it", () => {
    const [four, three] = checkClaims(withDocuments(few, 0.001));
    for (const { verdict, reason, interval, effect, alike } of [four, three]) {
      expect(verdict, reason).toBe("holds");
      expect(interval![1] - interval![0]).toBeLessThan(0.01);
      expect(effect).toBeGreaterThan(0);
      expect(reason).toMatch(/of these models, with the noise of documents; by a law for others trained alike over/);
      expect(alike!.interval[1] - alike!.interval[0]).toBeGreaterThan(interval![1] - interval![0]);
    }
    const [without] = checkClaims(few);
    expect(without.reason).not.toMatch(/of these models/);
    expect(without.alike).toBeUndefined();
    expect(without.interval![1] - without.interval![0]).toBeGreaterThan(0.01);
  });

  test("few documents that differ much leave it open", () => {
    expect(checkClaims(withDocuments(few, 2))[0].verdict).toBe("not enough evidence");
  });
});

describe("where rows are few or noisy", () => {
  test("two sizes are not enough for any claim", () => {
    const rows = simulateStore(lossIn(asThePaperSays, steep, parallelBase)).filter((row) => row.model.parameters < 3e6);
    expect(new Set(Object.values(verdicts(rows)))).toEqual(new Set(["not enough evidence"]));
  });

  test("noise larger than the effects leaves claims about them open", () => {
    const found = verdicts(simulateStore(lossIn(asThePaperSays, steep, parallelBase), { own: 0.05 }));
    for (const id of [
      "four-bit-optimal",
      "float-above-int-at-4",
      "quantile-best",
      "centering-no-effect",
      "block-64-128-best",
    ])
      expect(found[id], id).toBe("not enough evidence");
  });

  test("no rows, one precision, losses that are not numbers: an answer each, and never an error", () => {
    expect(checkClaims([]).length).toBe(claims.length);
    const rows = simulateStore(lossIn(asThePaperSays, steep, parallelBase));
    const { "perplexity-correlates": _, ...others } = verdicts(rows.filter((row) => row.key.spec === "int4:b64"));
    expect(new Set(Object.values(others))).toEqual(new Set(["not enough evidence"]));
    const broken = rows.map((row, i) =>
      i % 5 === 0 && row.metrics["nll"] ? { ...row, metrics: { nll: { value: Number.NaN, n: 1 } } } : row,
    );
    expect(checkClaims(broken).length).toBe(claims.length);
  });

  test("a family without losses is checked by what its accuracy lacks", () => {
    const rows = simulateStore(lossIn(asThePaperSays, steep, parallelBase)).filter((row) => row.key.task === "arc");
    const found = verdicts(rows);
    expect(found["quantile-best"]).toBe("holds");
    expect(found["perplexity-correlates"]).toBe("not enough evidence");
  });
});

test("of two families that disagree a claim does not hold, and the reason names both", () => {
  const one = simulateStore(lossIn(asThePaperSays, steep, parallelBase), { family: "one" });
  const two = simulateStore(lossIn(theOtherWay, steep, parallelBase), { family: "two" });
  const answer = checkClaims([...one, ...two]).find(({ id }) => id === "quantile-best")!;
  expect(answer.verdict).toBe("does not hold");
  expect(answer.reason).toMatch(/Holds in one; does not hold in two/);
  expect(answer.families!.map(({ family, verdict }) => `${family} ${verdict}`)).toEqual([
    "one holds",
    "two does not hold",
  ]);
  expect(checkClaims([...one, ...two], { family: "one" }).find(({ id }) => id === "quantile-best")!.verdict).toBe(
    "holds",
  );
});
