// The frontier as a figure: every measured point, and the steps of what can be chosen at each budget.

import * as Plot from "@observablehq/plot";
import type { Answer } from "../scaling/answer.ts";
import type { Point } from "../scaling/curves.ts";
import { groupBy, modelKey } from "../scaling/series.ts";
import { colorOf } from "./colors.ts";
import { createFrame, type FigureSize, type Frame, finishFigure, startFigure } from "./frame.ts";
import { describeSeries } from "./headline.ts";
import { keepFree, type PlacedLabel } from "./labels.ts";
import { cleanText } from "./text.ts";
import { traceRows } from "./trace.ts";
import { isInView } from "./view.ts";

/** Every measured point, and the steps of those that no smaller point equals: what to choose at each budget. */
export function drawFrontier(answer: Answer, size: FigureSize): string {
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
    answer,
    answer.points.some((point) => !isInView(frame, point.value)) ? frame : undefined,
  );
}

// Points that were measured but lie behind the frontier, as one path a precision: thousands of them cost little. Those
// beyond the view are triangles at its edge.
function addCloud(figure: Element, frame: Frame, points: readonly Point[]): void {
  const document = figure.ownerDocument;
  const cloud = document.createElementNS("http://www.w3.org/2000/svg", "g");
  cloud.setAttribute("class", "cloud");
  const visible = points.filter((point) => isInView(frame, point.value));
  for (const [bits, same] of groupBy(visible, (point) => String(point.row.bitsPerWeight))) {
    const places = groupBy(same, (point) => `M${frame.x(point.bits).toFixed(1)},${frame.y(point.value).toFixed(1)}h0`);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", [...places.keys()].join(""));
    path.setAttribute("stroke", colorOf(Number(bits)));
    const ids = [...places.values()].map(([point]) => traceRows([point.row]).join(" "));
    if (frame.size.width >= 500) path.setAttribute("data-cloud", ids.join(",")); // for a pointer, place by place
    cloud.append(path);
  }
  const outside = points.filter((point) => !isInView(frame, point.value));
  for (const [bits, same] of groupBy(outside, (point) => String(point.row.bitsPerWeight))) {
    const tip = frame.worseIsUp ? -5 : 5;
    const edge = frame.y(frame.edge);
    const places = new Set(
      same.map((point) => `M${frame.x(point.bits).toFixed(1)},${(edge + tip).toFixed(1)}l4.5,${-1.6 * tip}h-9z`),
    );
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("class", "beyond");
    path.setAttribute("d", [...places].join(""));
    path.setAttribute("fill", colorOf(Number(bits)));
    cloud.append(path);
  }
  figure.querySelector(".marks")!.insertBefore(cloud, figure.querySelector(".points"));
}

function colorOfPoint(point: Point): string {
  return colorOf(point.row.bitsPerWeight);
}
