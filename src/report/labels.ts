// Places the labels of a figure beside the ends of its lines so that none covers another. Pure geometry, in pixels.

/** A label that wants to stand at a place. */
export interface Label {
  readonly text: string;
  /** Used for all labels where the full texts would collide. */
  readonly short: string;
  readonly x: number;
  readonly y: number;
  readonly color: string;
}

/** A label where it stands; `x` is its middle, `y` its baseline. */
export interface PlacedLabel {
  readonly text: string;
  x: number;
  y: number;
  readonly color: string;
}

/** The area that labels may use. */
export interface LabelFrame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const characterWidth = 6.6;
const lineHeight = 14;

/**
 * Each label `gap` pixels below (negative: above) its point, pushed sideways until it covers no other. Short texts are
 * taken for all but the last where a full one would have to move.
 */
export function placeLabels(labels: readonly Label[], gap: number, frame: LabelFrame): PlacedLabel[] {
  const wanted = labels.map((label) => ({ ...label, y: label.y + gap }));
  const clash = wanted.some((a, i) => wanted.slice(i + 1).some((b) => missing(a, b) > 0));
  const placed = wanted.map(({ text, short, x, y, color }) => ({ text: clash ? short : text, x, y, color }));
  placed.sort((a, b) => a.x - b.x);
  if (clash) placed[placed.length - 1].text = wanted.reduce((a, b) => (b.x >= a.x ? b : a)).text;
  const half = (label: PlacedLabel) => (label.text.length * characterWidth) / 2;
  for (const label of placed) label.y = Math.min(frame.bottom, Math.max(frame.top, label.y));
  // Neighbours give way to each other evenly; two sweeps then settle what is left within the frame.
  for (let round = 0; round < 40; round++) {
    placed.forEach((label, i) => {
      for (const other of placed.slice(i + 1)) {
        const push = missing(label, other) / 2;
        label.x -= push;
        other.x += push;
      }
    });
  }
  placed.forEach((label, i) => {
    label.x = Math.max(label.x, frame.left + half(label));
    for (const other of placed.slice(0, i)) label.x += missingAfter(other, label);
  });
  for (let i = placed.length - 1; i >= 0; i--) {
    placed[i].x = Math.min(placed[i].x, frame.right - half(placed[i]));
    for (const other of placed.slice(i + 1)) placed[i].x -= missingAfter(placed[i], other);
  }
  return placed;
}

/** A label that begins or ends at its x. */
export interface SideLabel extends PlacedLabel {
  readonly anchor: "start" | "end";
}

/**
 * Each label to the right of its point, or above it where there is no room to the right; moved up or down until none
 * covers another, and up where one would leave the frame.
 */
export function placeBeside(labels: readonly Label[], frame: LabelFrame): SideLabel[] {
  const placed = labels.map(({ text, x, y, color }) => {
    const width = text.length * characterWidth;
    const isRoom = x + 8 + width <= frame.right;
    return isRoom
      ? { text, x: x + 8, y: y + 4, color, anchor: "start" as const, left: x + 8, right: x + 8 + width }
      : {
          text,
          x: frame.right,
          y: y - 10,
          color,
          anchor: "end" as const,
          left: frame.right - width,
          right: frame.right,
        };
  });
  placed.sort((a, b) => a.y - b.y);
  const covers = (a: { left: number; right: number }, b: { left: number; right: number }) =>
    a.left < b.right + 4 && b.left < a.right + 4;
  for (let round = 0; round < 20; round++) {
    placed.forEach((label, i) => {
      for (const other of placed.slice(i + 1)) {
        const push = covers(label, other) ? Math.max(0, lineHeight - (other.y - label.y)) / 2 : 0;
        label.y -= push;
        other.y += push;
      }
    });
  }
  for (let i = placed.length - 1; i >= 0; i--) {
    const below = placed.slice(i + 1).filter((other) => covers(placed[i], other));
    placed[i].y = Math.min(placed[i].y, frame.bottom, ...below.map((other) => other.y - lineHeight));
  }
  return placed.map(({ text, x, y, color, anchor }) => ({ text, x, y, color, anchor }));
}

/** Keeps the labels, in order, that cover none kept before them. */
export function keepFree(labels: readonly PlacedLabel[]): PlacedLabel[] {
  const kept: PlacedLabel[] = [];
  for (const label of labels) if (!kept.some((other) => missing(label, other) > 1e-6)) kept.push(label);
  return kept;
}

// By how many pixels two labels stand too near each other sideways; 0 where neither covers the other.
function missing(a: Place, b: Place): number {
  const needed = neededBetween(a, b);
  return needed === 0 ? 0 : Math.max(0, needed - Math.abs(a.x - b.x));
}

// The same for labels of which `b` is to stand to the right of `a`.
function missingAfter(a: Place, b: Place): number {
  const needed = neededBetween(a, b);
  return needed === 0 ? 0 : Math.max(0, needed - (b.x - a.x));
}

function neededBetween(a: Place, b: Place): number {
  if (Math.abs(a.y - b.y) >= lineHeight - 2) return 0;
  return ((a.text.length + b.text.length) * characterWidth) / 2 + 4;
}

type Place = Pick<PlacedLabel, "text" | "x" | "y">;
