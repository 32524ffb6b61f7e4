// The paper's main metric: accuracy averaged over the zero-shot tasks, as rows derived from those of the tasks.
// Derived rows exist only while an answer is made; no store holds them.

import type { ResultRow } from "../result.ts";
import type { MeanRow } from "./mean-row.ts";
import { groupBy, meanAccuracyTask, modelKey } from "./series.ts";

/**
 * One row a model and spec with `acc = mean(acc_t)` and standard error `sqrt(sum(s_t^2)) / T` over all T tasks that the
 * family was measured on under the same profile, limit, compute type and code. A model or spec that lacks one of them
 * has no mean; a family with a single task has none at all.
 *
 * @see Dettmers and Zettlemoyer 2023, section 4: mean zero-shot accuracy of LAMBADA, Winogrande, HellaSwag, PIQA
 */
export function averageAccuracies(rows: readonly ResultRow[]): MeanRow[] {
  const measured = rows.filter((row) => row.key.task !== "perplexity" && row.metrics["acc"] !== undefined);
  return [...groupBy(measured, sameConditions).values()].flatMap((group) => {
    const tasks = [...new Set(group.map(taskKey))].sort();
    if (tasks.length < 2) return [];
    const experiments = groupBy(group, (row) => `${modelKey(row)} ${row.key.spec}`);
    return [...experiments.values()].flatMap((members) => averageMembers(members, tasks));
  });
}

function averageMembers(members: readonly ResultRow[], tasks: readonly string[]): MeanRow[] {
  const byTask = tasks.flatMap((task) => members.find((row) => taskKey(row) === task) ?? []);
  if (byTask.length < tasks.length) return [];
  const accuracies = byTask.map((row) => row.metrics["acc"]);
  const errors = accuracies.map((one) => one.standardError);
  const value = accuracies.reduce((sum, one) => sum + one.value, 0) / tasks.length;
  const standardError = errors.includes(undefined) ? undefined : Math.hypot(...(errors as number[])) / tasks.length;
  const { model, bitsPerWeight, bits, kernels, machine, kbit, date } = members[0];
  const key = { ...members[0].key, task: meanAccuracyTask, taskVersion: "", dataHash: tasks.join(" ") };
  const metrics = { acc: { value, standardError, n: tasks.length } };
  const seconds = members.reduce((sum, row) => sum + row.seconds, 0);
  const { imported } = members.find((row) => row.imported !== undefined) ?? {};
  const what = { id: "", key, model, bitsPerWeight, bits, metrics, members: byTask, ...(imported && { imported }) };
  return [{ ...what, kernels, seconds, machine, kbit, date }];
}

function sameConditions({ key, model, imported }: ResultRow): string {
  const { quantizer, model: modelCode, task } = key.versions;
  const computeType = imported === undefined ? key.computeType : "";
  return JSON.stringify([model.family, key.profile, key.limit, computeType, quantizer, modelCode, task]);
}

function taskKey({ key }: ResultRow): string {
  return `${key.task} ${key.taskVersion} ${key.dataHash}`;
}
