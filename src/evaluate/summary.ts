// The score of the paper: the mean accuracy over tasks, and the same with guessing taken out.

import type { Metric } from "../result.ts";
import { mean, sum } from "./sum.ts";
import type { TaskResult } from "./task.ts";

/** Means over tasks. */
export interface AccuracySummary {
  /** Mean of `acc`; its standard error takes the tasks as independent, `sqrt(sum(error^2)) / tasks`. */
  readonly meanAccuracy: Metric;
  /** Mean of `(acc - chance) / (1 - chance)`: 0 is guessing, 1 is all right. */
  readonly aboveChance: Metric;
}

/** The means over the tasks that have an accuracy; undefined if none has. `n` is the number of tasks. */
export function summarizeAccuracy(results: readonly TaskResult[]): AccuracySummary | undefined {
  const scored = results.filter(
    (result) => "acc" in result.metrics && result.chance !== undefined && result.chance < 1,
  );
  if (scored.length === 0) return undefined;
  const average = (scale: (result: TaskResult) => number, from: (result: TaskResult) => number): Metric => {
    const errors = scored.map((result) => (result.metrics["acc"].standardError ?? Number.NaN) * scale(result));
    const standardError = Math.sqrt(sum(errors.map((error) => error * error))) / scored.length;
    return {
      value: mean(scored.map((result) => (result.metrics["acc"].value - from(result)) * scale(result))),
      ...(Number.isNaN(standardError) ? {} : { standardError }),
      n: scored.length,
    };
  };
  return {
    meanAccuracy: average(
      () => 1,
      () => 0,
    ),
    aboveChance: average(
      (result) => 1 / (1 - result.chance!),
      (result) => result.chance!,
    ),
  };
}
