// The figures as SVG: the metric against total model bits with a line a precision (the paper's Figure 1) or a line a
// choice, against bits a weight; time a token against size. Drawn by Observable Plot on a document that exists only in memory.
// Colours are CSS custom properties of the page, so that one drawing serves light, dark and paper.

import * as Plot from "@observablehq/plot";
import type { Answer } from "../scaling/answer.ts";
import { type BitsLaw, type LawPoint, mostModels } from "../scaling/bits-law.ts";
import type { Curve, Point } from "../scaling/curves.ts";
import type { MetricFacts } from "../scaling/metrics.ts";
import { groupBy, modelKey } from "../scaling/series.ts";
import { compareErrors } from "../scaling/side-by-side.ts";
import type { Variants } from "../scaling/variants.ts";
import { colorOf, kindColor, stepColor } from "./colors.ts";
import {
  createBitsFrame,
  createFrame,
  createTimeFrame,
  type FigureSize,
  type Frame,
  finishFigure,
  startFigure,
} from "./frame.ts";
import { describeSeries } from "./headline.ts";
import { placeBeside, placeLabels } from "./labels.ts";
import { cleanText } from "./text.ts";
import { formatParameters } from "./units.ts";
import { isInView, readErrors, type Shown } from "./view.ts";

/** The metric against total model bits: one line a precision, labelled at its end; points beyond the view at its edge. */
export function drawCurves(answer: Answer, size: FigureSize): string {
  const lines = answer.curves.map(({ bitsPerWeight, points }) => nameCurve(bitsPerWeight, points));
  return drawLines(
    createFrame(answer, size),
    lines,
    `${describeSeries(answer)} against size, one line a precision`,
    answer,
  );
}

/** Choices that differ in one thing, a line each, and the unquantized models. */
export function drawVariants(variants: Variants, answer: Answer, size: FigureSize): string {
  const baseline = answer.curves.filter((curve) => curve.bitsPerWeight >= 16);
  const color = variants.choice === "block" ? stepColor : kindColor;
  const lines = [
    ...variants.lines.map(({ label, points }, i) => ({
      label: cleanText(label, 20),
      short: cleanText(label, 20),
      color: color(i, variants.lines.length),
      width: 2,
      points,
    })),
    ...(variants.oneBitMore ? [nameCurve(variants.bitsPerWeight + 1, variants.oneBitMore)] : []),
    ...baseline.map(({ bitsPerWeight, points }) => nameCurve(bitsPerWeight, points)),
  ];
  const shown = { ...answer, points: lines.flatMap((line) => line.points), curves: undefined };
  const what = `${describeSeries(answer)} at ${variants.bitsPerWeight} bits against size, one line a choice`;
  return drawLines(createFrame(shown, size), lines, what, shown, undefined, { isBeside: true });
}

/**
 * The metric against bits a weight, one line a model: the law with its band and what was measured of its kind of spec;
 * without a law the best spec of each precision.
 */
export function drawModels(answer: Answer, law: BitsLaw | null, size: FigureSize): string {
  const all: readonly { readonly points: readonly Point[]; readonly law?: readonly LawPoint[] }[] =
    law?.models ?? listModels(answer);
  const models = all.slice(0, mostModels);
  const lines = models.map(({ points, law: said }, i) => ({
    label: cleanText(points[0].row.model.name, 14),
    short: formatParameters(points[0].row.model.parameters),
    color: stepColor(i, models.length),
    width: 2,
    points,
    law: said,
  }));
  const shown = { ...answer, points: lines.flatMap((line) => line.points), curves: undefined };
  const what = `${describeSeries(answer)} against bits a weight, one line a model`;
  return drawLines(createBitsFrame(shown, size), lines, what, shown, (point) => point.row.bitsPerWeight);
}

/**
 * Time a token against total model bits, both on logarithmic scales, one line a precision; dashed what it would be in
 * proportion to bits, from the slowest unquantized model (else the slowest of all) down.
 */
