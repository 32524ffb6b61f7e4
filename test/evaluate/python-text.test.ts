import { expect, test } from "vitest";
import {
  capitalize,
  countBytes,
  countCodePoints,
  splitAtSpaces,
  strip,
  stripEnd,
} from "../../src/evaluate/python-text.ts";
import pieces from "../fixtures/evaluate-pieces/pieces.json" with { type: "json" };

const codePoints = Array.from({ length: 0x110000 }, (_, i) => i).filter((i) => i < 0xd800 || i >= 0xe000);

test("strip takes away exactly the characters that Python calls space", () => {
  const stripped = codePoints.filter((code) => strip(String.fromCodePoint(code)) === "");
  expect(stripped).toEqual(pieces.spaces);
});

test("splitAtSpaces splits at exactly the characters that Python's \\s matches", () => {
  const split = codePoints.filter((code) => splitAtSpaces(String.fromCodePoint(code)).length === 2);
  expect(split).toEqual(pieces.reSpaces);
  expect(splitAtSpaces(" a\u001c\u0085b ")).toEqual(["", "a", "b", ""]);
});

test("strip, stripEnd and countCodePoints give what Python gives", () => {
  for (const [text, [both, end, length]] of Object.entries(pieces.strip)) {
    expect([strip(text), stripEnd(text), countCodePoints(text)]).toEqual([both, end, length]);
  }
});

test("capitalize gives Python's result, title case of ligatures and final sigma included", () => {
  for (const [text, expected] of Object.entries(pieces.capitalize)) expect(capitalize(text)).toBe(expected);
  expect(capitalize("")).toBe("");
});

test("the first character takes Python's title case wherever that differs from upper case", () => {
  for (const [character, title] of Object.entries(pieces.titles)) expect(capitalize(character)).toBe(title);
  const others = codePoints
    .map((code) => String.fromCodePoint(code))
    .filter((text) => capitalize(text) !== text.toUpperCase());
  const exceptions: Record<string, string> = pieces.titles;
  expect(others.filter((character) => !(character in exceptions))).toEqual([]);
});

test("countBytes counts UTF-8", () => {
  for (const text of ["", "a", "é", "€", "😀", "aé€😀"]) {
    expect(countBytes(text)).toBe(new TextEncoder().encode(text).length);
  }
});
