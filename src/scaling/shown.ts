// Which stored results an answer's filters let through: what a report counts, lists and takes its title from.

import type { FailureRow, ResultRow } from "../result.ts";
import { type AnswerOptions, listUnstable } from "./answer.ts";
import { isOnData } from "./data-name.ts";
import { passesFilter } from "./facets.ts";
import { averageAccuracies } from "./mean-accuracy.ts";
import { listMembers } from "./mean-row.ts";
import { findMetric, readMetric } from "./metrics.ts";
import { meanAccuracyTask } from "./series.ts";
import type { UnstableRow } from "./stability.ts";

/** Stored results as they are shown. */
export interface ShownResults {
  readonly rows: readonly ResultRow[];
  readonly failures: readonly FailureRow[];
  /** Those of `rows` that are unstable, judged by all results. */
  readonly unstable: readonly UnstableRow[];
  /** How many results are stored. */
  readonly stored: number;
}

/**
 * The results that pass the filters; of the mean of tasks those that it is made of. Failures of models of other families
 * and of other tasks are left out.
 *
 * @throws InputError for an unknown metric
 */
export function selectShown(
  stored: readonly ResultRow[],
  failures: readonly FailureRow[] = [],
  options: AnswerOptions = {},
): ShownResults {
  const { task, family, data } = options;
  const metric = options.metric === undefined ? undefined : findMetric(options.metric);
  const measured = task === meanAccuracyTask ? averageAccuracies(stored) : stored;
  const passing = measured.filter(
    (row) =>
      (task === undefined || row.key.task === task) &&
      (family === undefined || row.model.family === family) &&
      (data === undefined || isOnData(row, data)) &&
      (metric === undefined || readMetric(row, metric) !== undefined) &&
      passesFilter(row.key.spec, options),
  );
  const shown = new Set(passing.flatMap(listMembers));
  const families = new Map(stored.map(({ model }) => [model.name, model.family]));
  return {
    rows: shown.size === stored.length ? stored : stored.filter((row) => shown.has(row)),
    failures: failures.filter(
      (one) =>
        (family === undefined || (families.get(one.model) ?? family) === family) &&
        (task === undefined || task === meanAccuracyTask || one.task === task),
    ),
    unstable: listUnstable(stored).filter(({ row }) => shown.has(row)),
    stored: stored.length,
  };
}
