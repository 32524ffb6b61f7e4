// The advice: the model and spec that are best within a budget, what comes next, and how sure that is.
// Discrete: whole models at whole specs, measured or predicted by the family's law; nothing between two sizes or beyond them.

import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import type { Alternative, Option, Recommendation, RecommendOptions } from "./advice.ts";
import { describeOptimism, listAssumptions } from "./assumptions.ts";
import { type Candidate, describeRow, listMeasured, listPredicted, measureDifference } from "./candidates.ts";
import { listMembers } from "./mean-row.ts";
import { countCacheBytes, countWorkspaceBytes, type ModelShape } from "./memory.ts";
import { advantage, type MetricFacts, readMetric } from "./metrics.ts";
import { chooseNextExperiment } from "./next-experiment.ts";
import { type Field, findNextLarger } from "./next-larger.ts";
import { estimateOptimism } from "./optimism.ts";
import { choosePool } from "./pool.ts";
import { weighPrecisions } from "./precision-evidence.ts";
import { answerNone, answerWith, fitsLength } from "./recommend-answer.ts";
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
  const { budget, shapes, predict = true, details = false, onStep } = options;
  if (!(budget > 0 && Number.isFinite(budget)))
    throw new InputError(`A budget of ${budget} bytes is not a positive size.`);
  const pool = choosePool(rows, options);
  const { metric, task, criterion } = pool;
  const unstable = new Set(findUnstable(rows, options).map((one) => one.row));
  const isUnstable = (row: ResultRow) => [row, ...listMembers(row)].some((one) => unstable.has(one));
  const stable = pool.rows.filter((row) => !isUnstable(row));
  const broken = pool.rows.filter(isUnstable);
  const { candidates: predicted, laws } = predict
    ? listPredicted(stable, metric, { unstable: broken, always: details, onStep })
    : { candidates: [], laws: [] };
  onStep?.("comparing");
  const { bandwidth, workload, timing } = options;
  const readSpeed = createSpeedReader(rows, { ...workload, ...timing, bandwidth });
  const weighAll = (candidates: readonly Candidate[]) =>
    candidates.map((one) => weigh(one, options, shapes?.get(one.name), readSpeed));
  const all = weighAll([...listMeasured(stable, metric), ...predicted]);
  const byValue = (a: Option, b: Option) => -advantage(metric, a.value, b.value) || a.needed - b.needed;
  const isAllowed = (one: Option) => fitsLength(one, options) && isFast(one, options);
  const fits = (one: Option) => one.needed <= budget && isAllowed(one);
  const field: Field = {
    all,
    unstable: weighAll(broken.map((row) => describeRow(row, readMetric(row, metric)!))),
    budget,
    metric,
    isAllowed,
  };
  const readWhole = createWholeReader(rows, metric, unstable);
  const fitting = putBestFirst(all.filter(fits).sort(byValue), readWhole, metric);
  const [best = null, ...others] = fitting;
  const alternatives = best === null ? [] : others.slice(0, 3).map((one) => compare(best, one, metric, readWhole));
  const optimism = best?.source === "measured" ? estimateOptimism(fitting.filter(isMeasured), metric) : null;
  const { experiment, whyNone } = chooseNextExperiment(fitting, metric, readWhole);
  const notes = listAssumptions(all, best, options, laws, broken.length);
  const hasWhole = best !== null && others.some((one) => readWhole(best) !== null && readWhole(one) !== null);
  const [second] = alternatives;
  return {
    task,
    metric,
    criterion,
    budget,
    best,
    optimism,
    alternatives,
    frontier: frontierAround(all.filter(isAllowed), budget, metric).map((one) => ({ ...one, fits: fits(one) })),
    nextExperiment: experiment,
    noExperiment: whyNone,
    nextLarger: best && findNextLarger(best, field),
    precision: workload ? null : weighPrecisions(stable, metric, 8 * budget, best?.family),
    answer: best
      ? answerWith(best, second ? { option: second, ...second } : null, budget, criterion)
      : answerNone(field, options),
    assumptions: [...pool.notes, ...(hasWhole ? [wholeDecides] : []), ...notes.assumptions],
    details: [...notes.details, ...(fitting.length > 1 ? [describeOptimism(optimism, metric)] : [])],
    laws,
  };
}

const wholeDecides =
  "But where two were measured on all of the data too, that decides between them; values shown are of the part.";

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
  const beside = (cacheBytes ?? 0) + (workspaceBytes ?? 0);
  const speed = readSpeed({ ...one, cacheBytes: cacheBytes ?? 0 });
  const half = one.standardError === null ? null : tQuantile(0.975, one.degrees) * one.standardError;
  return {
    ...one,
    needed: one.bytes + beside,
    headerBytes,
    fileBytes: headerBytes === null ? null : one.bytes + headerBytes,
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
