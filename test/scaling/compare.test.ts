import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { answerRows } from "../../src/scaling/answer.ts";
import { chooseBudgets } from "../../src/scaling/budgets.ts";
import { compareAt, compareRange, compareValues } from "../../src/scaling/compare.ts";
import { buildCurves, type Point, placePoints } from "../../src/scaling/curves.ts";
import { chooseWithin, findFrontier } from "../../src/scaling/frontier.ts";
import { advantage, findMetric } from "../../src/scaling/metrics.ts";
import { makeRow, simulatedLoss, simulateStudy } from "./simulate.ts";

const nll = findMetric("nll");
const acc = findMetric("acc");
/** Curves from `{ precision: [[bits, value], ..] }`, one model a point. */
function curvesFrom(lines: Record<number, readonly (readonly [number, number])[]>, metric = nll) {
  const rows = Object.entries(lines).flatMap(([bits, points]) =>
    points.map(([total, value], i) =>
      makeRow({
        model: `m${i}`,
        bitsPerWeight: Number(bits),
        spec: `int${bits}`,
        total,
        metrics: { [metric.name]: value },
      }),
    ),
  );
  return buildCurves(placePoints(rows, metric), metric);
}

describe("at a budget", () => {
  const curves = curvesFrom({
    4: [
      [10, 4],
      [1000, 2],
    ],
    8: [
      [10, 4.5],
      [1000, 2.5],
    ],
    16: [
      [100, 3.1],
      [1000, 1],
    ],
  });

  test("the best precision, its margin and the second best", () => {
    const { standings, margin } = compareAt(curves, nll, 100);
    expect(standings.map((one) => one.bitsPerWeight)).toEqual([4, 16, 8]);
    expect(standings[0].value).toBeCloseTo(3, 12);
    expect(margin!.value).toBeCloseTo(0.1, 12);
    expect(margin!.standardError).toBeNull();
    expect(margin!.withinNoise).toBeNull();
  });

  test("only precisions measured around the budget take part", () => {
    expect(compareAt(curves, nll, 50).standings.map((one) => one.bitsPerWeight)).toEqual([4, 8]);
    expect(compareAt(curves, nll, 2000).standings).toEqual([]);
    expect(compareAt(curves, nll, 2000).margin).toBeNull();
  });

  test("none wins where one that ended was as good at a smaller size", () => {
    const ended = curvesFrom({
      4: [
        [10, 4],
        [100, 2],
      ],
      8: [
        [20, 4],
        [200, 2],
      ],
      16: [
        [40, 4],
        [400, 2],
      ],
    });
    expect(compareAt(ended, nll, 100)).toMatchObject({ outdoneBy: null, margin: expect.anything() });
    const after = compareAt(ended, nll, 150);
    expect(after.standings.map((one) => one.bitsPerWeight)).toEqual([8, 16]);
    expect(after.margin).toBeNull();
    expect(after.outdoneBy).toMatchObject({ bitsPerWeight: 4, point: { bits: 100, value: 2 } });
    // Equal is as good; of two that are, the one of fewer bits.
    expect(compareAt(ended, nll, 400).outdoneBy).toMatchObject({ bitsPerWeight: 4 });
    // What ended worse than the rest says nothing against them.
    const worse = curvesFrom({ 3: [[10, 5]], 4: [[10, 4], [100, 3]], 8: [[10, 4.5], [100, 3.5]] }); // biome-ignore format: pairs
    expect(compareAt(worse, nll, 100)).toMatchObject({ outdoneBy: null, standings: [{}, {}] });
  });

  test("higher accuracy wins", () => {
    const { standings, margin } = compareAt(
      curvesFrom(
        {
          3: [
            [10, 0.4],
            [100, 0.5],
          ],
          4: [
            [10, 0.5],
            [100, 0.7],
          ],
        },
        acc,
      ),
      acc,
      100,
    );
    expect(standings[0].bitsPerWeight).toBe(4);
    expect(margin!.value).toBeCloseTo(0.2, 12);
  });

  test("a margin below two standard errors of the difference is within noise", () => {
    const a = { value: 1, standardError: 0.03 };
    const at = (value: number) => compareValues(nll, a, { value, standardError: 0.04 });
    expect(at(1.099)).toMatchObject({ withinNoise: true });
    expect(at(1.101)).toMatchObject({ withinNoise: false });
    expect(at(1.101).standardError).toBeCloseTo(0.05, 12);
  });
});

