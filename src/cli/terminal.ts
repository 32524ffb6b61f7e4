// What every command shares in talking to people and machines: one JSON document, tables, progress, colours.
// Results go to standard output; progress and remarks go to standard error, and progress only when that is a terminal.

import { stripVTControlCharacters, styleText } from "node:util";

/** Colour or weight of a piece of text; plain text where standard output takes no colours. */
export type Style = Parameters<typeof styleText>[0];

/** The text in a style, for standard output (`stream`: for another). */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream });
}

/** Writes one JSON document to standard output. Numbers keep all digits; NaN and infinity become null. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, typedArraysAsArrays, 2)}\n`);
}

function typedArraysAsArrays(_key: string, value: unknown): unknown {
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as unknown as number[]) : value;
}

/** Writes a line to standard output. */
export function printLine(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** Writes a remark to standard error. */
export function printNote(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** How the user calls kbit: through npm, as `npx kbit` and `npm start` do, or directly. */
export const commandName = process.env["npm_execpath"] === undefined ? "kbit" : "npx kbit";

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Numbers stand right; default left. */
  readonly align?: "left" | "right";
}

/** A table in plain text: a heading, a rule, a line a row; cells may carry colours. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const width = (text: string) => [...stripVTControlCharacters(text)].length;
  const widths = columns.map((column, j) => Math.max(width(column.title), ...rows.map((row) => width(row[j] ?? ""))));
  const formatRow = (cells: readonly string[]) =>
    columns
      .map((column, j) => {
        const cell = cells[j] ?? "";
        const padding = " ".repeat(widths[j] - width(cell));
        return column.align === "right" ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  const heading = formatRow(columns.map((column) => column.title));
  const rule = widths.map((n) => "─".repeat(n)).join("  ");
  return [heading, rule, ...rows.map(formatRow)].join("\n");
}

/** Columns for sentences and tables that fit 80: those of the terminal, at most 100. */
export function lineWidth(): number {
  return Math.min(100, process.stdout.columns ?? 80);
}

/** A text without styles as lines of at most `width` characters, broken at spaces; a longer word has a line of its own. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && [...last].length + 1 + [...word].length <= width) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A line that shows how far work is and how long it will take. */
export interface Progress {
  /** @param note - what is being done right now */
  update(done: number, total: number, note?: string): void;
  /** Writes a line above the bar. */
  log(line: string): void;
  finish(): void;
}

/**
 * A progress line on standard error; silent where that is not a terminal (`log` still writes).
 *
 * @param plainMs - where it is not a terminal, a line of its own so often
 */
export function createProgress(
  label: string,
  stream: NodeJS.WriteStream = process.stderr,
  plainMs = Number.POSITIVE_INFINITY,
): Progress {
  const started = performance.now();
  const isTerminal = stream.isTTY === true;
  let last = isTerminal ? 0 : started;
  let shown = "";
  const clear = () => {
    if (shown !== "") stream.write("\r\x1b[2K");
  };
  return {
    update(done, total, note = "") {
      const now = performance.now();
      if (isTerminal ? now - last < 80 && done < total : now - last < plainMs) return;
      last = now;
      if (!isTerminal) {
        stream.write(`${label}: ${done} of ${total}${note === "" ? "" : `, ${note}`}\n`);
        return;
      }
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const elapsed = (now - started) / 1000;
      const left = share > 0.005 && elapsed > 1 ? `${formatSeconds((elapsed / share) * (1 - share))} left` : "";
      const bar = "█".repeat(Math.round(share * 24)).padEnd(24, "░");
      const line = `${label} ${bar} ${String(Math.round(share * 100)).padStart(3)} %  ${left}  ${note}`;
      clear();
      shown = [...line].slice(0, (stream.columns ?? 80) - 1).join("");
      stream.write(shown);
    },
    log(line) {
      clear();
      stream.write(`${line}\n`);
      if (shown !== "") stream.write(shown);
    },
    finish() {
      clear();
      shown = "";
    },
  };
}

/** A duration as people say it: `< 1 s`, `8 s`, `2 min 5 s`, `3 h 10 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds > 0 && seconds < 0.95) return "< 1 s";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
