// The plane that both figures are drawn on: scales, axes with ticks that people read, and the marks' texts.
// Which points and lines stand on it is said in figure.ts.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { chooseBudgets } from "../scaling/budgets.ts";
import type { Point } from "../scaling/curves.ts";
import { describeCount } from "./headline.ts";
import type { LabelFrame, PlacedLabel } from "./labels.ts";
import { cleanText } from "./text.ts";
import { traceRows } from "./trace.ts";
import { formatMeasured, formatMetric, formatParameters, formatSize } from "./units.ts";
import { maxOf, minOf, type Shown, viewOf } from "./view.ts";

/** Width and height of a figure in CSS pixels. */
export interface FigureSize {
  readonly width: number;
  readonly height: number;
}

/** What the page's script knows of a figure's scales, to zoom it. */
export interface FrameFacts {
  /** Left, top, right and bottom of the plane, in pixels. */
  readonly box: readonly [number, number, number, number];
  /** Values at the left and right edge; the scale is logarithmic. */
  readonly x: readonly [number, number];
  /** Values at the bottom and top edge. */
  readonly y: readonly [number, number];
  readonly isLogY: boolean;
  /** `bytes`: values of the x axis are bits and shown as bytes. */
  readonly unit: string;
}

/** Scales and edges of a figure. */
export interface Frame {
  readonly size: FigureSize;
  /** Smallest and largest size, in bits. */
  readonly domain: readonly [number, number];
  /** Smallest and largest value in view. */
  readonly values: readonly [number, number];
  /** The value at the edge behind which worse points lie. */
  readonly edge: number;
  readonly worseIsUp: boolean;
  readonly isLogY: boolean;
  /** Of the x axis: `bytes`, or empty. */
  readonly unit: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Ticks of the x axis and their texts. */
  readonly ticks: readonly number[];
  formatTick(at: number): string;
  /** Where labels may stand, in pixels. */
  readonly labels: LabelFrame;
  x(bits: number): number;
  y(value: number): number;
  clampY(value: number): number;
}

const margin = { top: 34, right: 26, bottom: 44, left: 50 };

/**
 * The frame that shows an answer's points. Values much worse than the worst 16-bit model (by more than 0.4 of the span
 * of the 16-bit models) lie beyond its edge, or a broken precision would press all others into a line.
 */
export function createFrame(answer: Shown, size: FigureSize): Frame {
  const bits = answer.points.map((point) => point.bits);
  const domain = [minOf(bits) / 1.12, maxOf(bits) * 1.12] as const;
  const name = describeCount(answer.count);
  return createPlane(answer, size, {
    domain,
    unit: "bytes",
    xLabel: `${name.charAt(0).toUpperCase()}${name.slice(1)}, as bytes`,
    ticks: chooseBudgets(domain[0], domain[1], size.width < 500 ? 4 : 7),
    formatTick: formatSize,
  });
}

/** The same values over bits a weight. */
export function createBitsFrame(answer: Shown, size: FigureSize): Frame {
  const widths = [...new Set(answer.points.map((point) => point.row.bitsPerWeight))].sort((a, b) => a - b);
  const domain = [widths[0] / 1.08, widths[widths.length - 1] * 1.08] as const;
  return createPlane(answer, size, { domain, unit: "", xLabel: "Bits a weight", ticks: widths, formatTick: String });
}

/** Time a token over total model bits, both logarithmic. */
export function createTimeFrame(shown: Shown, size: FigureSize): Frame {
  const values = shown.points.map((point) => point.value);
  const bits = shown.points.map((point) => point.bits);
  const domain = [minOf(bits) / 1.12, maxOf(bits) * 1.12] as const;
  return createScales(size, {
    domain,
    unit: "bytes",
    xLabel: "Total model bits, as bytes",
    ticks: chooseBudgets(domain[0], domain[1], size.width < 500 ? 4 : 7),
    formatTick: formatSize,
    values: [minOf(values) / 1.3, maxOf(values) * 1.1],
    worseIsUp: true,
    isLogY: true,
    yLabel: `${formatMetric(shown.series.metric)} (lower is better)`,
  });
}

function createPlane(
  answer: Shown,
  size: FigureSize,
  axis: Pick<Frame, "domain" | "unit" | "xLabel" | "ticks" | "formatTick">,
): Frame {
  const worseIsUp = answer.series.metric.better === "lower";
  const better = worseIsUp ? "lower is better" : "higher is better";
  const yLabel = `${formatMetric(answer.series.metric)} (${better})`;
  return createScales(size, { ...axis, values: viewOf(answer, worseIsUp), worseIsUp, isLogY: false, yLabel });
}

/** A frame of the given domain and range. */
function createScales(size: FigureSize, facts: Omit<Frame, "size" | "edge" | "labels" | "x" | "y" | "clampY">): Frame {
  const { domain, values, worseIsUp, isLogY } = facts;
  const { width, height } = size;
  const share = (at: number, [low, high]: readonly [number, number], isLog: boolean) =>
    isLog ? Math.log(at / low) / Math.log(high / low) : (at - low) / (high - low);
  return {
    ...facts,
    size,
    edge: values[worseIsUp ? 1 : 0],
    labels: { left: margin.left, right: width - 4, top: margin.top, bottom: height - margin.bottom - 4 },
    x: (at) => margin.left + share(at, domain, true) * (width - margin.left - margin.right),
    y: (value) => height - margin.bottom - share(value, values, isLogY) * (height - margin.top - margin.bottom),
    clampY: (value) => Math.min(values[1], Math.max(values[0], value)),
  };
}

