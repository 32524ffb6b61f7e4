// Estimates of time: exact for what is exactly a line, sane for what is not.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createCostModel } from "../../src/study/progress.ts";

test("a cost model finds the line that the times lie on", () => {
  const positive = fc.double({ min: 0.01, max: 100, noNaN: true });
  fc.assert(
    fc.property(
      positive,
      positive,
      fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 2 }),
      (a, b, costs) => {
        const model = createCostModel();
        for (const cost of costs) model.observe(cost * 1e6, a + b * cost);
        expect(model.estimate(5e8)).toBeCloseTo(a + b * 500, 3);
      },
    ),
  );
});

test("a cost model never guesses below nothing", () => {
  const measured = fc.tuple(
    fc.double({ min: 1, max: 1e12, noNaN: true }),
    fc.double({ min: 0, max: 1e4, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.array(measured), fc.double({ min: 1, max: 1e12, noNaN: true }), (measurements, cost) => {
      const model = createCostModel();
      for (const [cost, seconds] of measurements) model.observe(cost, seconds);
      expect(model.estimate(cost)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test("a cost model with one measurement takes time to go with cost", () => {
  const model = createCostModel();
  model.observe(1e6, 2);
  expect(model.estimate(3e6)).toBeCloseTo(6, 9);
});