export function drawTimes(curves: readonly Curve[], shown: Shown, size: FigureSize): string {
  const lines = curves.map(({ bitsPerWeight, points }) => nameCurve(bitsPerWeight, points));
  const frame = createTimeFrame(shown, size);
  const widest = curves.filter((curve) => curve.bitsPerWeight >= 16).flatMap((curve) => curve.points);
  const from = (widest.length > 0 ? widest : shown.points).reduce((a, b) => (b.value > a.value ? b : a));
  const low = Math.max(frame.domain[0], (from.bits * frame.values[0]) / from.value);
  const proportion = [low, from.bits].map((bits) => ({ bits, value: (from.value * bits) / from.bits }));
  return drawLines(frame, lines, "Time a token against size, one line a precision", shown, undefined, {
    behind: [
      Plot.line(proportion, { x: "bits", y: "value", stroke: "var(--muted)", strokeWidth: 1, strokeDasharray: "4 4" }),
    ],
  });
}

function listModels({ curves }: Answer): { readonly points: readonly Point[] }[] {
  const points = curves.flatMap((curve) => curve.points);
  const models = [...groupBy(points, (point) => modelKey(point.row)).values()];
  models.sort((a, b) => a[0].row.model.parameters - b[0].row.model.parameters);
  return models.map((same) => ({ points: same.sort((a, b) => a.row.bitsPerWeight - b.row.bitsPerWeight) }));
}

/** A line of a figure. */
interface Line {
  readonly label: string;
  readonly short: string;
  readonly color: string;
  readonly width: number;
  readonly points: readonly Point[];
  /** Drawn in place of what joins the points. */
  readonly law?: readonly LawPoint[];
}

function nameCurve(bitsPerWeight: number, points: readonly Point[]): Line {
  const width = bitsPerWeight >= 16 ? 1.5 : 2;
  return { label: `${bitsPerWeight}-bit`, short: String(bitsPerWeight), color: colorOf(bitsPerWeight), width, points };
}

function drawLines(
  frame: Frame,
  named: readonly Line[],
  what: string,
  answer: Shown,
  place: (point: Point) => number = (point) => point.bits,
  { behind = [], isBeside = false }: { behind?: readonly Plot.Markish[]; isBeside?: boolean } = {},
): string {
  const errorOf = readErrors(
    named.flatMap((line) => line.points.filter((point) => isInView(frame, point.value))),
    answer.series.metric,
  );
  const lines = named.map((line) => {
    const marks = line.points.map((point) => ({
      point,
      bits: place(point),
      value: point.value,
      error: errorOf(point),
      color: line.color,
    }));
    const law = line.law?.map(({ bitsPerWeight, value, interval }) => ({ bits: bitsPerWeight, value, interval }));
    const band = outlineBand(law ?? marks.map(spreadMark), frame);
    return { ...line, marks, band, path: clipLine(law ?? marks, frame) };
  });
  const marks = lines.flatMap((line) => line.marks);
  const inside = marks.filter((mark) => isInView(frame, mark.value));
  const outside = marks.filter((mark) => !isInView(frame, mark.value));
  // What no band shows: a point alone, or beside a law, whose band is another.
  const errors = lines
    .filter((line) => line.law !== undefined || line.points.length < 2)
    .flatMap((line) => line.marks)
    .filter((mark) => mark.error !== null && isInView(frame, mark.value));
  const figure = startFigure(frame, [
    ...behind,
    Plot.ruleX(errors, {
      x: "bits",
      y1: ({ value, error }: Mark) => frame.clampY(value - error!),
      y2: ({ value, error }: Mark) => frame.clampY(value + error!),
      stroke: colorOfMark,
      strokeOpacity: 0.75,
      strokeWidth: 1.75,
    }),
    ...lines.map(({ path, color, width }) =>
      Plot.line(path, { x: "bits", y: "value", stroke: color, strokeWidth: width }),
    ),
    Plot.dot(inside, { x: "bits", y: "value", r: 3.25, fill: colorOfMark, className: "points" }),
    Plot.dot(outside, {
      x: "bits",
      y: frame.edge,
      r: 4,
      symbol: "triangle",
      rotate: frame.worseIsUp ? 0 : 180,
      fill: colorOfMark,
      className: "beyond",
    }),
  ]);
  addBands(figure, frame, lines);
  const ends = lines
    .filter(({ path }) => path.length > 0)
    .map(({ label, short, color, path }) => {
      const end = path[path.length - 1];
      return { text: label, short, x: frame.x(end.bits), y: frame.y(end.value), color };
    });
  const labels = isBeside
    ? placeBeside(ends, frame.labels)
    : placeLabels(ends, frame.worseIsUp ? 17 : -10, frame.labels).map((label) => ({
        ...label,
        anchor: "middle" as const,
      }));
  return finishFigure(
    figure,
    `${what}: ${lines.length} lines, ${marks.length} points.`,
    [
      { selector: ".points", points: inside.map((mark) => mark.point) },
      { selector: ".beyond", points: outside.map((mark) => mark.point) },
    ],
    labels,
    answer,
    outside.length > 0 ? frame : undefined,
  );
}

