// Tokenizers against the ids that tokenizers and transformers gave (test/fixtures/make/tokenizer_ids.py).

import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { loadTokenizer } from "../../src/model/tokenizer.ts";
import { alterCheckpoint, openFixture, readJson, root } from "./open.ts";

interface Expected {
  bos: number | null;
  eos: number | null;
  rows: { text: string; none: number[]; default: number[]; decoded: string }[];
}

const own = ["gpt-neox", "llama3", "qwen2", "bloom", "llama2", "llama2-metaspace", "opt"];
const elsewhere: Record<string, string> = {
  stories260k: "test/fixtures/models/stories260k",
  "books-0.2m": "models/books/books-0.2m",
};

/** A checkpoint that has nothing but a tokenizer's files. */
async function openTokenizer(name: string) {
  const folder = elsewhere[name] ?? `test/fixtures/tokenizers/${name}`;
  const checkpoint = await openFixture("test/fixtures/architectures/llama");
  const readText = async (fileName: string) => {
    try {
      return readFileSync(`${root}${folder}/${fileName}`, "utf8");
    } catch {
      return undefined;
    }
  };
  return alterCheckpoint(checkpoint, { config: elsewhere[name] ? readJson(`${folder}/config.json`) : {}, readText });
}

describe.each([...own, ...Object.keys(elsewhere)])("the tokenizer of %s", (name) => {
  const expected: Expected = readJson(`test/fixtures/tokenizers/${name}/expected.json`);

  test("gives the ids of the reference implementation, without and with its special tokens", async () => {
    const tokenizer = await loadTokenizer(await openTokenizer(name));
    for (const row of expected.rows) {
      expect(tokenizer.encode(row.text, "none"), JSON.stringify(row.text)).toEqual(row.none);
      expect(tokenizer.encode(row.text, "default"), JSON.stringify(row.text)).toEqual(row.default);
    }
  });

  test("gives back the text of the reference implementation", async () => {
    const tokenizer = await loadTokenizer(await openTokenizer(name));
    for (const row of expected.rows) expect(tokenizer.decode(row.none), JSON.stringify(row.text)).toBe(row.decoded);
  });

  test("knows its beginning and end tokens", async () => {
    const tokenizer = await loadTokenizer(await openTokenizer(name));
    expect([tokenizer.bosToken ?? null, tokenizer.eosToken ?? null]).toEqual([expected.bos, expected.eos]);
  });
});

describe("long texts are encoded in pieces that no merge can cross", () => {
  const names = ["llama2", "llama2-metaspace", "stories260k", "gpt-neox"];
  const definitionOf = (name: string) =>
    readJson(`${elsewhere[name] ?? `test/fixtures/tokenizers/${name}`}/tokenizer.json`);

  test.each(names)("%s: a book gives the ids of the library's one piece", async (name) => {
    const text = readFileSync(`${root}models/books/heldout.txt`, "utf8").slice(0, 40_000);
    const whole = new Tokenizer(definitionOf(name), {}).encode(text, { add_special_tokens: false }).ids;
    const tokenizer = await loadTokenizer(await openTokenizer(name));
    expect(tokenizer.encode(text, "none")).toEqual(whole);
    expect(tokenizer.decode(whole)).toBe(text);
  });

  test.each(names)("%s: so does any string", async (name) => {
    const library = new Tokenizer(definitionOf(name), {});
    const tokenizer = await loadTokenizer(await openTokenizer(name));
    const character = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
    const anything = fc.string({ unit: character.filter((text) => text.isWellFormed()), maxLength: 30 });
    const words = fc.string({ unit: fc.constantFrom(..." \n▁abcdeé.日👍"), maxLength: 40 });
    fc.assert(
      fc.property(fc.oneof(anything, words), (text) => {
        if (text === "") return;
        expect(tokenizer.encode(text, "none")).toEqual(library.encode(text, { add_special_tokens: false }).ids);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  test("a megabyte of text takes seconds, not minutes", async () => {
    const text = readFileSync(`${root}models/books/heldout.txt`, "utf8").repeat(3).slice(0, 1_000_000);
    for (const name of ["stories260k", "books-0.2m"]) {
      const tokenizer = await loadTokenizer(await openTokenizer(name));
      const start = performance.now();
      tokenizer.encode(text, "none");
      expect(performance.now() - start).toBeLessThan(20_000);
    }
  });
});

describe("special tokens", () => {
  const openWith = async (files: Record<string, unknown>, config: Record<string, unknown> = {}) => {
    const checkpoint = await openFixture("test/fixtures/architectures/llama");
    const tokenizer = JSON.stringify(readJson("test/fixtures/tokenizers/llama2/tokenizer.json"));
    const readText = async (name: string) =>
      name === "tokenizer.json" ? tokenizer : name in files ? JSON.stringify(files[name]) : undefined;
    return loadTokenizer(alterCheckpoint(checkpoint, { config, readText }));
  };

  test("come from tokenizer_config.json, then special_tokens_map.json, then the config's ids", async () => {
    const objects = { bos_token: { content: "<s>" }, eos_token: { content: "</s>" } };
    expect((await openWith({ "tokenizer_config.json": objects })).bosToken).toBe(1);
    expect((await openWith({ "special_tokens_map.json": { bos_token: "</s>" } })).bosToken).toBe(2);
    expect((await openWith({}, { bos_token_id: 7, eos_token_id: 8 })).bosToken).toBe(7);
    expect((await openWith({}, { bos_token_id: 7, eos_token_id: 8 })).eosToken).toBe(8);
  });

  test("a tokenizer that says it has no beginning token has none, whatever the config says", async () => {
    const tokenizer = await openWith({ "tokenizer_config.json": { bos_token: null } }, { bos_token_id: 7 });
    expect(tokenizer.bosToken).toBeUndefined();
  });

  test("every end token of config and generation config ends a text", async () => {
    const tokenizer = await openWith(
      { "tokenizer_config.json": { eos_token: "</s>" }, "generation_config.json": { eos_token_id: [5, 6] } },
      { eos_token_id: 4 },
    );
    expect([...tokenizer.stopTokens].sort()).toEqual([2, 4, 5, 6]);
  });

  test("add_bos_token false, said outright, counts more than the template of tokenizer.json", async () => {
    const settings = { bos_token: "<s>", eos_token: "</s>", add_bos_token: false, add_eos_token: true };
    const tokenizer = await openWith({ "tokenizer_config.json": settings });
    expect(tokenizer.encode("a", "default")).toEqual([...tokenizer.encode("a", "none"), 2]);
  });
});

describe("a tokenizer that cannot be used is told in a sentence", () => {
  const openText = async (text: string | undefined) => {
    const checkpoint = await openFixture("test/fixtures/architectures/llama");
    return loadTokenizer(
      alterCheckpoint(checkpoint, { readText: async (name) => (name === "tokenizer.json" ? text : undefined) }),
    );
  };

  test("broken JSON", async () => {
    await expect(openText("{")).rejects.toThrow("altered/tokenizer.json is not valid JSON");
  });
  test("no vocabulary", async () => {
    await expect(openText('{"model":{}}')).rejects.toThrow("altered/tokenizer.json has no model with a vocabulary");
  });
  test("none at all, once a text is encoded", async () => {
    const tokenizer = await openText(undefined);
    expect(() => tokenizer.encode("a", "none")).toThrow("altered has no tokenizer that can be read");
  });
});
