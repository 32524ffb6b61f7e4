// What was measured on a part of the data (its first windows or documents) may have been measured on all of it too.
// Where the best of a part and others have such results, these decide between them.

import type { ResultRow } from "../result.ts";
import { type Candidate, listMeasured } from "./candidates.ts";
import { averageAccuracies } from "./mean-accuracy.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { conditions, modelKey } from "./series.ts";

/** The same candidate on all of the data; null where it was not measured so, or is no measurement of a part. */
export type WholeReader = (one: Candidate) => Candidate | null;

/** A reader of the results on all of the data; rows that are left out of it are unstable. */
export function createWholeReader(
  rows: readonly ResultRow[],
  metric: MetricFacts,
  unstable: ReadonlySet<ResultRow>,
): WholeReader {
  const whole = [...rows, ...averageAccuracies(rows)].filter((row) => row.key.limit === null && !unstable.has(row));
  const known = new Map(listMeasured(whole, metric).map((one) => [nameOf(one), one]));
  return (one) => (isPartial(one) ? (known.get(nameOf(one)) ?? null) : null);
}

/** Whether it was measured on a part of the data. */
export function isPartial({ source, row }: Candidate): boolean {
  return source === "measured" && row.key.limit !== null;
}

/** Candidates, best first by the part, with the best on all of the data first where the first was measured on it. */
export function putBestFirst<T extends Candidate>(
  candidates: readonly T[],
  readWhole: WholeReader,
  metric: MetricFacts,
): T[] {
  const [first] = candidates;
  if (first === undefined || readWhole(first) === null) return [...candidates];
  const known = candidates.filter((one) => readWhole(one) !== null);
  const best = known.reduce((a, b) => (advantage(metric, readWhole(b)!.value, readWhole(a)!.value) > 0 ? b : a));
  return [best, ...candidates.filter((one) => one !== best)];
}

function nameOf({ row }: Candidate): string {
  const onAll = { ...row, key: { ...row.key, limit: null } };
  return [modelKey(row), row.key.spec, row.key.task, conditions(onAll, true)].join(" ");
}
