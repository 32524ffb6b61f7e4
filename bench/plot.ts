// The paper's premise as a figure: time a token against stored bits, and throughput against batch size.
//
//   npm run bench -- --only bits,batch --plot      measures both, keeps them in bench/latency.json, and draws
//   node bench/plot.ts                             draws bench/latency.json anew into docs/images/latency.svg

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { colorOf, declareColors } from "../src/report/colors.ts";
import { benchFolder } from "./llama-shape.ts";
import type { Figures } from "./measure.ts";

/** What `decode_bits_efficiency` says of a spec. */
interface BitsFigure {
  readonly bits: number;
  readonly millisecondsPerToken: number;
}

const dataPath = join(benchFolder, "latency.json");
const imagePath = join(benchFolder, "../docs/images/latency.svg");
const panel = { width: 380, height: 300, marginTop: 34, marginRight: 24, marginBottom: 40, marginLeft: 44 };
const colors = (mode: "light" | "dark") =>
  mode === "light"
    ? `--paper:#fff;--ink:#1b1b1f;--muted:#65656d;--rule:#e6e6ea;${declareColors(mode)}`
    : `--paper:#141518;--ink:#ececf0;--muted:#9d9da8;--rule:#2c2d33;${declareColors(mode)}`;

/** Keeps the figures and draws them. */
export function plotLatency(figures: Figures): void {
  writeFileSync(dataPath, `${JSON.stringify(figures, null, 2)}\n`);
  writeFileSync(imagePath, drawLatency(figures));
}

/** An SVG of both panels in the reader's colours, light or dark. */
export function drawLatency(figures: Figures): string {
  const bits = Object.entries(figures.decode_bits_efficiency as Record<string, BitsFigure | number>)
    .filter((entry): entry is [string, BitsFigure] => typeof entry[1] === "object")
    .map(([, figure]) => figure);
  const panels = [drawBits(bits), drawBatches(figures.throughput_by_batch as Record<string, unknown>)];
  const { processor, threads } = figures.machine as { processor: string; threads: number };
  const placed = panels.map((svg, i) => `<g transform="translate(${i * panel.width},0)">${svg}</g>`);
  const [width, height] = [panels.length * panel.width, panel.height + 18];
  const note = `1.1 B weights, ${processor}, ${threads} threads, 16-bit activations`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `role="img" aria-label="Time a token against stored bits, and tokens a second against batch size">` +
    `<style>svg{${colors("light")}}@media(prefers-color-scheme:dark){svg{${colors("dark")}}}` +
    `text{font:11px ui-sans-serif,system-ui,sans-serif;fill:var(--muted)}.title{font-weight:600;fill:var(--ink)}` +
    `</style><rect width="100%" height="100%" fill="var(--paper)"/>${placed.join("")}` +
    `<text x="${panel.marginLeft}" y="${height - 8}">${note}</text></svg>\n`
  );
}

/** A panel as the inside of an SVG. */
function draw(options: Plot.PlotOptions, title: string, xLabel: string): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const figure = Plot.plot({ ...options, ...panel, document: document as unknown as Document });
  figure.querySelector("style")?.remove();
  const middle = (panel.marginLeft + panel.width - panel.marginRight) / 2;
  return (
    `${(figure as unknown as Element).innerHTML}<text class="title" x="8" y="16">${title}</text>` +
    `<text class="title" x="${middle}" y="${panel.height - 6}" text-anchor="middle">${xLabel}</text>`
  );
}

function drawBits(figures: readonly BitsFigure[]): string {
  const widest = figures.reduce((a, b) => (b.bits > a.bits ? b : a));
  const slope = widest.millisecondsPerToken / widest.bits;
  const ideal = [0, widest.bits].map((bits) => ({ bits, ms: slope * bits }));
  const most = Math.max(...figures.map(({ millisecondsPerToken }) => millisecondsPerToken));
  return draw(
    {
      x: { domain: [0, widest.bits + 1], label: null },
      y: { domain: [0, most * 1.05], label: null },
      marks: [
        Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1 }),
        Plot.axisX({ ticks: [0, 2, 4, 6, 8, 16], tickSize: 4, stroke: "var(--muted)" }),
        Plot.axisY({ ticks: 5, tickSize: 0 }),
        Plot.line(ideal, { x: "bits", y: "ms", stroke: "var(--muted)", strokeDasharray: "4 4" }),
        Plot.dot(figures, {
          x: "bits",
          y: "millisecondsPerToken",
          r: 3.5,
          fill: (figure: BitsFigure) => colorOf(Math.floor(figure.bits)),
        }),
        Plot.text([{ bits: widest.bits * 0.68, ms: slope * widest.bits * 0.68 }], {
          x: "bits",
          y: "ms",
          text: () => "in proportion to bits",
          textAnchor: "end",
          dx: -16,
        }),
      ],
    },
    "Milliseconds a token",
    "stored bits a weight",
  );
}

function drawBatches({ batches, crossover, ...bySpec }: Record<string, unknown>): string {
  const sizes = batches as number[];
  const lines = Object.entries(bySpec).map(([spec, speeds]) => {
    const bits = spec.startsWith("int4") ? 4 : 16;
    return { bits, points: sizes.map((batch, i) => ({ batch, speed: (speeds as number[])[i] })) };
  });
  const all = lines.flatMap(({ points }) => points.map(({ speed }) => speed));
  const [low, high] = [Math.min(...all) * 0.7, Math.max(...all) * 1.25];
  const ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].filter((tick) => tick >= low && tick <= high);
  const stop = crossover as number | null;
  return draw(
    {
      x: { type: "log", base: 2, domain: [sizes[0], sizes.at(-1)!], label: null },
      y: { type: "log", domain: [low, high], label: null },
      marks: [
        Plot.gridY({ ticks, stroke: "var(--rule)", strokeOpacity: 1 }),
        Plot.axisX(sizes, { text: String, tickSize: 4, stroke: "var(--muted)" }),
        Plot.axisY({ ticks, tickSize: 0, tickFormat: "d" }),
        ...(stop === null
          ? []
          : [
              Plot.ruleX([stop], { stroke: "var(--muted)", strokeDasharray: "4 4" }),
              Plot.text([{ batch: stop }], {
                x: "batch",
                y: low * 1.15,
                text: () => "from here less than 1.5 x",
                textAnchor: stop > 16 ? "end" : "start",
                dx: stop > 16 ? -5 : 5,
              }),
            ]),
        ...lines.flatMap(({ bits, points }) => [
          Plot.line(points, { x: "batch", y: "speed", stroke: colorOf(bits), strokeWidth: 2 }),
          Plot.dot(points, { x: "batch", y: "speed", fill: colorOf(bits), r: 3 }),
          Plot.text(points.slice(0, 1), {
            x: "batch",
            y: "speed",
            text: () => `${bits}-bit`,
            fill: colorOf(bits),
            textAnchor: "start",
            dx: 6,
            dy: bits === 4 ? -16 : 12,
          }),
        ]),
      ],
    },
    "Tokens a second, all sequences together",
    "sequences at once",
  );
}

if (import.meta.main) plotLatency(JSON.parse(readFileSync(dataPath, "utf8")));
