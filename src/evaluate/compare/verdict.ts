// The first line of a comparison: one sentence on whether the other model is worse than the base, with its error bar.

import { mean, sum } from "../sum.ts";
import { fewestPairs, type Interval } from "./paired.ts";
import type { TaskComparison } from "./task.ts";
import type { TextComparison } from "./text.ts";

/**
 * "OTHER is worse than BASE here: ..", or better, or neither clearly, or that it cannot be told from so few windows and
 * documents; the intervals are of 95 %.
 */
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
    if (interval) signs.push(interval.low > 1 ? 1 : interval.high < 1 ? -1 : 0);
    const over = `in ${windows} ${windows === 1 ? "window" : "windows"}${interval ? "" : tooFew}`;
    parts.push(`its perplexity is ${format(ratio.value, 4)} times as high${range} over ${tokens} tokens ${over}`);
  }
  const change = averageChange(tasks);
  if (change) {
    const { value, interval, count } = change;
    if (interval) signs.push(interval.high < 0 ? 1 : interval.low > 0 ? -1 : 0);
    const points = (share: number) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(2)}`;
    const range = interval ? ` (95 % ${points(interval.low)} to ${points(interval.high)})` : "";
    const of =
      count === 1 ? `acc on ${tasks.find((task) => "acc" in task.accuracies)!.task}` : `mean acc of ${count} tasks`;
    parts.push(
      `its ${of} changes by ${points(value)} points${range}${interval ? "" : ` on ${describeFewest(tasks)}${tooFew}`}`,
    );
  }
  if (parts.length === 0) return `${otherName} and ${baseName} have no score in common that could be compared.`;
  if (signs.length === 0)
    return `Whether ${otherName} is worse than ${baseName} cannot be told here: ${parts.join("; ")}.`;
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

const tooFew = `, too few for an error (${fewestPairs} are needed)`;

/** The documents of the smallest task with an accuracy. */
function describeFewest(tasks: readonly TaskComparison[]): string {
  const fewest = Math.min(...tasks.filter(({ accuracies }) => "acc" in accuracies).map(({ documents }) => documents));
  return fewest === 1 ? "1 document" : `${fewest} documents`;
}

/** Mean over tasks of the change of acc; its interval takes tasks as independent and adds up how far theirs reach. */
function averageChange(tasks: readonly TaskComparison[]) {
  const scored = tasks.filter((task) => "acc" in task.accuracies).map((task) => task.accuracies["acc"]);
  if (scored.length === 0) return undefined;
  const changes = scored.map(({ base, other }) => other - base);
  const value = mean(changes);
  const reach = (end: keyof Interval) =>
    Math.sqrt(sum(scored.map(({ difference }, i) => (difference![end] - changes[i]) ** 2))) / scored.length;
  const isKnown = scored.every(({ difference }) => difference !== undefined);
  const interval = isKnown ? { low: value - reach("low"), high: value + reach("high") } : undefined;
  return { value, interval, count: scored.length };
}

function format(value: number, digits: number): string {
  return value.toFixed(digits);
}
