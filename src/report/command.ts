// The command that repeats a row. Each function is complete in itself: the page carries their text, so that a click
// copies exactly what the terminal would print.

/** What a row says about how it was measured. */
export interface RepeatedRow {
  readonly model: string;
  readonly spec: string;
  /** Its name, or the path of the file that defines it. */
  readonly task: string;
  readonly profile: string;
  readonly limit: number | null;
  readonly dataHash: string;
  /** Where model and data were; null or empty: not known. */
  readonly modelPath: string | null;
  readonly dataPath: string | null;
}

/** A word for a POSIX shell: as it is where that is safe, else in single quotes; controls become `?`. */
export function quoteShell(word: string): string {
  const clean = word.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, "?");
  if (/^[A-Za-z0-9_./:@%+=][A-Za-z0-9_./:@%+=,-]*$/.test(clean)) return clean;
  return `'${clean.replaceAll("'", "'\\''")}'`;
}

/**
 * The command line that measures the row again: `kbit eval MODEL --spec S --text FILE` with its convention and numbers, or
 * `--tasks T --data FILE --profile P`; a time is taken by a study of its own. Where a row does not say where its data was,
 * the beginning of its SHA-256 stands for the file, and the model's name for its path.
 */
export function formatCommand(row: RepeatedRow): string {
  const quotePath = (path: string) => quoteShell(path.startsWith("-") ? `./${path}` : path); // no option
  const model = quotePath(row.modelPath || row.model);
  if (row.task === "latency")
    return `kbit study run ${model} --specs ${quoteShell(row.spec)} --tasks latency:${quoteShell(row.profile)} --db FILE`;
  const words = ["kbit", "eval", model];
  if (row.spec !== "stored") words.push("--spec", quoteShell(row.spec));
  const data = quotePath(row.dataPath || `FILE-${row.dataHash.slice(0, 12)}`);
  const cut = /^(windows|windows-bos|gptq|llama\.cpp|rolling)-(\d+)(?:-stride-(\d+)|-(.+))?$/.exec(row.profile);
  if (row.task !== "perplexity") {
    words.push("--tasks", quoteShell(row.task), "--data", data, "--profile", quoteShell(row.profile));
  } else {
    words.push("--text", data);
    if (cut) {
      const [, convention, window, stride, profile] = cut;
      if (convention !== "windows") words.push("--convention", convention);
      words.push("--window", window);
      if (stride) words.push("--stride", stride);
      if (profile) words.push("--profile", quoteShell(profile));
    }
  }
  if (row.limit !== null) words.push("--limit", String(row.limit));
  return words.join(" ");
}