/** A point where it stands in a figure. */
interface Mark {
  readonly point: Point;
  readonly bits: number;
  readonly value: number;
  readonly error: number | null;
  readonly color: string;
}

/** What the bands of a figure with these points in view show; undefined where there are none. */
export function describeErrors(points: readonly Point[], metric: MetricFacts): string | undefined {
  if (compareErrors(points, metric) !== null) {
    return "one standard error of the comparison: what the documents do to all points alike is left out";
  }
  return points.some((point) => point.standardError !== null) ? "one standard error" : undefined;
}

// The outline of a band as far as it is in view: along its upper ends and back along its lower ones.
function outlineBand(
  law: readonly { readonly bits: number; readonly interval: readonly [number, number] | null }[],
  frame: Frame,
): { bits: number; value: number }[] {
  const known = law.filter(({ interval }) => interval !== null);
  const bound = (value: number) =>
    frame.worseIsUp ? Math.max(value, frame.values[0]) : Math.min(value, frame.values[1]);
  const side = (end: 0 | 1) =>
    clipLine(
      known.map(({ bits, interval }) => ({ bits, value: bound(interval![end]) })),
      frame,
    );
  return [...side(1), ...side(0).toReversed()];
}

// One standard error to both sides.
function spreadMark({ bits, value, error }: Mark) {
  const interval = error === null ? null : ([value - error, value + error] as const);
  return { bits, value, interval };
}

function addBands(
  figure: Element,
  frame: Frame,
  lines: readonly { readonly band: readonly { bits: number; value: number }[]; readonly color: string }[],
): void {
  const bands = figure.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "g");
  bands.setAttribute("class", "bands");
  for (const { band, color } of lines) {
    if (band.length < 3) continue;
    const path = figure.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "path");
    const places = band.map(({ bits, value }) => `${frame.x(bits).toFixed(1)},${frame.y(value).toFixed(1)}`);
    path.setAttribute("d", `M${places.join("L")}Z`);
    path.setAttribute("fill", color);
    path.setAttribute("fill-opacity", lines.length > 5 ? "0.09" : "0.16"); // many lie over each other
    bands.append(path);
  }
  figure.querySelector(".marks")!.prepend(bands);
}

function colorOfMark({ color }: Mark): string {
  return color;
}

// The part of a line that lies in view, cut where it crosses the edge.
function clipLine(points: readonly Pick<Mark, "bits" | "value">[], frame: Frame): { bits: number; value: number }[] {
  const path: { bits: number; value: number }[] = [];
  points.forEach((point, i) => {
    const before = points[i - 1];
    if (before !== undefined && isInView(frame, before.value) !== isInView(frame, point.value)) {
      const t = (frame.edge - before.value) / (point.value - before.value);
      path.push({ bits: before.bits * (point.bits / before.bits) ** t, value: frame.edge });
    }
    if (isInView(frame, point.value)) path.push({ bits: point.bits, value: point.value });
  });
  return path;
}
