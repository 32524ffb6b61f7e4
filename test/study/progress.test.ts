// Estimates of time: exact for what is exactly a line, sane for what is not.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { PlannedExperiment } from "../../src/study/plan.ts";
import { createCostModel, createTracker, learnFromRows, spreadSeconds } from "../../src/study/progress.ts";
import { makeRow } from "./rows.ts";

test("a cost model comes near the line that the times lie on", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.1, max: 3, noNaN: true }), fc.double({ min: 0.1, max: 10, noNaN: true }), (a, b) => {
      const model = createCostModel();
      for (let i = 0; i < 60; i++) model.observe(i * 2e9, a + b * i * 0.1);
      expect(Math.abs(Math.log(model.estimate(1e11) / (a + b * 5)))).toBeLessThan(0.15);
      expect(Math.abs(Math.log(model.estimate(1e11, 10) / (10 * a + b * 5)))).toBeLessThan(0.3);
    }),
  );
});

test("a cost model does not swing while small experiments come first", () => {
  const noise = [1.6, 0.7, 1, 1.4, 0.8, 1.2, 0.6, 1.5];
  const costs = Array.from({ length: 24 }, (_, i) => 1e9 * 1.4 ** i);
  for (const [fixed, speed] of [
    [0.3, 2e10],
    [2, 2e10],
    [0.1, 6e9],
    [0.3, 6e10],
  ]) {
    const model = createCostModel();
    costs.forEach((cost, i) => {
      model.observe(cost, (fixed + cost / speed) * noise[i % noise.length]);
      const left = costs.slice(i + 1);
      if (left.length === 0) return;
      const sum = left.reduce((total, one) => total + one, 0);
      const ratio = model.estimate(sum, left.length) / (fixed * left.length + sum / speed);
      expect(ratio).toBeGreaterThan(1 / 4);
      expect(ratio).toBeLessThan(4);
    });
  }
});

test("the time that is left is right where tasks take different times at the same cost, sizes mixed", () => {
  const rates: Record<string, number> = { perplexity: 1, piqa: 0.3, lambada_openai: 2.5 };
  const noise = [1.3, 0.8, 1, 1.2, 0.75, 1.1, 0.9];
  const seconds = ({ cost, task }: PlannedExperiment) => rates[task.task] * (0.2 + cost / 1.2e10);
  const experiments = Array.from({ length: 30 }, (_, i) => 1e9 * 1.2 ** i).flatMap((cost) =>
    Object.keys(rates).map((task) => ({ cost, task: { task } }) as PlannedExperiment),
  );
  const tracker = createTracker(experiments, 0, 1);
  experiments.forEach((experiment, i) => {
    tracker.finish(experiment, seconds(experiment) * noise[i % noise.length]);
    const left = experiments.slice(i + 1).reduce((sum, one) => sum + seconds(one), 0);
    if (left === 0 || i < 30) return;
    expect(tracker.progress().secondsLeft / left).toBeGreaterThan(1 / 1.5);
    expect(tracker.progress().secondsLeft / left).toBeLessThan(1.5);
  });
});

test("a cost model tells tasks apart after a few times of each, and takes one that is new for the rest", () => {
  const model = createCostModel();
  for (let i = 1; i <= 6; i++) {
    model.observe(i * 4e9, 0.5 + i, "slow");
    model.observe(i * 4e9, (0.5 + i) / 4, "fast");
  }
  const [slow, fast, unseen] = ["slow", "fast", "unseen"].map((task) => model.estimate(2e10, 1, task));
  expect(slow / fast).toBeGreaterThan(3);
  expect(slow / fast).toBeLessThan(4);
  expect(unseen).toBeGreaterThan(fast);
  expect(unseen).toBeLessThan(slow);
});

test("a cost model learns from earlier rows of this machine only", () => {
  const learnt: [number, number][] = [];
  const row = makeRow(1, { machine: "here", metrics: { perplexity: { value: 9, n: 100 } } });
  const key = { ...row.key, profile: "windows-64-stride-32" };
  const rows = [
    { ...row, key },
    { ...row, key, machine: "there" },
    { ...row, key: { ...key, profile: "new" } },
    { ...row, key: { ...key, profile: "windows-bos-64-stride-16" } },
    { ...row, key: { ...key, profile: "llama.cpp-64" } },
    { ...row, key: { ...key, profile: "gptq-64" } },
  ];
  learnFromRows(rows, [], "here", (...pair) => learnt.push(pair));
  expect(learnt).toEqual(
    [200, 400, 200, 100].map((read) => [row.model.parameters * (read + 200), row.seconds, "perplexity"]),
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

test("a tracker counts what is left in time, the parts of what is running too", () => {
  const experiments = [1, 2, 3, 4].map(
    (cost) => ({ cost: cost * 1e9, task: { task: "perplexity" } }) as PlannedExperiment,
  );
  const tracker = createTracker(experiments, 1, 2);
  expect(tracker.progress()).toMatchObject({ done: 1, total: 5, share: 0 });
  tracker.finish(experiments[0], 10);
  tracker.finish(experiments[1], 20);
  const model = createCostModel();
  model.observe(1e9, 10, "perplexity");
  model.observe(2e9, 20, "perplexity");
  const estimate = (cost: number, experiments: number) => model.estimate(cost, experiments, "perplexity");
  expect(tracker.progress().done).toBe(3);
  expect(tracker.progress().secondsLeft).toBeCloseTo(estimate(4e9, 1), 9); // the longest, not half of both
  tracker.advance(experiments[2], 0.5);
  tracker.advance(experiments[3], 0.25);
  expect(tracker.progress().secondsLeft).toBeCloseTo(0.75 * estimate(4e9, 1), 9);
  expect(tracker.progress().share).toBeCloseTo(1 - estimate(4.5e9, 1.25) / estimate(10e9, 4), 9);
  tracker.finish(experiments[2]);
  tracker.advance(experiments[2], 0.9); // too late: it does not count twice
  tracker.finish(experiments[3], 40);
  expect(tracker.progress()).toEqual({ done: 5, total: 5, share: 1, secondsLeft: 0 });
});

test("a tracker divides what keeps every worker busy, and one experiment among none", () => {
  const make = (cost: number) => ({ cost, task: { task: "perplexity" } }) as PlannedExperiment;
  const estimate = createCostModel().estimate;
  const even = createTracker(
    Array.from({ length: 8 }, () => make(1e11)),
    0,
    4,
  );
  expect(even.progress().secondsLeft).toBeCloseTo(estimate(8e11, 8) / 4, 9);
  const one = createTracker([make(1e11)], 0, 8);
  expect(one.progress().secondsLeft).toBeCloseTo(estimate(1e11), 9);
});

test("experiments on many workers last no less than the longest of them, and no less than their share", () => {
  expect(spreadSeconds([11], 8)).toBe(11);
  expect(spreadSeconds([4, 4, 4, 4], 2)).toBe(8);
  expect(spreadSeconds([1, 1, 9], 3)).toBe(9);
  expect(spreadSeconds([], 2)).toBe(0);
});
