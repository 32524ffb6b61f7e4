// The advice: the model and spec that are best within a budget, what comes next, and how sure that is.
// Discrete: whole models at whole specs, measured or predicted by the family's law; nothing between two sizes or beyond them.

import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import { type Candidate, type FamilyLaw, listMeasured, listPredicted, measureDifference } from "./candidates.ts";
import { formulaOf } from "./laws/law.ts";
import { countCacheBytes, countWorkspaceBytes, type ModelShape, type Workload } from "./memory.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { chooseNextExperiment, type NextExperiment } from "./next-experiment.ts";
import { estimateOptimism } from "./optimism.ts";
import { choosePool, type PoolFilter } from "./pool.ts";
import { type PrecisionEvidence, weighPrecisions } from "./precision-evidence.ts";
import { createSpeedReader, type SpeedSource } from "./speed.ts";
import { findUnstable, type StabilityOptions } from "./stability.ts";
import { tQuantile } from "./statistics.ts";

/** What is asked. */
export interface RecommendOptions extends PoolFilter, StabilityOptions {
  /** In bytes: of the weights' file, or with a workload of everything that running takes. */
  readonly budget: number;
  readonly workload?: Workload;
  /** Tokens a second of each sequence that are wanted. */
  readonly tokensPerSecond?: number;
  /** Bytes a second that memory delivers, for what was not timed. */
  readonly bandwidth?: number;
  /** At which a speed is meant; default: those of the workload, else 1 sequence of 128 tokens. */
  readonly timing?: { readonly batch?: number; readonly context?: number };
  /** Shapes by the name of the model. */
  readonly shapes?: ReadonlyMap<string, ModelShape>;
  /** Bytes of the header of the weights' file, by the name of the model, then the spec. */
  readonly headers?: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** False: only what was measured. */
  readonly predict?: boolean;
}

/** A candidate with what it takes. */
export interface Option extends Candidate {
  /** Bytes that the budget is charged. */
  readonly needed: number;
  /** Null where the model's checkpoint is not at hand. */
  readonly headerBytes: number | null;
  readonly cacheBytes: number | null;
  readonly workspaceBytes: number | null;
  /** Of each sequence; null where nothing was timed and no bandwidth was named. */
  readonly tokensPerSecond: number | null;
  readonly speedSource: SpeedSource | null;
  /** 95 %; null where the error is not known. */
  readonly interval: readonly [number, number] | null;
}

/** One that is not the best, and by how much. */
export interface Alternative extends Option {
  /** How much worse than the best, in the metric's unit. */
  readonly difference: number;
  /** 95 %; null where an error is not known. */
  readonly differenceInterval: readonly [number, number] | null;
}

/** The advice. */
export interface Recommendation {
  readonly task: string;
  readonly metric: MetricFacts;
  readonly budget: number;
  /** Null where nothing fits; `answer` says why. */
  readonly best: Option | null;
  /** By how much its value is flattered by being the best of several; null where it is a prediction or has no documents. */
  readonly optimism: number | null;
  /** The next best, at most three. */
  readonly alternatives: readonly Alternative[];
  /** The Pareto front around the budget, ascending by size. */
  readonly frontier: readonly (Option & { readonly fits: boolean })[];
  readonly nextExperiment: NextExperiment | null;
  /** Precisions at exactly this budget by the curves of the family with most models; null with a workload or outside them. */
  readonly precision: PrecisionEvidence | null;
  /** One sentence. */
  readonly answer: string;
  readonly assumptions: readonly string[];
  readonly laws: readonly FamilyLaw[];
}

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
  const stable = pool.rows.filter((row) => !unstable.has(row) && !hasUnstableMember(row, unstable));
  const measured = listMeasured(stable, metric);
  const { candidates: predicted, laws } = predict ? listPredicted(stable, metric) : { candidates: [], laws: [] };
  const { bandwidth, timing = options.workload } = options;
  const readSpeed = createSpeedReader(rows, { bandwidth, batch: timing?.batch, context: timing?.context });
  const all = [...measured, ...predicted].map((one) => weigh(one, options, shapes?.get(one.name), readSpeed));
  const byValue = (a: Option, b: Option) => -advantage(metric, a.value, b.value) || a.needed - b.needed;
  const isAllowed = (one: Option) => fitsLength(one, options) && isFast(one, options);
  const fits = (one: Option) => one.needed <= budget && isAllowed(one);
  const fitting = all.filter(fits).sort(byValue);
  const [best = null, ...others] = fitting;
  const optimism = best?.source === "measured" ? estimateOptimism(fitting.filter(isMeasured), metric) : null;
  return {
    task,
    metric,
    budget,
    best,
    optimism,
    alternatives: best === null ? [] : others.slice(0, 3).map((one) => compare(best, one, metric)),
    frontier: frontierAround(all.filter(isAllowed), budget, metric).map((one) => ({ ...one, fits: fits(one) })),
    nextExperiment: chooseNextExperiment(fitting, metric),
    precision: options.workload ? null : weighPrecisions(stable, metric, 8 * budget),
    answer: answerIn(best, others[0], all, options, metric),
    assumptions: [
      ...pool.notes,
      ...listAssumptions(all, best, options, laws, unstable.size),
      ...(fitting.length > 1 ? [describeOptimism(optimism, metric)] : []),
    ],
    laws,
  };
}

const isMeasured = ({ source }: Option) => source === "measured";

