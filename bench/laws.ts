// How long the computations on rows take on a store of the paper's size: 38,000 simulated results of six families with their
// documents, in seconds of CPU time on one core. Run: node bench/laws.ts

import type { ResultRow } from "../src/result.ts";
import { answerRows } from "../src/scaling/answer.ts";
import { checkClaims } from "../src/scaling/claims.ts";
import { findMetric } from "../src/scaling/metrics.ts";
import { observe } from "../src/scaling/observations.ts";
import { recommend } from "../src/scaling/recommend.ts";
import { selectLaw } from "../src/scaling/select-law.ts";
import { findUnstable } from "../src/scaling/stability.ts";
import { simulateStudy } from "../test/scaling/simulate.ts";

const sizes = [1e6, 2.2e6, 4.8e6, 11e6, 24e6, 52e6, 110e6, 230e6];
const types = ["int", "float", "quantile", "dynamic"];
const blocks = [32, 64, 128, 256, 512, 1024, 4096];
const tasks = ["perplexity", "piqa", "winogrande", "hellaswag"];

/** A row with 240 windows of a text, or 400 documents of a task. */
function addDocuments(row: ResultRow, index: number): ResultRow {
  const { nll } = row.metrics;
  if (nll === undefined) {
    const acc = { values: Float32Array.from({ length: 400 }, (_, i) => Number(Math.sin(17 * i + index) > 0)) };
    return { ...row, documents: { acc } };
  }
  const value = (_: unknown, i: number) => 256 * nll.value * (1 + Math.sin(7 * i) / 3) + Math.sin(31 * index + i);
  const weights = new Float32Array(240).fill(256);
  return { ...row, documents: { nll: { values: Float32Array.from({ length: 240 }, value), weights } } };
}

const rows = [1, 2, 3, 4, 5, 6]
  .flatMap((seed) => simulateStudy({ family: `family${seed}`, seed, sizes, types, blocks, tasks }))
  .map(addDocuments);
const one = rows.filter((row) => row.model.family === "family1");

function time(name: string, work: () => unknown): void {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  console.log(`${name.padEnd(44)} ${((user + system) / 1e6).toFixed(2)} s`);
}

console.log(`${rows.length} results`);
time("unstable runs", () => findUnstable(rows));
time("every answer, its curves and first budgets", () =>
  answerRows(rows).map(({ range, budgets }) => [range, budgets]),
);
time("14 claims, six families", () => checkClaims(rows));
time("choice of a law, 1,576 results of a family", () => {
  const texts = one.filter((row) => row.key.task === "perplexity");
  return selectLaw(observe(texts, findMetric("nll")));
});
time("advice, one family", () => recommend(rows, { budget: 20e6, family: "family1" }));
