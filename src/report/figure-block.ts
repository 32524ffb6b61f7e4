// A figure of the page: its drawings for wide and narrow screens, what they show, and buttons that save it.

import type { Point } from "../scaling/curves.ts";
import type { Series } from "../scaling/series.ts";
import { cleanText, escapeHtml } from "./text.ts";

/** Sizes of a figure on a desktop and on a phone. */
export const wide = { width: 760, height: 500 };
export const narrow = { width: 360, height: 400 };

/** What a figure is made of. */
export interface FigureBlock {
  /** What it shows; with family and task the name of its files. */
  readonly name: string;
  readonly series: Pick<Series, "family" | "task">;
  readonly draw: (size: { readonly width: number; readonly height: number }) => string;
  /** One drawing of this size for all screens, in place of a wide and a narrow one. */
  readonly size?: { readonly width: number; readonly height: number };
  /** HTML above the drawing. */
  readonly heading?: string;
  /** HTML. */
  readonly caption: string;
  /** HTML between drawing and caption. */
  readonly keys?: string;
  /** The data: the points of each line. */
  readonly lines: readonly { readonly label: string; readonly points: readonly Point[] }[];
}

/** The figure as HTML. */
export function renderFigure(block: FigureBlock): string {
  const { name, series, draw, size, heading = "", caption, keys = "", lines } = block;
  const drawing = (size: typeof wide, width: string) => draw(size).replace('class="figure"', `class="figure ${width}"`);
  const csv = formatLines(lines);
  const fileName = ["kbit", series.family, series.task, name].map(nameFile).join("-");
  return `<figure data-name="${fileName}" data-csv="${escapeHtml(csv)}">
${heading}${size === undefined ? `${drawing(wide, "wide")}\n${drawing(narrow, "narrow")}` : draw(size)}
${keys}
<figcaption>${caption}${renderButtons()}</figcaption>
</figure>`;
}

function nameFile(text: string): string {
  return text.replace(/[^A-Za-z0-9]+/g, "-").slice(0, 40);
}

function renderButtons(): string {
  const button = (attribute: string, text: string, label: string) =>
    `<button class="plain" type="button" ${attribute} aria-label="${label}">${text}</button>`;
  const saves = ["svg", "png", "csv"].map((kind) => {
    return button(`data-save="${kind}"`, kind.toUpperCase(), `Save this figure as ${kind.toUpperCase()}`);
  });
  const zooms = [
    button('data-zoom="in"', "+", "Zoom this figure in"),
    button('data-zoom="out" disabled', "−", "Zoom this figure out"),
    button('data-zoom="reset" disabled', "All", "Show all of this figure"),
  ];
  const title =
    "Ctrl and wheel, pinch or double-click zoom, dragging moves; with a point focused + − 0 and Shift with arrows";
  return ` <span class="saves script-only">Save as ${saves.join(" ")}</span> <span class="saves script-only" title="${title}">Zoom ${zooms.join(" ")}</span>`;
}

/** The points of lines as CSV, its lines ended as an attribute can keep them. Texts that a spreadsheet would run as a formula get an apostrophe. */
export function formatLines(lines: FigureBlock["lines"]): string {
  const quote = (text: string) => {
    const clean = cleanText(text);
    const safe = /^[=+\-@]/.test(clean) ? `'${clean}` : clean;
    return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = lines.flatMap(({ label, points }) =>
    points.map(({ row, bits, value, standardError }) =>
      [
        quote(label),
        quote(row.model.name),
        quote(row.key.spec),
        row.bitsPerWeight,
        bits,
        row.model.parameters,
        value,
        standardError ?? "",
      ].join(","),
    ),
  );
  return `${["line,model,spec,bitsPerWeight,bits,parameters,value,standardError", ...rows].join("\n")}\n`;
}
