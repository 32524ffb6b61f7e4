// lm-eval's table of results, character by character where its four decimals are all written, since scripts read it.
// Markdown; the command line and reports print it.

import { metricDirections } from "./metrics.ts";
import type { TaskResult } from "./task.ts";

const titles = ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];
const arrows = { up: "↑", down: "↓" };

/** A line a metric, tasks and metrics in alphabetical order; an error that is not defined prints as N/A. */
export function formatTaskTable(results: readonly TaskResult[]): string {
  const rows: string[][] = [];
  for (const result of [...results].sort((a, b) => compare(a.task, b.task))) {
    const names = Object.keys(result.metrics).sort(compare) as (keyof typeof metricDirections)[];
    names.forEach((name, i) => {
      const { value, standardError } = result.metrics[name];
      const error = standardError === undefined ? "   N/A" : formatFour(standardError);
      const [task, version] = i === 0 ? [result.task, result.version] : ["", ""];
      rows.push([task, version, "none", "0", name, arrows[metricDirections[name]], formatFour(value), "±", error]);
    });
  }
  const isRight = (text: string) => /^-?\d+(\.\d+)?$/.test(text);
  const columns = titles.map((title, j) => {
    const cells = rows.map((row) => row[j]);
    const width = Math.max(3, countWidth(title), ...cells.map(countWidth));
    // A column is set to the right in Markdown if all that it holds are numbers.
    const numeric = cells.some(isRight) && cells.every((cell) => cell === "" || isRight(cell));
    return { title, width, numeric };
  });
  const line = (cells: readonly string[]) => `|${cells.join("|")}|`;
  return [
    line(columns.map(({ title, width }) => center(title, width))),
    line(columns.map(({ width, numeric }) => (numeric ? `${"-".repeat(width - 1)}:` : "-".repeat(width)))),
    ...rows.map((row) =>
      line(row.map((cell, j) => (isRight(cell) ? cell.padStart(columns[j].width) : cell.padEnd(columns[j].width)))),
    ),
  ].join("\n");
}

/** Four decimals, halves to even as Python rounds; only odd multiples of 1/32 are halves there. */
function formatFour(value: number): string {
  const isHalf = Math.abs((value * 32) % 2) === 1;
  if (!isHalf) return value.toFixed(4);
  const floor = Math.floor(value * 10000);
  return ((floor + (floor % 2 === 0 ? 0 : 1)) / 10000).toFixed(4);
}

function center(title: string, width: number): string {
  return title.padStart(Math.floor((width + title.length) / 2)).padEnd(width);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function countWidth(text: string): number {
  return [...text].length;
}
