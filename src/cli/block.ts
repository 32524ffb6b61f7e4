// Lines that are written over themselves while something goes on; where there is no terminal, only the last ones remain.

import { stripVTControlCharacters } from "node:util";

/** A block of lines at the bottom of a terminal. */
export interface Block {
  /** Shows lines in the place of those before. */
  show(lines: readonly string[]): void;
  /** Writes a line above the block, for good. */
  log(line: string): void;
  /** Leaves these lines, or nothing. */
  end(lines?: readonly string[]): void;
}

/** @param stream - a terminal, or what `end` and `log` alone are written to */
export function createBlock(stream: NodeJS.WriteStream): Block {
  let shown: readonly string[] = [];
  const clear = () => {
    if (shown.length > 0) stream.write(`\x1b[${shown.length}F\x1b[J`);
    shown = [];
  };
  const write = (lines: readonly string[]) => {
    // A line that the terminal broke would be two to go back over; a block taller than it could not be reached.
    const fitting = lines
      .slice(0, Math.max(1, (stream.rows ?? 24) - 1))
      .map((line) => cut(line, (stream.columns ?? 80) - 1));
    for (const line of fitting) stream.write(`${line}\n`);
    shown = fitting;
  };
  return {
    show(lines) {
      if (stream.isTTY !== true) return;
      clear();
      write(lines);
    },
    log(line) {
      const last = shown;
      clear();
      stream.write(`${line}\n`);
      if (last.length > 0) write(last);
    },
    end(lines = []) {
      clear();
      for (const line of lines) stream.write(`${line}\n`);
    },
  };
}

function cut(line: string, width: number): string {
  return [...stripVTControlCharacters(line)].length <= width
    ? line
    : [...stripVTControlCharacters(line)].slice(0, width).join("");
}
