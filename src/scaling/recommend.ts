// The advice: the model and spec that are best within a budget, what comes next, and how sure that is.
// Discrete: whole models at whole specs, measured or predicted by the family's law; nothing between two sizes or beyond them.

import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import type { Alternative, Option, Recommendation, RecommendOptions } from "./advice.ts";
import { describeOptimism, formatBytes, listAssumptions } from "./assumptions.ts";
import { type Candidate, listMeasured, listPredicted, measureDifference } from "./candidates.ts";
import { listMembers } from "./mean-row.ts";
import { countCacheBytes, countWorkspaceBytes, type ModelShape } from "./memory.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { chooseNextExperiment } from "./next-experiment.ts";
import { estimateOptimism } from "./optimism.ts";
import { choosePool } from "./pool.ts";
import { weighPrecisions } from "./precision-evidence.ts";
import { createSpeedReader } from "./speed.ts";
import { findUnstable } from "./stability.ts";
import { tQuantile } from "./statistics.ts";
import { createWholeReader, putBestFirst, type WholeReader } from "./whole.ts";

export type * from "./advice.ts";

/**
 * What to choose within a budget.
 *
 * @throws InputError for a budget that is not positive, or rows that cannot be compared
 */
export function recommend(rows: readonly ResultRow[], options: RecommendOptions): Recommendation {
  const { budget, shapes, predict = true } = options;
  if (!(budget > 0 && Number.isFinite(budget)))
    throw new InputError(`A budget of ${budget} bytes is not a positive size.`);
  const pool = choosePool(rows, options);
  const { metric, task } = pool;
  const unstable = new Set(findUnstable(rows, options).map((one) => one.row));
  const stable = pool.rows.filter((row) => ![row, ...listMembers(row)].some((one) => unstable.has(one)));
  const measured = listMeasured(stable, metric);
  const { candidates: predicted, laws } = predict ? listPredicted(stable, metric) : { candidates: [], laws: [] };
  const { bandwidth, workload, timing } = options;
  const readSpeed = createSpeedReader(rows, { ...workload, ...timing, bandwidth });
  const all = [...measured, ...predicted].map((one) => weigh(one, options, shapes?.get(one.name), readSpeed));
  const byValue = (a: Option, b: Option) => -advantage(metric, a.value, b.value) || a.needed - b.needed;
  const isAllowed = (one: Option) => fitsLength(one, options) && isFast(one, options);
  const fits = (one: Option) => one.needed <= budget && isAllowed(one);
  const readWhole = createWholeReader(rows, metric, unstable);
  const fitting = putBestFirst(all.filter(fits).sort(byValue), readWhole, metric);
  const [best = null, ...others] = fitting;
  const optimism = best?.source === "measured" ? estimateOptimism(fitting.filter(isMeasured), metric) : null;
  return {
    task,
    metric,
    budget,
    best,
    optimism,
    alternatives: best === null ? [] : others.slice(0, 3).map((one) => compare(best, one, metric, readWhole)),
    frontier: frontierAround(all.filter(isAllowed), budget, metric).map((one) => ({ ...one, fits: fits(one) })),
    nextExperiment: chooseNextExperiment(fitting, metric, readWhole),
    precision: workload ? null : weighPrecisions(stable, metric, 8 * budget),
    answer: answerIn(best, others[0], all, options, metric, readWhole),
    assumptions: [
      ...pool.notes,
      ...(best !== null && others.some((one) => readWhole(best) !== null && readWhole(one) !== null)
        ? [
            "But where two were measured on all of the data too, that decides between them; values shown are of the part.",
          ]
        : []),
      ...listAssumptions(all, best, options, laws, unstable.size),
      ...(fitting.length > 1 ? [describeOptimism(optimism, metric)] : []),
    ],
    laws,
  };
}

const isMeasured = ({ source }: Option) => source === "measured";

function weigh(
  one: Candidate,
  { workload, headers }: RecommendOptions,
  shape: ModelShape | undefined,
  readSpeed: ReturnType<typeof createSpeedReader>,
): Option {
  const cacheBytes = workload && shape ? countCacheBytes(shape, workload) : null;
  const workspaceBytes = workload && shape ? countWorkspaceBytes(shape, workload) : null;
  const headerBytes = headers?.get(one.name)?.get(one.spec) ?? null;
  const beside = workload ? (cacheBytes ?? 0) + (workspaceBytes ?? 0) : (headerBytes ?? 0);
  const speed = readSpeed({ ...one, cacheBytes: cacheBytes ?? 0 });
  const half = one.standardError === null ? null : tQuantile(0.975, one.degrees) * one.standardError;
  return {
    ...one,
    needed: one.bytes + beside,
    headerBytes,
    cacheBytes,
    workspaceBytes,
    tokensPerSecond: speed?.tokensPerSecond ?? null,
    speedSource: speed?.source ?? null,
    interval: half === null ? null : [one.value - half, one.value + half],
  };
}

