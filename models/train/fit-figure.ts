// Draws loss against size with the fitted law, and the residuals below it, as a picture that stands for itself.

import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** A finished run. */
export interface TrainedModel {
  readonly name: string;
  readonly family: string;
  /** What was varied: the size, or at one size the seed or the amount of training. */
  readonly kind: "size" | "seed" | "amount";
  /** Parameters outside the embedding. */
  readonly size: number;
  readonly tokens: number;
  /** Nats a token on held-out books. */
  readonly loss: number;
}

/** The sizes of a family, ascending, and the law that fits them. */
export interface FamilyFit {
  readonly family: string;
  readonly models: readonly TrainedModel[];
  readonly law: {
    readonly E: number;
    readonly A: number;
    readonly alpha: number;
    /** Standard errors, by leaving out one model each; null below five. */
    readonly errors: { readonly E: number; readonly alpha: number } | null;
    /** Of each model by the fit to the others, nats a token. */
    readonly predictions: readonly number[];
    /** Parameters that the sizes do not determine. */
    readonly atBound: readonly string[];
    predict(size: number): number;
    /** Of ln loss, measured less fitted. */
    readonly residuals: readonly number[];
  } | null;
}

const width = 720;
const margins = { marginLeft: 56, marginRight: 70, width, style: { background: "#fff", color: "#222" } };
const ticks = [1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7];
const colors = ["#0072b2", "#c04a00", "#007a5a"];

/** Two panels, one above the other, as one SVG. */
export function drawFits(fits: readonly FamilyFit[]): string {
  const { document } = parseHTML("<html><body></body></html>");
  const x = { type: "log" as const, domain: [0.08e6, 10e6], label: null, ticks, tickFormat: formatSize };
  const points = fits.flatMap(({ family, models, law }) =>
    models.map(({ size, loss }, i) => ({ family, size, loss, residual: law ? 100 * law.residuals[i] : null })),
  );
  const curve = fits.flatMap(({ family, models, law }) =>
    law === null
      ? []
      : sample(models[0].size, models[models.length - 1].size).map((size) => ({
          family,
          size,
          loss: law.predict(size),
        })),
  );
  const color = { domain: fits.map(({ family }) => family), range: colors };
  const upper = Plot.plot({
    ...margins,
    document,
    height: 340,
    marginTop: 40,
    x,
    y: { label: "Held-out loss, nats a token", grid: true, nice: true },
    color,
    marks: [
      Plot.line(curve, { x: "size", y: "loss", stroke: "family", strokeWidth: 1.5 }),
      Plot.dot(points, { x: "size", y: "loss", fill: "family", r: 4 }),
      Plot.text(
        fits.flatMap(({ family, models }) => models.slice(-1).map(({ size, loss }) => ({ family, size, loss }))),
        { x: "size", y: "loss", text: "family", fill: "family", textAnchor: "start", dx: 9, fontSize: 13 },
      ),
    ],
  });
  const lower = Plot.plot({
    ...margins,
    document,
    height: 150,
    marginTop: 26,
    marginBottom: 40,
    x: { ...x, label: "Parameters outside the embedding", labelArrow: "none" },
    y: { label: "Residual, %", grid: true, domain: symmetric(points.map(({ residual }) => residual ?? 0)) },
    color,
    marks: [
      Plot.ruleY([0], { stroke: "#888" }),
      Plot.dot(
        points.filter(({ residual }) => residual !== null),
        { x: "size", y: "residual", fill: "family", r: 4 },
      ),
    ],
  });
  const inner = (figure: Element, y: number) =>
    `<svg y="${y}" width="${width}" height="${figure.getAttribute("height")}" font-family="system-ui, sans-serif" font-size="11" text-anchor="middle" fill="currentColor">${figure.innerHTML.replace(/<style>.*?<\/style>/gs, "")}</svg>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="490" viewBox="0 0 ${width} 490" color="#222"><rect width="${width}" height="490" fill="#fff"/>${inner(upper, 0)}${inner(lower, 340)}</svg>\n`;
}

function formatSize(size: number): string {
  return size >= 1e6 ? `${size / 1e6} M` : `${size / 1e3} k`;
}

/** Sizes from one to another, evenly spaced in their logarithm. */
function sample(from: number, to: number): number[] {
  return Array.from({ length: 60 }, (_, i) => from * (to / from) ** (i / 59));
}

/** A range around zero that holds all values. */
function symmetric(values: readonly number[]): [number, number] {
  const largest = Math.max(0.5, ...values.map(Math.abs)) * 1.2;
  return [-largest, largest];
}
