// What the terminal is told while work goes on.

import { expect, test } from "vitest";
import { createProgress } from "../../src/cli/terminal.ts";

test("progress where there is no terminal is a line now and then, if asked for, and else nothing", () => {
  const written: string[] = [];
  const stream = { isTTY: false, write: (text: string) => written.push(text) > 0 } as unknown as NodeJS.WriteStream;
  const silent = createProgress("Measuring", stream);
  silent.update(1, 2, "one");
  silent.finish();
  expect(written).toEqual([]);
  const rare = createProgress("Measuring", stream, 60_000);
  rare.update(1, 2, "one");
  expect(written).toEqual([]);
  const often = createProgress("Measuring", stream, 0);
  often.update(1, 2, "one");
  often.update(2, 2);
  often.finish();
  expect(written).toEqual(["Measuring: 1 of 2, one\n", "Measuring: 2 of 2\n"]);
});