describe("over the range", () => {
  test("a known crossing is found where it is, and shares are lengths in log10 bits", () => {
    // 3 bits falls from 4 to 2 over two decades, 4 bits from 4.5 to 1.5: they cross in the middle, at 100.
    const range = compareRange(
      curvesFrom({
        3: [
          [10, 4],
          [1000, 2],
        ],
        4: [
          [10, 4.5],
          [1000, 1.5],
        ],
      }),
      nll,
    );
    expect(range.contested).toEqual([10, 1000]);
    expect(range.common).toEqual([10, 1000]);
    expect(range.crossings).toEqual([{ bits: expect.closeTo(100, 8), from: 3, to: 4, isCrossing: true }]);
    expect(range.shares.map((one) => one.ofCommon)).toEqual([expect.closeTo(0.5, 9), expect.closeTo(0.5, 9)]);
    expect(range.pairs).toEqual([
      {
        first: 3,
        second: 4,
        winsShare: expect.closeTo(0.5, 9),
        meanAdvantage: expect.closeTo(0, 9),
        range: [10, 1000],
      },
    ]);
  });

  test("a winner that changes because a curve ends is told from a crossing", () => {
    const curvesTo = (last: number) =>
      curvesFrom({
        4: [
          [10, 3],
          [100, 2],
        ],
        8: [
          [10, 4],
          [1000, last],
        ],
        16: [
          [10, 5],
          [1000, 3],
        ],
      });
    // 8 bits fall from 4 to 1: at 100 to 2.5, at 215 to 2, the loss that 4 bits ended at. Between them none wins.
    const range = compareRange(curvesTo(1), nll);
    expect(range.measured).toEqual([10, 1000]);
    expect(range.contested).toEqual([10, 1000]);
    expect(range.crossings).toEqual([
      { bits: expect.closeTo(10 ** (1 + 4 / 3), 6), from: 4, to: 8, isCrossing: false },
    ]);
    expect(range.shares).toEqual([
      { bitsPerWeight: 4, ofContested: expect.closeTo(0.6, 9), ofCommon: 1, ofOwn: 1 },
      { bitsPerWeight: 8, ofContested: expect.closeTo(0.4, 9), ofCommon: 0, ofOwn: expect.closeTo(0.4, 9) },
      { bitsPerWeight: 16, ofContested: 0, ofCommon: 0, ofOwn: 0 },
    ]);
    expect(range.pairs[0]).toMatchObject({ first: 4, second: 8, winsShare: 1, range: [10, 100] });
    expect(range.pairs[0].meanAdvantage).toBeCloseTo((1 + 0.5) / 2, 9);
    // 8 bits that only come to where 4 bits ended win nothing: the longer line is no merit.
    const none = compareRange(curvesTo(2), nll);
    expect(none).toMatchObject({ measured: [10, 1000], contested: [10, 100], crossings: [] });
    expect(none.shares.map((one) => one.ofContested)).toEqual([1, 0, 0]);
  });

  test("without overlap there is no common range and no winner", () => {
    const range = compareRange(
      curvesFrom({
        4: [
          [10, 3],
          [100, 2],
        ],
        16: [
          [200, 3],
          [1000, 2],
        ],
      }),
      nll,
    );
    expect(range).toMatchObject({ measured: null, contested: null, common: null, crossings: [], pairs: [] });
  });

  test("one size, one precision or nothing at all is no range", () => {
    for (const lines of [
      {},
      { 4: [[10, 3]], 16: [[10, 2]] },
      {
        4: [
          [10, 3],
          [100, 2],
        ],
      },
    ] as const) {
      expect(compareRange(curvesFrom(lines), nll)).toMatchObject({ contested: null, pairs: [] });
    }
  });

  test("shares add up to one, and agree with comparing at many budgets", () => {
    const line = fc.array(fc.tuple(fc.integer({ min: 8, max: 4000 }), fc.integer({ min: 0, max: 50 })), {
      minLength: 2,
      maxLength: 6,
    });
    fc.assert(
      fc.property(line, line, line, (three, four, sixteen) => {
        const curves = curvesFrom({ 3: three, 4: four, 16: sixteen });
        const { contested, shares } = compareRange(curves, nll);
        fc.pre(contested !== null);
        expect(shares.reduce((sum, one) => sum + one.ofContested, 0)).toBeCloseTo(1, 9);
        const wins = new Map<number, number>();
        let count = 0;
        for (let i = 0; i < 2000; i++) {
          const bits = contested[0] * (contested[1] / contested[0]) ** ((i + 0.5) / 2000);
          const { standings, outdoneBy } = compareAt(curves, nll, bits);
          if (standings.length < 2 || outdoneBy !== null) continue;
          count++;
          wins.set(standings[0].bitsPerWeight, (wins.get(standings[0].bitsPerWeight) ?? 0) + 1);
        }
        for (const share of shares)
          expect((wins.get(share.bitsPerWeight) ?? 0) / count).toBeCloseTo(share.ofContested, 1);
      }),
      { numRuns: 50 },
    );
  });
});

