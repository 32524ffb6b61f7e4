// Streamed pieces join to the text of all tokens, and never show a part of a character.

import { expect, test } from "vitest";
import { createTextStream } from "../../src/model/text-stream.ts";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { openFixture } from "./open.ts";

const text = "Tom said: “Zoë likes 日本語 and 👩‍👩‍👧!”\n\n  Then he left.";

test.each(["models/books/books-0.2m", "test/fixtures/models/stories260k"])("%s", async (path) => {
  const tokenizer = await loadTokenizer(await openFixture(path));
  const tokens = tokenizer.encode(text, "none");
  for (const cut of [0, 1, 3, 5]) {
    const stream = createTextStream(tokenizer.decode, tokens.slice(0, cut));
    const pieces = [...tokens.slice(cut).map((token) => stream.push(token)), stream.finish()];
    expect(tokenizer.decode(tokens.slice(0, cut)) + pieces.join("")).toBe(text);
    expect(pieces.filter((piece) => piece.includes("\ufffd"))).toEqual([]);
    expect(pieces.filter((piece) => piece !== "").length).toBeGreaterThan(20);
  }
});

test("a character that is never finished is given at the end as what it decodes to", async () => {
  const tokenizer = await loadTokenizer(await openFixture("models/books/books-0.2m"));
  const [first] = tokenizer.encode("日", "none");
  const stream = createTextStream(tokenizer.decode, []);
  expect(stream.push(first)).toBe("");
  expect(stream.finish()).toBe("\ufffd");
});
