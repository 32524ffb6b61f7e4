// The first sentences of an advice: what to take, or why nothing can be taken.

import type { Option, RecommendOptions } from "./advice.ts";
import { formatBytes } from "./assumptions.ts";
import { describeUnstable, type Field } from "./next-larger.ts";

/** By whom the best is followed, and how surely. */
export interface RunnerUp {
  readonly option: Option;
  /** 95 %, of how much worse it is; null where an error is not known. */
  readonly differenceInterval: readonly [number, number] | null;
}

/** The answer where something fits. */
export function answerWith(best: Option, runnerUp: RunnerUp | null, budget: number, criterion: string): string {
  const how = best.source === "predicted" ? ", by prediction" : "";
  const within = `Within ${formatBytes(budget)}, by ${criterion}`;
  const sentence = `${within}: ${best.name} at ${best.spec}, ${formatBytes(best.needed)}${how}.`;
  if (runnerUp === null) return `${sentence} Nothing else that was measured fits.`;
  const { option, differenceInterval } = runnerUp;
  const next = `${option.name} at ${option.spec}`;
  if (differenceInterval === null) return `${sentence} How surely it is better than ${next} is not known.`;
  return differenceInterval[0] > 0 ? sentence : `${sentence} It cannot be told from ${next}.`;
}

/** The answer where nothing fits. */
export function answerNone({ all, unstable, budget }: Field, options: RecommendOptions): string {
  if (all.length === 0) return "No stable result can be compared, so nothing can be recommended.";
  const within = all.filter((one) => one.needed <= budget);
  if (within.length > 0) return explainRefusal(within, options);
  const smallest = all.reduce((a, b) => (b.needed < a.needed ? b : a));
  const choice = `${smallest.name} at ${smallest.spec}, which takes ${formatBytes(smallest.needed)}`;
  const broken = describeUnstable(unstable, budget);
  const start = `fits in ${formatBytes(budget)}`;
  if (broken !== null)
    return `Nothing stable ${start}: what does, ${broken}, is unstable and took no part. The smallest stable choice is ${choice}.`;
  const isSmallest = unstable.every((one) => one.needed >= smallest.needed);
  return `Nothing ${start}: the smallest ${isSmallest ? "" : "that is stable "}is ${choice}. Nothing smaller is made up.`;
}

/** Why none of those that fit into the budget is allowed. */
function explainRefusal(within: readonly Option[], options: RecommendOptions): string {
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

/** Whether a candidate reads as much context as is asked for, as far as its shape is known. */
export function fitsLength({ name }: Option, { workload, timing, shapes }: RecommendOptions): boolean {
  const context = workload?.context ?? timing?.context;
  const shape = shapes?.get(name);
  return context === undefined || shape === undefined || context <= shape.maxLength;
}

function formatSpeed(tokensPerSecond: number): string {
  return tokensPerSecond >= 10 ? `${Math.round(tokensPerSecond)}` : `${Number(tokensPerSecond.toPrecision(2))}`;
}