describe("frontier", () => {
  const cloud = fc.array(fc.tuple(fc.integer({ min: 8, max: 200 }), fc.integer({ min: 1, max: 30 })), {
    minLength: 1,
    maxLength: 40,
  });
  const pointsFrom = (pairs: readonly (readonly [number, number])[]): Point[] =>
    placePoints(
      pairs.map(([total, loss], i) => makeRow({ model: `m${i}`, total, metrics: { nll: loss } })),
      nll,
    );

  test("is strictly monotone, and every point is on it or dominated by a point of it", () => {
    fc.assert(
      fc.property(cloud, (pairs) => {
        const points = pointsFrom(pairs);
        const frontier = findFrontier(points, nll);
        for (let i = 1; i < frontier.length; i++) {
          expect(frontier[i].bits).toBeGreaterThan(frontier[i - 1].bits);
          expect(frontier[i].value).toBeLessThan(frontier[i - 1].value);
        }
        for (const point of points) {
          const covered = frontier.some((one) => one.bits <= point.bits && advantage(nll, one.value, point.value) >= 0);
          expect(covered).toBe(true);
        }
      }),
    );
  });

  test("the choice within a budget fits it and nothing that fits is better", () => {
    fc.assert(
      fc.property(cloud, fc.integer({ min: 1, max: 250 }), (pairs, budget) => {
        const points = pointsFrom(pairs);
        const fitting = points.filter((point) => point.bits <= budget);
        const choice = chooseWithin(points, nll, budget);
        if (fitting.length === 0) {
          expect(choice).toBeNull();
          return;
        }
        expect(choice!.best.bits).toBeLessThanOrEqual(budget);
        expect(choice!.best.value).toBe(Math.min(...fitting.map((point) => point.value)));
      }),
    );
  });

  test("the second choice is another model or another precision", () => {
    const rows = [
      makeRow({ model: "a", spec: "int4:b64", total: 50, metrics: { nll: 2 } }),
      makeRow({ model: "a", spec: "int4:b32", total: 52, metrics: { nll: 2.1 } }),
      makeRow({ model: "a", spec: "int3:b64", bitsPerWeight: 3, total: 40, metrics: { nll: 2.5 } }),
    ];
    const choice = chooseWithin(placePoints(rows, nll), nll, 60)!;
    expect([choice.best.row.key.spec, choice.second!.row.key.spec]).toEqual(["int4:b64", "int3:b64"]);
    expect(choice.margin!.value).toBeCloseTo(0.5, 12);
  });
});

describe("budgets", () => {
  test("are round numbers of bytes inside the range", () => {
    expect(chooseBudgets(8e5, 8e6).map((bits) => bits / 8)).toEqual([1e5, 1.5e5, 2e5, 3e5, 5e5, 7e5, 1e6]);
    expect(chooseBudgets(8e3, 8e12)).toHaveLength(10);
    expect(chooseBudgets(8.1e6, 8.2e6)).toEqual([]);
    expect(chooseBudgets(0, 100)).toEqual([]);
  });
});

describe("the whole answer", () => {
  test("on rows of a known law the winner is the law's winner", () => {
    const sizes = [1e6, 3e6, 9e6, 27e6, 81e6];
    const [answer] = answerRows(simulateStudy({ sizes, precisions: [3, 4, 8, 16] }));
    expect(answer.series).toMatchObject({ family: "books", task: "perplexity" });
    for (const { budget, curves, choice } of answer.budgets) {
      expect(choice!.best.bits).toBeLessThanOrEqual(budget);
      if (curves.margin === null) continue;
      const [winner, second] = curves.standings;
      const byLaw = (one: typeof winner) => simulatedLoss(one.parameters, one.bitsPerWeight, 64);
      // The law is convex between points, so the chord lies a little above it.
      if (curves.margin.value > 0.05) expect(byLaw(winner)).toBeLessThan(byLaw(second));
    }
    expect(answer.range.shares.find((one) => one.bitsPerWeight === 4)!.ofCommon).toBeGreaterThan(0.5);
  });

  test("unstable runs are shown and take no part", () => {
    const rows = simulateStudy({ precisions: [2, 4, 16], fragility: 9 });
    const [answer] = answerRows(rows);
    expect(answer.unstable.length).toBeGreaterThan(0);
    expect(answer.unstable.every(({ row }) => row.bitsPerWeight === 2)).toBe(true);
    expect(answer.points.length + answer.unstable.length).toBe(rows.length);
    expect(answer.curves.map((curve) => curve.bitsPerWeight)).toEqual([4, 16]);
  });

  test("no rows give no answer; a bad budget is refused", () => {
    expect(answerRows([])).toEqual([]);
    expect(() => answerRows([], { budgets: [-1] })).toThrow("Budget -1 is not a positive size.");
  });
});
