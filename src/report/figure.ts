// The figures as SVG: the metric against total model bits with a line a precision (the paper's Figure 1), and the
// frontier of what can be chosen. Drawn by Observable Plot on a document that exists only in memory.
// Colours are CSS custom properties of the page, so that one drawing serves light, dark and paper.

import * as Plot from "@observablehq/plot";
import type { Answer } from "../scaling/answer.ts";
import type { Curve, Point } from "../scaling/curves.ts";
import { groupBy, modelKey } from "../scaling/series.ts";
import { colorOf } from "./colors.ts";
import {
  createFrame,
  type FigureSize,
  type Frame,
  finishFigure,
  isInView,
  type RowIndex,
  startFigure,
} from "./frame.ts";
import { describeSeries } from "./headline.ts";
import { keepFree, type PlacedLabel, placeLabels } from "./labels.ts";
import { cleanText } from "./text.ts";

/** The metric against total model bits: one line a precision, labelled at its end; points beyond the view at its edge. */
export function drawCurves(answer: Answer, rows: RowIndex, size: FigureSize): string {
  const frame = createFrame(answer, size);
  const lines = answer.curves.map((curve) => ({
    curve,
    color: colorOf(curve.bitsPerWeight),
    path: clipLine(curve, frame),
  }));
  const points = answer.curves.flatMap((curve) => curve.points);
  const inside = points.filter((point) => isInView(frame, point.value));
  const outside = points.filter((point) => !isInView(frame, point.value));
  const errors = inside.filter((point) => point.standardError !== null);
  const figure = startFigure(frame, [
    Plot.ruleX(errors, {
      x: "bits",
      y1: (point: Point) => frame.clampY(point.value - point.standardError!),
      y2: (point: Point) => frame.clampY(point.value + point.standardError!),
      stroke: colorOfPoint,
      strokeOpacity: 0.45,
    }),
    ...lines.map(({ path, color, curve }) =>
      Plot.line(path, { x: "bits", y: "value", stroke: color, strokeWidth: curve.bitsPerWeight >= 16 ? 1.5 : 2 }),
    ),
    Plot.dot(inside, { x: "bits", y: "value", r: 3.25, fill: colorOfPoint, className: "points" }),
    Plot.dot(outside, {
      x: "bits",
      y: frame.edge,
      r: 4,
      symbol: "triangle",
      rotate: frame.worseIsUp ? 0 : 180,
      fill: colorOfPoint,
      className: "beyond",
    }),
  ]);
  const ends = lines
    .filter(({ path }) => path.length > 0)
    .map(({ curve, color, path }) => {
      const end = path[path.length - 1];
      const text = `${curve.bitsPerWeight}-bit`;
      return { text, short: String(curve.bitsPerWeight), x: frame.x(end.bits), y: frame.y(end.value), color };
    });
  const labels = placeLabels(ends, frame.worseIsUp ? 17 : -10, frame.labels);
  const what = `${describeSeries(answer)} against size, one line a precision: ${answer.curves.length} lines, ${points.length} points.`;
  return finishFigure(
    figure,
    what,
    [
      { selector: ".points", points: inside },
      { selector: ".beyond", points: outside },
    ],
    labels.map((label) => ({ ...label, anchor: "middle" })),
    rows,
    answer,
  );
}

/** Every measured point, and the steps of those that no smaller point equals: what to choose at each budget. */
export function drawFrontier(answer: Answer, rows: RowIndex, size: FigureSize): string {
  const frame = createFrame(answer, size);
  const { frontier } = answer;
  const steps = frontier.filter((point) => isInView(frame, point.value)).map(({ bits, value }) => ({ bits, value }));
  if (steps.length > 0) steps.push({ bits: frame.domain[1], value: steps[steps.length - 1].value });
  const shown = frontier.filter((point) => isInView(frame, point.value));
  const figure = startFigure(frame, [
    Plot.line(steps, { x: "bits", y: "value", curve: "step-after", stroke: "var(--ink)", strokeWidth: 1.25 }),
    Plot.dot(shown, { x: "bits", y: "value", r: 4, fill: colorOfPoint, className: "points" }),
  ]);
  addCloud(figure, frame, answer.points);
  const dy = frame.worseIsUp ? 15 : -8;
  const names = shown.filter((point, i) => i === 0 || modelKey(shown[i - 1].row) !== modelKey(point.row));
  // Below the steps there is nothing; a name without room there goes above them.
  const labels = names.map((point): PlacedLabel => {
    const text = cleanText(point.row.model.name, size.width < 500 ? 12 : 20);
    const half = text.length * 3.4;
    const below = frame.x(point.bits) - 7 - half;
    const y = frame.y(point.value);
    if (below - half >= frame.labels.left) return { text, x: below, y: y + dy, color: "var(--ink)" };
    return { text, x: frame.x(point.bits) + 9 + half, y: y - dy / 2, color: "var(--ink)" };
  });
  const what = `Frontier of ${describeSeries(answer)}: ${frontier.length} of ${answer.points.length} measured points.`;
  return finishFigure(
    figure,
    what,
    [{ selector: ".points", points: shown }],
    keepFree(labels).map((label) => ({ ...label, anchor: "middle" })),
    rows,
    answer,
  );
}

// Points that were measured but lie behind the frontier, as one path a precision: thousands of them cost little.
function addCloud(figure: Element, frame: Frame, points: readonly Point[]): void {
  const document = figure.ownerDocument;
  const cloud = document.createElementNS("http://www.w3.org/2000/svg", "g");
  cloud.setAttribute("class", "cloud");
  const visible = points.filter((point) => isInView(frame, point.value));
  for (const [bits, same] of groupBy(visible, (point) => String(point.row.bitsPerWeight))) {
    const places = new Set(
      same.map((point) => `M${frame.x(point.bits).toFixed(1)},${frame.y(point.value).toFixed(1)}h0`),
    );
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", [...places].join(""));
    path.setAttribute("stroke", colorOf(Number(bits)));
    cloud.append(path);
  }
  figure.insertBefore(cloud, figure.querySelector(".points") ?? null);
}

function colorOfPoint(point: Point): string {
  return colorOf(point.row.bitsPerWeight);
}

// The part of a curve that lies in view, cut where it crosses the edge.
function clipLine(curve: Curve, frame: Frame): { bits: number; value: number }[] {
  const path: { bits: number; value: number }[] = [];
  curve.points.forEach((point, i) => {
    const before = curve.points[i - 1];
    if (before !== undefined && isInView(frame, before.value) !== isInView(frame, point.value)) {
      const t = (frame.edge - before.value) / (point.value - before.value);
      path.push({ bits: before.bits * (point.bits / before.bits) ** t, value: frame.edge });
    }
    if (isInView(frame, point.value)) path.push({ bits: point.bits, value: point.value });
  });
  return path;
}
