import { expect, test } from "vitest";
import { remember } from "../../src/ui/remember.ts";

test("what was asked for last is kept, and made once", () => {
  const made: string[] = [];
  const kept = new Map<string, string>();
  for (const key of "abacabd") {
    const value = remember(kept, key, 2, () => {
      made.push(key);
      return key.toUpperCase();
    });
    expect(value).toBe(key.toUpperCase());
  }
  expect(made.join("")).toBe("abcbd"); // c drove b out, not a
  expect([...kept.keys()]).toEqual(["b", "d"]);
});
