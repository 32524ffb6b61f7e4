// Small pictures for the terminal: values on a line from -1 to 1, and bars.

/** The codebook's values as ticks on a line from -1 to 1, over an axis: two lines. */
export function drawNumberLine(values: ArrayLike<number>, width = 65): string {
  const counts = new Array<number>(width).fill(0);
  for (const value of Array.from(values)) counts[Math.round(((value + 1) / 2) * (width - 1))]++;
  const ticks = counts.map((count) => (count === 0 ? "─" : count === 1 ? "┼" : count === 2 ? "╫" : "█")).join("");
  const middle = (width - 1) / 2;
  return `${ticks}\n${`${"-1".padEnd(middle)}0`.padEnd(width - 1)}1`;
}

/** A bar of up to `width` cells, in eighths of a cell. */
export function drawBar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8);
  return "█".repeat(Math.floor(eighths / 8)) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
}