function isFast({ tokensPerSecond }: Option, { tokensPerSecond: wanted }: RecommendOptions): boolean {
  return wanted === undefined || (tokensPerSecond !== null && tokensPerSecond >= wanted);
}

function fitsLength({ name }: Option, { workload, timing, shapes }: RecommendOptions): boolean {
  const context = workload?.context ?? timing?.context;
  const shape = shapes?.get(name);
  return context === undefined || shape === undefined || context <= shape.maxLength;
}

/** Why none of those that fit into the budget is allowed. */
function explainNone(within: readonly Option[], options: RecommendOptions): string {
  const { budget, workload, timing, shapes, tokensPerSecond } = options;
  const start = `Nothing that fits in ${formatBytes(budget)}`;
  const long = within.filter((one) => fitsLength(one, options));
  const context = workload?.context ?? timing?.context;
  if (long.length === 0) {
    const longest = Math.max(...within.map(({ name }) => shapes!.get(name)!.maxLength));
    return `${start} reads a context of ${context} tokens: the longest input of those models is ${longest}; give --context ${longest} or less.`;
  }
  const timed = long.filter((one) => one.tokensPerSecond !== null);
  if (timed.length === 0)
    return `${start} is known to write ${tokensPerSecond} tokens a second: nothing was timed at that batch.`;
  const fastest = timed.reduce((a, b) => (b.tokensPerSecond! > a.tokensPerSecond! ? b : a));
  const reading = long.length < within.length ? ` and reads a context of ${context} tokens` : "";
  return `${start}${reading} writes ${tokensPerSecond} tokens a second: the fastest is ${fastest.name} at ${fastest.spec}, with ${formatSpeed(fastest.tokensPerSecond!)}.`;
}

function formatSpeed(tokensPerSecond: number): string {
  return tokensPerSecond >= 10 ? `${Math.round(tokensPerSecond)}` : `${Number(tokensPerSecond.toPrecision(2))}`;
}

function compare(best: Option, one: Option, metric: MetricFacts, readWhole: WholeReader): Alternative {
  const [wholeBest, whole] = [readWhole(best), readWhole(one)];
  const isWhole = wholeBest !== null && whole !== null;
  const { value, standardError, degrees } = measureDifference(
    metric,
    isWhole ? wholeBest : best,
    isWhole ? whole : one,
  );
  const half = standardError === null ? null : tQuantile(0.975, degrees) * standardError;
  return { ...one, difference: value, differenceInterval: half === null ? null : [value - half, value + half] };
}

/** Up to three steps of the front that fit and two beyond. */
function frontierAround(all: readonly Option[], budget: number, metric: MetricFacts): Option[] {
  const front: Option[] = [];
  for (const one of [...all].sort((a, b) => a.needed - b.needed || -advantage(metric, a.value, b.value))) {
    const last = front.at(-1);
    if (last === undefined || advantage(metric, one.value, last.value) > 0) front.push(one);
  }
  const inside = front.filter((one) => one.needed <= budget).length;
  return front.slice(Math.max(0, inside - 3), inside + 2);
}

function answerIn(
  best: Option | null,
  second: Option | undefined,
  all: readonly Option[],
  options: RecommendOptions,
  metric: MetricFacts,
  readWhole: WholeReader,
): string {
  const size = formatBytes(options.budget);
  if (all.length === 0) return "No stable result can be compared, so nothing can be recommended.";
  if (best === null) {
    const smallest = all.reduce((a, b) => (b.needed < a.needed ? b : a));
    if (smallest.needed > options.budget)
      return `Nothing fits in ${size}: the smallest is ${smallest.name} at ${smallest.spec}, which takes ${formatBytes(smallest.needed)}. A smaller model was not measured, and none is made up.`;
    return explainNone(
      all.filter((one) => one.needed <= options.budget),
      options,
    );
  }
  const how = best.source === "predicted" ? ", by prediction" : "";
  const sentence = `Within ${size}: ${best.name} at ${best.spec}, ${formatBytes(best.needed)}${how}.`;
  if (second === undefined) return `${sentence} Nothing else that was measured fits.`;
  const { differenceInterval } = compare(best, second, metric, readWhole);
  const next = `${second.name} at ${second.spec}`;
  if (differenceInterval === null) return `${sentence} How surely it is better than ${next} is not known.`;
  return differenceInterval[0] > 0 ? sentence : `${sentence} It cannot be told from ${next}.`;
}
