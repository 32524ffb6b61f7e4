// Time a token against size, where studies measured it: the other half of the paper's argument, that a model's speed at
// small batches follows its bits. Rows of the task `latency`; those measured in different ways are never mixed.

import type { ResultRow } from "../result.ts";
import { buildCurves, type Curve, type Point, pickBest, placePoints } from "../scaling/curves.ts";
import type { MetricFacts } from "../scaling/metrics.ts";
import { groupBy, modelKey } from "../scaling/series.ts";
import { drawTimes } from "./figure.ts";
import { renderFigure } from "./figure-block.ts";
import { cleanText, escapeHtml } from "./text.ts";
import { formatPrecision } from "./units.ts";
import type { Shown } from "./view.ts";

const time: MetricFacts = {
  name: "msPerToken",
  label: "time a token",
  unit: "ms",
  better: "lower",
  logarithm: false,
  perToken: false,
};

/** Times that were measured in the same way. */
export interface Times {
  /** Batch, context, machine and kernels. */
  readonly conditions: string;
  readonly curves: readonly Curve[];
  readonly shown: Shown;
  /** What fewer bits gain, in a sentence; empty where no model was measured at 16 bits and at 4, or the nearest to it. */
  readonly gain: string;
}

/** Ways of measuring that are drawn. */
const mostShown = 6;

/** The times of rows, those with most rows first; empty where none were measured. */
export function findTimes(rows: readonly ResultRow[]): Times[] {
  const measured = rows.filter((row) => row.key.task === "latency" && row.metrics["msPerToken"] !== undefined);
  const ways = groupBy(measured, ({ key, machine, kernels }) =>
    JSON.stringify([key.taskVersion, key.dataHash, key.profile, key.computeType, key.versions, machine, kernels]),
  );
  return [...ways.values()]
    .sort((a, b) => b.length - a.length)
    .slice(0, mostShown)
    .map((same) => {
      const points = placePoints(same, time).filter((point) => point.value > 0);
      const [{ key, machine, kernels }] = same;
      const profile = cleanText(key.profile, 60)
        .replace(/-(?=\d)/g, " ")
        .replaceAll("-", ", ");
      return {
        conditions: `${profile}; ${cleanText(kernels, 40)} kernels, ${key.computeType}, on ${cleanText(machine, 60)}`,
        curves: buildCurves(points, time),
        shown: { points, count: "all" as const, series: { family: "all", task: "latency", metric: time } },
        gain: writeGain(points),
      };
    })
    .filter(({ shown }) => shown.points.length > 1);
}

// Of the largest model that was measured at 16 bits and below: its fastest spec nearest to 4 bits beside 16.
function writeGain(points: readonly Point[]): string {
  const models = [...groupBy(points, (point) => modelKey(point.row)).values()].filter(
    (same) => same.some(isBaseline) && !same.every(isBaseline),
  );
  if (models.length === 0) return "";
  const largest = models.reduce((a, b) => (b[0].row.model.parameters > a[0].row.model.parameters ? b : a));
  const distance = ({ row }: Point) => Math.abs(row.bitsPerWeight - 4);
  const quantized = largest.filter((point) => !isBaseline(point));
  const nearest = Math.min(...quantized.map(distance));
  const fewer = pickBest(
    quantized.filter((point) => distance(point) === nearest),
    time,
  );
  const plain = pickBest(largest.filter(isBaseline), time);
  const name = cleanText(fewer.row.model.name, 40);
  return (
    `${name} takes ${formatMilliseconds(plain.value)} a token at ${formatPrecision(plain.row.bitsPerWeight)} and ` +
    `${formatMilliseconds(fewer.value)} at ${cleanText(fewer.row.key.spec, 40)}: ${(plain.value / fewer.value).toFixed(1)} times as fast ` +
    `with ${(plain.bits / fewer.bits).toFixed(1)} times fewer bits.`
  );
}

/** The section of times; empty where none were measured. */
export function renderTimes(rows: readonly ResultRow[]): string {
  const figures = findTimes(rows).map(({ conditions, curves, shown, gain }) =>
    renderFigure({
      name: "time",
      series: shown.series,
      draw: (size) => drawTimes(curves, shown, size),
      caption: `<b>Time a token against total model bits</b>: ${escapeHtml(conditions)}. One line a precision, one point a model at its fastest spec; dashed: in proportion to bits. ${escapeHtml(gain)}`,
      lines: curves.map(({ bitsPerWeight, points }) => ({ label: formatPrecision(bitsPerWeight), points })),
    }),
  );
  if (figures.length === 0) return "";
  const [first, ...others] = figures;
  const folded =
    others.length === 0
      ? ""
      : `<details><summary>Measured in other ways <span>${others.length} more</span></summary>${others.join("\n")}</details>`;
  return `<section><h2>Time a token</h2>\n${first}${folded}</section>`;
}

function isBaseline({ row }: Point): boolean {
  return row.bitsPerWeight >= 16;
}

function formatMilliseconds(milliseconds: number): string {
  return `${Number(milliseconds.toPrecision(3))} ms`;
}
