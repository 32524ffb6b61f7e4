// Figure 1 for a terminal: the metric against total model bits on a log axis, each curve drawn with its precision's
// digit (`+` for 16 bits). Curves that lie on top of each other show the best.

import type { Answer } from "../scaling/answer.ts";
import { chooseBudgets } from "../scaling/budgets.ts";
import { interpolate } from "../scaling/interpolate.ts";
import { advantage } from "../scaling/metrics.ts";
import { createFrame } from "./frame.ts";
import { formatMetric, formatSize } from "./units.ts";
import { isInView } from "./view.ts";

const axisWidth = 8;

/**
 * The curves as lines of text; empty where there is no curve of two points.
 *
 * @param paint - colours a curve's mark by its precision; default: none
 */
export function drawTextPlot(
  answer: Answer,
  size: { readonly columns: number; readonly rows: number },
  paint: (bitsPerWeight: number, mark: string) => string = (_, mark) => mark,
): string[] {
  const curves = answer.curves.filter((curve) => curve.points.length > 1);
  if (curves.length === 0) return [];
  const { metric } = answer.series;
  const { domain, values } = createFrame(answer, { width: 760, height: 500 });
  const width = size.columns - axisWidth;
  const cells: { bits: number; value: number }[][] = Array.from({ length: size.rows }, () => new Array(width)); // (rows, width)
  const rowOf = (value: number) => Math.round(((values[1] - value) / (values[1] - values[0])) * (size.rows - 1));
  for (let column = 0; column < width; column++) {
    const at = domain[0] * (domain[1] / domain[0]) ** ((column + 0.5) / width);
    for (const curve of curves) {
      const reading = interpolate(curve, at);
      if (reading === null || !isInView({ values }, reading.value)) continue;
      const row = cells[rowOf(reading.value)];
      const there = row[column];
      if (there === undefined || advantage(metric, reading.value, there.value) > 0) {
        row[column] = { bits: curve.bitsPerWeight, value: reading.value };
      }
    }
  }
  const lines = cells.map((row, i) => {
    const value = values[1] - (i / (size.rows - 1)) * (values[1] - values[0]);
    const tick = i % 4 === 0 ? value.toFixed(2) : "";
    const marks = Array.from(row, (cell) => (cell === undefined ? " " : paint(cell.bits, markOf(cell.bits))));
    return `${tick.padStart(axisWidth - 2)} ${tick === "" ? "│" : "┤"}${marks.join("")}`.trimEnd();
  });
  const better = metric.better === "lower" ? "lower is better" : "higher is better";
  return [`${formatMetric(metric)} (${better})`, ...lines, ...drawAxis(domain, width)];
}

function markOf(bitsPerWeight: number): string {
  return bitsPerWeight < 10 ? String(bitsPerWeight) : "+";
}

function drawAxis(domain: readonly [number, number], width: number): string[] {
  const rule = new Array<string>(width).fill("─");
  const text = new Array<string>(width + axisWidth).fill(" ");
  let free = 0;
  for (const bits of chooseBudgets(domain[0], domain[1], Math.floor(width / 11))) {
    const column = Math.floor((Math.log(bits / domain[0]) / Math.log(domain[1] / domain[0])) * width);
    const words = formatSize(bits);
    const start = Math.max(0, column + axisWidth - 1 - (words.length >> 1));
    rule[column] = "┬";
    if (start < free || start + words.length > text.length) continue;
    for (let i = 0; i < words.length; i++) text[start + i] = words[i];
    free = start + words.length + 1;
  }
  const legend = `${" ".repeat(axisWidth)}marks are bits a weight, + is 16`;
  return [`${" ".repeat(axisWidth - 1)}└${rule.join("")}`, text.join("").trimEnd(), legend];
}
