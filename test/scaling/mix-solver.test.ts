import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { boundMix, keepUndominated, type MixOption } from "../../src/scaling/mix-bound.ts";
import { solveMix } from "../../src/scaling/mix-solver.ts";
import { createRandom } from "./simulate.ts";

/** Every choice tried: the least cost within the budget; infinite if none is. */
function tryAll(groups: readonly (readonly MixOption[])[], budget: number): number {
  let best = Number.POSITIVE_INFINITY;
  const visit = (g: number, bytes: number, cost: number) => {
    if (bytes > budget) return;
    if (g === groups.length) best = Math.min(best, cost);
    else for (const option of groups[g]) visit(g + 1, bytes + option.bytes, cost + option.cost);
  };
  visit(0, 0, 0);
  return best;
}

const cost = fc.oneof(
  fc.integer({ min: -5, max: 20 }),
  fc.double({ min: -1, max: 10, noNaN: true }),
  fc.constant(Infinity),
);
const option = fc.record({ bytes: fc.integer({ min: 0, max: 12 }), cost });
const problem = fc.record({
  groups: fc.array(fc.array(option, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 7 }),
  budget: fc.integer({ min: 0, max: 60 }),
});

/** Checks that a solution is what it says it is. */
function checkSolution(groups: readonly (readonly MixOption[])[], budget: number, maxStates?: number): number {
  const solution = solveMix(groups, budget, maxStates)!;
  const picked = solution.choice.map((index, g) => groups[g][index]);
  const total = (read: (option: MixOption) => number) => picked.reduce((sum, one) => sum + read(one), 0);
  expect(solution.bytes).toBe(total(({ bytes }) => bytes));
  expect(solution.cost).toBeCloseTo(
    total((one) => one.cost),
    9,
  );
  expect(solution.bytes).toBeLessThanOrEqual(budget);
  expect(solution.bound).toBeLessThanOrEqual(solution.cost);
  expect(solution.relaxedBound).toBeLessThanOrEqual(solution.bound + 1e-9);
  expect(solution.isOptimal).toBe(solution.bound === solution.cost);
  return solution.cost;
}

describe("the best mix", () => {
  test("costs what the best of all choices costs", () => {
    fc.assert(
      fc.property(problem, ({ groups, budget }) => {
        const least = tryAll(groups, budget);
        if (least === Infinity) {
          expect(solveMix(groups, budget)).toBeUndefined();
          return;
        }
        expect(checkSolution(groups, budget)).toBeCloseTo(least, 9);
        expect(solveMix(groups, budget)!.isOptimal).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  test("has a bound that the best never is below, and costs no less than it, where few partial choices are kept", () => {
    let gaps = 0;
    const large = fc.record({
      groups: fc.array(fc.array(option, { minLength: 3, maxLength: 5 }), { minLength: 5, maxLength: 7 }),
      budget: fc.integer({ min: 10, max: 40 }),
    });
    fc.assert(
      fc.property(large, fc.integer({ min: 1, max: 2 }), ({ groups, budget }, maxStates) => {
        const least = tryAll(groups, budget);
        if (least === Infinity) return;
        const { bound, isOptimal } = solveMix(groups, budget, maxStates)!;
        expect(bound).toBeLessThanOrEqual(least + 1e-9);
        const found = checkSolution(groups, budget, maxStates);
        if (isOptimal) expect(found).toBeCloseTo(least, 9);
        else gaps++;
      }),
      { numRuns: 3000 },
    );
    expect(gaps).toBeGreaterThan(20); // or the test would show nothing
  });

  test("is solved exactly for a model of 300 matrices at seven widths, whose sizes are those of few shapes", () => {
    const random = createRandom(7);
    const groups = Array.from({ length: 300 }, (_, g) => {
      const weights = [4_194_304, 11_272_192, 1_048_576][g % 3];
      const sensitivity = Math.exp(3 * random());
      return [2, 3, 4, 5, 6, 7, 8].map((k) => ({
        bytes: (weights * (k + 0.25)) / 8,
        cost: sensitivity * 4 ** -k * (1 + 0.2 * random()),
      }));
    });
    const budget = groups.reduce((sum, options) => sum + options[2].bytes, 0);
    const solution = solveMix(groups, budget)!;
    checkSolution(groups, budget);
    expect(solution.isOptimal).toBe(true);
    const uniform = groups.reduce((sum, options) => sum + options[2].cost, 0);
    expect(solution.cost).toBeLessThan(0.8 * uniform);
    expect(solution.cost - solution.relaxedBound).toBeLessThan(1e-3 * uniform);
  });

  test("of sizes that have nothing in common is within a proven gap of a thousandth", () => {
    const random = createRandom(3);
    const groups = Array.from({ length: 200 }, () => {
      const weights = 1e6 * (1 + random());
      return [2, 3, 4, 5, 6].map((k) => ({ bytes: Math.round((weights * k) / 8), cost: random() * 4 ** -k }));
    });
    const solution = solveMix(groups, 1e8, 2000)!;
    expect(solution.cost - solution.bound).toBeLessThan(1e-3 * solution.cost);
  });

  test("takes the least cost of each where the budget does not bind, and the smallest of each where nothing else fits", () => {
    const groups = [
      [
        { bytes: 4, cost: 1 },
        { bytes: 9, cost: -2 },
        { bytes: 20, cost: 0 },
      ],
      [
        { bytes: 3, cost: 5 },
        { bytes: 1, cost: 7 },
      ],
    ];
    expect(solveMix(groups, 1000)).toMatchObject({ choice: [1, 0], bytes: 12, cost: 3, bound: 3, isOptimal: true });
    expect(solveMix(groups, 5)).toMatchObject({ choice: [0, 1], bytes: 5, cost: 8, isOptimal: true });
    expect(solveMix(groups, 4)).toBeUndefined();
    expect(solveMix([], 0)).toMatchObject({ choice: [], cost: 0 });
  });
});

test("the relaxation is the best of all splits between two options", () => {
  // One group of 10 bytes at cost 0 or none at cost 10, another likewise at cost 4: 12 bytes buy the first and a fifth.
  const groups = [10, 4].map((most) =>
    keepUndominated([
      { bytes: 0, cost: most },
      { bytes: 10, cost: 0 },
      { bytes: 11, cost: 1 },
    ]),
  );
  expect(groups.map((options) => options.length)).toEqual([2, 2]);
  const { price, bound } = boundMix(groups, 12);
  expect(price).toBeCloseTo(0.4, 12);
  expect(bound).toBeCloseTo(0.8 * 4, 12);
});
