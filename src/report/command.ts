// The command that repeats a row. Each function is complete in itself: the page carries their text, so that a click
// copies exactly what the terminal would print.

/** What a row says about how it was measured. */
export interface RepeatedRow {
  readonly model: string;
  readonly spec: string;
  readonly task: string;
  readonly profile: string;
  readonly limit: number | null;
  readonly dataHash: string;
}

/** A word for a POSIX shell: as it is where that is safe, else in single quotes; controls become `?`. */
export function quoteShell(word: string): string {
  const clean = word.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, "?");
  if (/^[A-Za-z0-9_./:@%+=][A-Za-z0-9_./:@%+=,-]*$/.test(clean)) return clean;
  return `'${clean.replaceAll("'", "'\\''")}'`;
}

/**
 * The command line that measures the row again: `kbit eval MODEL --spec S --tasks T`, or `--text FILE` with its window
 * and stride for perplexity. The text is not in a row, so its SHA-256 stands in its place.
 */
export function formatCommand(row: RepeatedRow): string {
  const words = ["kbit", "eval", quoteShell(row.model)];
  if (row.spec !== "stored") words.push("--spec", quoteShell(row.spec));
  const windows = /^windows-(\d+)-stride-(\d+)/.exec(row.profile);
  if (row.task === "perplexity") words.push("--text", quoteShell(`TEXT-${row.dataHash.slice(0, 12)}`));
  else words.push("--tasks", quoteShell(row.task));
  if (row.task === "perplexity" && windows) words.push("--window", windows[1], "--stride", windows[2]);
  if (row.limit !== null) words.push("--limit", String(row.limit));
  return words.join(" ");
}
