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
  readonly x: number;
  readonly y: number;
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
 * taken for all where a full one would have to move.
 */
export function placeLabels(labels: readonly Label[], gap: number, frame: LabelFrame): PlacedLabel[] {
  const wanted = labels.map((label) => ({ ...label, y: label.y + gap }));
  const clash = wanted.some((a, i) => wanted.slice(i + 1).some((b) => missing(a, b) > 0));
  const placed = wanted.map(({ text, short, x, y, color }) => ({ text: clash ? short : text, x, y, color }));
  placed.sort((a, b) => a.x - b.x);
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < placed.length; i++) {
      for (let j = i + 1; j < placed.length; j++) {
        const push = missing(placed[i], placed[j]) / 2;
        placed[i].x -= push;
        placed[j].x += push;
      }
    }
    for (const label of placed) {
      const half = (label.text.length * characterWidth) / 2;
      label.x = Math.min(frame.right - half, Math.max(frame.left + half, label.x));
      label.y = Math.min(frame.bottom, Math.max(frame.top, label.y));
    }
  }
  return placed;
}

/** Keeps the labels, in order, that cover none kept before them. */
export function keepFree(labels: readonly PlacedLabel[]): PlacedLabel[] {
  const kept: PlacedLabel[] = [];
  for (const label of labels) if (!kept.some((other) => missing(label, other) > 0)) kept.push(label);
  return kept;
}

// By how many pixels two labels stand too near each other sideways; 0 where neither covers the other.
function missing(a: Omit<PlacedLabel, "color">, b: Omit<PlacedLabel, "color">): number {
  if (Math.abs(a.y - b.y) >= lineHeight - 2) return 0;
  const needed = ((a.text.length + b.text.length) * characterWidth) / 2 + 4;
  return Math.max(0, needed - Math.abs(a.x - b.x));
}
