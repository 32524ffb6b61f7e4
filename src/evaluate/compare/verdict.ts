// The first line of a comparison: one sentence on whether the other model is worse than the base, with its error bar.

import { sum } from "../sum.ts";
import type { TaskComparison } from "./task.ts";
import type { TextComparison } from "./text.ts";

const normal = 1.959964; // of a 95 % interval

/** "OTHER is worse than BASE here: ..", or better, or neither clearly; the intervals are of 95 %. */
export function describeComparison(
  baseName: string,
  otherName: string,
  text: TextComparison | undefined,
  tasks: readonly TaskComparison[],
): string {
  const parts: string[] = [];
  const signs: number[] = []; // 1: worse, -1: better, 0: undecided
  if (text) {
    const { ratio, ratioInterval: interval, tokens, windows } = text;
    const range = interval ? ` (95 % ${format(interval.low, 4)} to ${format(interval.high, 4)})` : "";
    signs.push(!interval ? 0 : interval.low > 1 ? 1 : interval.high < 1 ? -1 : 0);
    const over = windows === 1 ? "in one window, too few for an error" : `in ${windows} windows`;
    parts.push(`its perplexity is ${format(ratio.value, 4)} times as high${range} over ${tokens} tokens ${over}`);
  }
  const change = averageChange(tasks);
  if (change) {
    const { value, error, count } = change;
    signs.push(error === undefined ? 0 : value + normal * error < 0 ? 1 : value - normal * error > 0 ? -1 : 0);
    const points = (share: number) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(2)}`;
    const range =
      error === undefined ? "" : ` (95 % ${points(value - normal * error)} to ${points(value + normal * error)})`;
    const of =
      count === 1 ? `acc on ${tasks.find((task) => "acc" in task.accuracies)!.task}` : `mean acc of ${count} tasks`;
    parts.push(`its ${of} changes by ${points(value)} points${range}`);
  }
  if (parts.length === 0) return `${otherName} and ${baseName} have no score in common that could be compared.`;
  const worse = signs.includes(1);
  const better = signs.includes(-1);
  const what =
    worse && better
      ? "is worse in one way and better in another than"
      : worse
        ? "is worse than"
        : better
          ? "is better than"
          : "is neither clearly better nor clearly worse than";
  return `${otherName} ${what} ${baseName} here: ${parts.join("; ")}.`;
}

/** Mean over tasks of the change of acc; its error takes tasks as independent. */
function averageChange(tasks: readonly TaskComparison[]) {
  const scored = tasks.filter((task) => "acc" in task.accuracies).map((task) => task.accuracies["acc"]);
  if (scored.length === 0) return undefined;
  const errors = scored.map(({ difference }) => difference?.standardError ?? Number.NaN);
  const error = Math.sqrt(sum(errors.map((one) => one * one))) / scored.length;
  return {
    value: sum(scored.map(({ base, other }) => other - base)) / scored.length,
    error: Number.isNaN(error) ? undefined : error,
    count: scored.length,
  };
}

function format(value: number, digits: number): string {
  return value.toFixed(digits);
}
