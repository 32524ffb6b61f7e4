// Estimates of time: exact for what is exactly a line, sane for what is not.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { PlannedExperiment } from "../../src/study/plan.ts";
import { createCostModel, createTracker } from "../../src/study/progress.ts";

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
        expect(model.estimate(5e8, 10)).toBeCloseTo(10 * a + b * 500, 3);
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

test("a tracker counts what is left in time, the parts of what is running too", () => {
  const experiments = [1, 2, 3, 4].map((cost) => ({ cost: cost * 1e9 }) as PlannedExperiment);
  const tracker = createTracker(experiments, 1, 2);
  expect(tracker.progress()).toMatchObject({ done: 1, total: 5, share: 0 });
  tracker.finish(experiments[0], 10);
  tracker.finish(experiments[1], 20);
  expect(tracker.progress()).toMatchObject({ done: 3, secondsLeft: 35 });
  tracker.advance(experiments[2], 0.5);
  tracker.advance(experiments[3], 0.25);
  expect(tracker.progress().secondsLeft).toBeCloseTo((15 + 30) / 2, 9);
  expect(tracker.progress().share).toBeCloseTo(1 - 45 / 100, 9);
  tracker.finish(experiments[2]);
  tracker.advance(experiments[2], 0.9); // too late: it does not count twice
  tracker.finish(experiments[3], 40);
  expect(tracker.progress()).toEqual({ done: 5, total: 5, share: 1, secondsLeft: 0 });
});
