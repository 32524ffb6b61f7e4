// Two kinds of small figure as SVG: bars with marks over them, and a series of numbers too long for one pixel each.

const height = 240;
const edge = { left: 54, right: 10, top: 26, bottom: 38 };
const innerHeight = height - edge.top - edge.bottom;

/** Counts in even bins over `[low, high]`, and vertical lines at `marks`. */
export function drawBars(
  counts: ArrayLike<number>, // (bins)
  facts: {
    readonly width: number;
    readonly low: number;
    readonly high: number;
    readonly marks: ArrayLike<number>;
    readonly xLabel: string;
    readonly yLabel: string;
  },
): SVGSVGElement {
  const { low, high, width } = facts;
  const innerWidth = width - edge.left - edge.right;
  const top = roundUp(Array.from(counts).reduce((a, b) => Math.max(a, b), 1));
  const svg = startDrawing(width, facts.xLabel, facts.yLabel, top, 1);
  const x = (value: number) => edge.left + ((value - low) / (high - low)) * innerWidth;
  const step = innerWidth / counts.length;
  const bars = Array.from(counts, (count, i) => {
    const tall = (count / top) * innerHeight;
    return `M${(edge.left + i * step).toFixed(2)},${height - edge.bottom}v${(-tall).toFixed(2)}h${(step - 0.5).toFixed(2)}v${tall.toFixed(2)}z`;
  });
  add(svg, "path", { class: "bars", d: bars.join("") });
  const lines = Array.from(facts.marks, (mark) => `M${x(mark).toFixed(2)},${edge.top - 6}V${height - edge.bottom}`);
  add(svg, "path", { class: "code", d: lines.join("") });
  for (const tick of [low, low / 2, 0, high / 2, high])
    addText(svg, String(tick), x(tick), height - edge.bottom + 16, "middle");
  return svg;
}

/**
 * Numbers in order: the mean and the largest of those that share a column of the drawing; as stems where there is room
 * for each.
 */
export function drawSeries(
  values: ArrayLike<number>, // (any)
  facts: {
    readonly width: number;
    readonly xLabel: string;
    readonly yLabel: string;
    readonly scale?: number;
    readonly marked?: ArrayLike<number>;
    readonly isStems?: boolean;
  },
): SVGSVGElement {
  const { width } = facts;
  const innerWidth = width - edge.left - edge.right;
  const columns = Math.min(values.length, Math.round(innerWidth / 2));
  const means = new Float64Array(columns);
  const counts = new Float64Array(columns);
  const largest = new Float64Array(columns);
  const columnOf = (i: number) => Math.floor((i * columns) / values.length);
  for (let i = 0; i < values.length; i++) {
    const column = columnOf(i);
    means[column] += values[i];
    counts[column]++;
    largest[column] = Math.max(largest[column], values[i]);
  }
  const scale = facts.scale ?? 1;
  const top = roundUp((largest.reduce((a, b) => Math.max(a, b), 0) || 1) * scale) / scale;
  const svg = startDrawing(width, facts.xLabel, facts.yLabel, top, scale);
  const x = (column: number) => edge.left + ((column + 0.5) / columns) * innerWidth;
  const y = (value: number) => height - edge.bottom - (value / top) * innerHeight;
  const bottom = height - edge.bottom;
  if (facts.isStems) {
    const stem = innerWidth / columns;
    const bar = (value: number, column: number) =>
      `M${(x(column) - stem / 2).toFixed(2)},${bottom}V${y(value).toFixed(2)}h${(stem * 0.85).toFixed(2)}V${bottom}z`;
    const marked = new Set(Array.from(facts.marked ?? [], columnOf));
    const draw = (isMarked: boolean) =>
      Array.from(largest, (value, column) => (marked.has(column) === isMarked ? bar(value, column) : "")).join("");
    add(svg, "path", { class: "bars", d: draw(false) });
    add(svg, "path", { class: "strong", d: draw(true) });
  } else {
    const places = (list: ArrayLike<number>, scale: (i: number) => number) =>
      Array.from({ length: columns }, (_, i) => `${x(i).toFixed(2)},${y(list[i] * scale(i)).toFixed(2)}`);
    const mean = places(means, (i) => 1 / counts[i]);
    add(svg, "path", { class: "band", d: `M${places(largest, () => 1).join("L")}L${mean.toReversed().join("L")}z` });
    add(svg, "path", { class: "line", d: `M${mean.join("L")}` });
  }
  addText(svg, "0", edge.left, bottom + 16, "start");
  addText(svg, values.length.toLocaleString("en-US"), width - edge.right, bottom + 16, "end");
  return svg;
}

function startDrawing(width: number, xLabel: string, yLabel: string, top: number, scale: number): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", "drawing");
  const step = chooseStep(top * scale);
  for (let i = 0; i * step <= top * scale * 1.0001; i++) {
    const y = height - edge.bottom - ((i * step) / (top * scale)) * innerHeight;
    add(svg, "path", { class: i === 0 ? "axis" : "grid", d: `M${edge.left},${y.toFixed(2)}H${width - edge.right}` });
    addText(svg, formatTick(i * step), edge.left - 6, y + 4, "end");
  }
  addText(svg, yLabel, 0, 12, "start", "title");
  addText(svg, xLabel, (edge.left + width - edge.right) / 2, height - 4, "middle", "title");
  return svg;
}

/** 1, 2 or 5 times a power of ten, of which two to five make `top`. */
function chooseStep(top: number): number {
  const power = 10 ** Math.floor(Math.log10(top));
  return ([0.2, 0.5, 1].find((share) => top / (share * power) <= 5.0001) ?? 2) * power;
}

/** The next whole step at or above a number. */
function roundUp(value: number): number {
  const step = chooseStep(value);
  return Math.ceil(value / step - 1e-9) * step;
}

function formatTick(value: number): string {
  if (value === 0) return "0";
  return value >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3)));
}

function add(svg: SVGElement, name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  svg.append(element);
  return element;
}

function addText(svg: SVGElement, text: string, x: number, y: number, anchor: string, className = ""): void {
  const element = add(svg, "text", { x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor, class: className });
  element.textContent = text;
}