function describeOptimism(optimism: number | null, { unit }: MetricFacts): string {
  if (optimism === null)
    return "The best of several noisy values is a little optimistic; intervals do not correct for that.";
  const size = optimism < 5e-5 ? "less than 0.0001" : `about ${Number(optimism.toPrecision(1))}`;
  return `Being the best of several flatters its value by ${size}${unit && ` ${unit}`} (chosen on half of the documents, measured on the other); intervals do not correct for that.`;
}

function hasUnstableMember(row: ResultRow, unstable: ReadonlySet<ResultRow>): boolean {
  return "members" in row && (row as { members: readonly ResultRow[] }).members.some((one) => unstable.has(one));
}

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

function fitsLength({ name }: Option, { workload, shapes }: RecommendOptions): boolean {
  const shape = shapes?.get(name);
  return workload === undefined || shape === undefined || workload.context <= shape.maxLength;
}

function compare(best: Option, one: Option, metric: MetricFacts): Alternative {
  const { value, standardError, degrees } = measureDifference(metric, best, one);
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
): string {
  const size = formatBytes(options.budget);
  if (all.length === 0) return "No stable result can be compared, so nothing can be recommended.";
  if (best === null) {
    const smallest = all.reduce((a, b) => (b.needed < a.needed ? b : a));
    if (smallest.needed > options.budget)
      return `Nothing fits in ${size}: the smallest is ${smallest.name} at ${smallest.spec}, which takes ${formatBytes(smallest.needed)}. A smaller model was not measured, and none is made up.`;
    const reasons = [options.tokensPerSecond && "fast enough", options.workload && "made for that context"].filter(
      Boolean,
    );
    return `Nothing that fits in ${size} is ${reasons.join(" and ")}.`;
  }
  const how = best.source === "predicted" ? ", by prediction" : "";
  const sentence = `Within ${size}: ${best.name} at ${best.spec}, ${formatBytes(best.needed)}${how}.`;
  if (second === undefined) return `${sentence} Nothing else that was measured fits.`;
  const { differenceInterval } = compare(best, second, metric);
  const next = `${second.name} at ${second.spec}`;
  if (differenceInterval === null) return `${sentence} How surely it is better than ${next} is not known.`;
  return differenceInterval[0] > 0 ? sentence : `${sentence} It cannot be told from ${next}.`;
}

function listAssumptions(
  all: readonly Option[],
  best: Option | null,
  options: RecommendOptions,
  laws: readonly FamilyLaw[],
  unstable: number,
): string[] {
  const { budget, workload, tokensPerSecond, timing = workload } = options;
  const lines = [
    workload
      ? "Weights are all tensor data: codes, scales, codebooks, embeddings, head."
      : "Sizes are of the weights' file: codes, scales, codebooks, embeddings, head, and the file's header.",
  ];
  if (!workload && all.some((one) => one.headerBytes === null))
    lines.push(
      "Headers are not counted where a model is not at hand, about 130 bytes a stored tensor; pass --models FOLDER.",
    );
  const unknown = all.filter((one) => one.cacheBytes === null).length;
  if (workload && unknown > 0)
    lines.push(
      "Cache and workspace are not counted for models whose shape is not known; pass --models FOLDER with their checkpoints.",
    );
  if (workload)
    lines.push(
      `Memory: weights, ${workload.kvBits}-bit keys and values of ${workload.batch} x ${workload.context} tokens, activations of one token a sequence in float32.`,
    );
  if (tokensPerSecond !== undefined) lines.push(describeSpeeds(all, timing?.batch ?? 1));
  const largest = Math.max(...all.map((one) => one.needed));
  if (best !== null && budget > largest * 2)
    lines.push(
      `The budget is more than twice the largest that was measured (${formatBytes(largest)}); a larger model may be better, and nothing is extrapolated to one.`,
    );
  for (const { family, choice, whyNot } of laws) {
    const predicted = all.filter((one) => one.family === family && one.source === "predicted").length;
    if (choice && predicted > 0)
      lines.push(
        `${family}: what was not measured (${predicted} here) is predicted by "${choice.best.law.label}", ${formulaOf(choice.best.law, choice.best.fit.design)}`,
        ...choice.best.problems.map((problem) => `The law of ${family}: ${problem}`),
      );
    else if (!choice) lines.push(`${family}: only what was measured counts. ${whyNot}`);
  }
  if (unstable > 0)
    lines.push(unstable === 1 ? "1 unstable result took no part." : `${unstable} unstable results took no part.`);
  if (all.some((one) => one.standardError === null))
    lines.push("Some results have no standard error, so they have no interval.");
  return lines;
}

function describeSpeeds(all: readonly Option[], batch: number): string {
  const count = (source: SpeedSource) => all.filter((one) => one.speedSource === source).length;
  const [timed, neighbour] = [count("timed"), count("neighbour")];
  if (count("bandwidth") > 0)
    return "Speed: every weight and the cache are read once for each token of the batch, at the bandwidth given; arithmetic costs nothing.";
  const rest = neighbour > 0 ? `, ${neighbour} take the bytes a second of the timed one that is nearest in bits` : "";
  return `Speed at batch ${batch}: ${timed} of ${all.length} were timed${rest}.`;
}

/** Decimal bytes, three digits. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  return `${Number((bytes / 1000 ** step).toPrecision(3))} ${units[step]}`;
}