/** A figure with axes and the given marks, as an SVG element. */
export function startFigure(frame: Frame, marks: readonly Plot.Markish[]): Element {
  const { width, height } = frame.size;
  const ticks = frame.isLogY ? listRound(frame.values) : 6;
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const figure = Plot.plot({
    document: document as unknown as Document,
    className: "figure",
    width,
    height,
    marginTop: margin.top,
    marginRight: margin.right,
    marginBottom: margin.bottom,
    marginLeft: margin.left,
    x: { type: "log", domain: [...frame.domain], label: null },
    y: { type: frame.isLogY ? "log" : "linear", domain: [...frame.values], label: null },
    marks: [
      Plot.gridY({ ticks, stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.ruleY([frame.values[0]], { stroke: "var(--muted)" }),
      Plot.axisX([...frame.ticks], {
        text: frame.formatTick,
        tickSize: 5,
        stroke: "var(--muted)",
        fill: "var(--muted)",
      }),
      Plot.axisY({ ticks, tickSize: 0, fill: "var(--muted)", ...(frame.isLogY && { tickFormat: formatPlain }) }),
      ...marks,
    ],
  }) as unknown as Element;
  figure.querySelector("style")?.remove();
  gatherMarks(figure);
  figure.setAttribute("data-frame", JSON.stringify(factsOf(frame)));
  addText(figure, { text: frame.yLabel, x: 2, y: 14, color: "var(--ink)", anchor: "start" }, "axis-title");
  const middle = (margin.left + width - margin.right) / 2;
  addText(
    figure,
    { text: frame.xLabel, x: middle, y: height - 6, color: "var(--ink)", anchor: "middle" },
    "axis-title",
  );
  return figure;
}

// 1, 2 and 5 times powers of ten within a range.
function listRound([low, high]: readonly [number, number]): number[] {
  const first = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => 10 ** (first + i));
  return powers.flatMap((power) => [power, 2 * power, 5 * power]).filter((at) => at >= low && at <= high);
}

// 0.05, 20, 1000: without exponents or units.
function formatPlain(value: number): string {
  return String(Number(value.toPrecision(3)));
}

// Everything that lies on the plane in one group, after the axes.
function gatherMarks(figure: Element): void {
  const group = figure.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "g");
  group.setAttribute("class", "marks");
  const after = figure.querySelector("[aria-label='y-axis tick label']")!;
  while (after.nextElementSibling !== null) group.append(after.nextElementSibling);
  figure.append(group);
}

function factsOf({ size: { width, height }, domain, values, isLogY, unit }: Frame): FrameFacts {
  const box = [margin.left, margin.top, width - margin.right, height - margin.bottom] as const;
  return { box, x: domain, y: values, isLogY, unit };
}

/** A text of a figure with where `x` holds it. */
export interface FigureText extends PlacedLabel {
  readonly anchor: "start" | "middle" | "end";
}

/**
 * Adds labels, and to every point what it is and which rows it shows; returns the SVG as text.
 *
 * @param beyond - the frame, where points lie beyond its edge: says what the triangles are
 */
export function finishFigure(
  figure: Element,
  description: string,
  marks: readonly { readonly selector: string; readonly points: readonly Point[] }[],
  labels: readonly FigureText[],
  answer: Shown,
  beyond?: Pick<Frame, "worseIsUp">,
  describe: (point: Point) => string = (point) => describePoint(point, answer),
): string {
  for (const { selector, points } of marks) {
    const shapes = figure.querySelectorAll(`${selector} circle, ${selector} path, circle${selector}, path${selector}`);
    points.forEach((point, i) => {
      const shape = shapes[i];
      shape.setAttribute("class", "point");
      shape.setAttribute("data-rows", traceRows([point.row]).join(" "));
      const title = figure.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = describe(point);
      shape.append(title);
    });
  }
  for (const label of labels) addText(figure, label, "label");
  if (beyond !== undefined) {
    const text = `${beyond.worseIsUp ? "▲" : "▼"} beyond the view`;
    addText(figure, { text, x: 2, y: 29, color: "var(--muted)", anchor: "start" }, "axis-title");
  }
  figure.setAttribute("role", "group");
  figure.setAttribute("aria-label", description);
  figure.removeAttribute("font-family");
  return figure.outerHTML;
}

/** What a point is, a line a fact. */
function describePoint(point: Point, answer: Shown): string {
  const { row, bits, value, standardError } = point;
  const { metric } = answer.series;
  return [
    `${cleanText(row.model.name, 60)} at ${cleanText(row.key.spec, 60)}`,
    `${metric.label} ${formatMeasured(value, standardError)}`,
    `${formatSize(bits)}, ${formatParameters(row.model.parameters)} parameters, ${(row.bits.total / row.model.parameters).toFixed(2)} bits each`,
  ].join("\n");
}

function addText(figure: Element, { text, x, y, color, anchor }: FigureText, className: string): void {
  const element = figure.ownerDocument.createElementNS("http://www.w3.org/2000/svg", "text");
  element.setAttribute("class", className);
  element.setAttribute("x", x.toFixed(1));
  element.setAttribute("y", y.toFixed(1));
  element.setAttribute("fill", color);
  element.setAttribute("text-anchor", anchor);
  element.textContent = text;
  figure.append(element);
}
