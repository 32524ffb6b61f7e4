// Intervals cover the truth as often as they say, with five and six sizes; bench/coverage.ts repeats this a thousand times.
// Of 100 repetitions 95 are expected with a deviation of 2.2: the limits are three deviations below.

import { expect, test } from "vitest";
import { type Coverage, coverEffect, coverEqualBits, coverLaw, rejectParallel } from "./coverage.ts";
import { coverDocuments, coverMeasured, coverSeeds } from "./coverage-documents.ts";

const count = 100;
const expectCoverage = (coverage: Coverage, at90 = 0.81, at95 = 0.88) => {
  for (const [name, share] of Object.entries(coverage)) {
    expect.soft(share.at95, `${name} at 95 %`).toBeGreaterThanOrEqual(at95);
    expect.soft(share.at90, `${name} at 90 %`).toBeGreaterThanOrEqual(at90);
    expect.soft(share.at90, `${name} at 90 %`).toBeLessThanOrEqual(0.99);
  }
};

test("intervals of a law cover with five sizes whose rows share most of their noise", () => {
  expectCoverage(coverLaw({ count, sizes: 5, shared: 0.005, own: 0.001 }));
});

test("intervals of a law cover with six sizes whose rows share none of it", () => {
  expectCoverage(coverLaw({ count, sizes: 6, shared: 0, own: 0.002 }));
});

test("intervals at equal bits cover with five sizes", () => {
  expectCoverage(coverEqualBits({ count: 60, sizes: 5, shared: 0.003, own: 0.001 }), 0.78, 0.86);
});

test("intervals of a mean effect cover with five sizes", () => {
  expectCoverage(coverEffect({ count: 1000, sizes: 5, shared: 0, own: 0.01 }), 0.87, 0.93);
});

test("margins, optimal precisions and crossings cover with 20 documents and with 200", () => {
  expectCoverage(coverDocuments({ count: 60, documents: 20, draws: 200 }), 0.78, 0.86);
  expectCoverage(coverDocuments({ count: 40, documents: 200, draws: 200 }), 0.75, 0.84);
});

test("what is said of the models that were measured covers with 20 documents and with 200", () => {
  for (const documents of [20, 200]) expectCoverage(coverMeasured({ count: 60, sizes: 5, documents }), 0.78, 0.86);
});

test("margins cover with the noise of training, known from three seeds of two sizes", () => {
  expectCoverage(coverSeeds({ count: 100, sizes: 5, seeded: 2 }), 0.81, 0.88);
});

test("parallel curves are seldom called anything else, and others are found out", () => {
  const options = { count: 30, sizes: 6, shared: 0.002, own: 0.001 };
  expect(rejectParallel(0, options).at5).toBeLessThanOrEqual(0.17);
  expect(rejectParallel(0.4, options).at5).toBeGreaterThan(0.9);
});
