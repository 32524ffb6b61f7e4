// Kept scores: the same bits on a second run, and never another model's, whatever of a model changes.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openModel } from "../../src/cli/open-model.ts";
import { identifyModel, openScoreStore, useScoreCache } from "../../src/cli/score-store.ts";

const books = fileURLToPath(new URL("../../models/books/", import.meta.url));
const requests = [
  { context: [1, 2, 3], continuations: [[4, 5], [6]] },
  { context: [1], continuations: [[2, 3, 4, 5, 6, 7]] },
];
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kbit-scores-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("scores come back to the bit, apart by context, grouping and model", () => {
  const scores = [
    [
      { logProbs: Float32Array.of(-1.1, -0.3), greedy: true },
      { logProbs: Float32Array.of(-7.7), greedy: false },
    ],
    [{ logProbs: Float32Array.from({ length: 6 }, (_, i) => -i / 7), greedy: false }],
  ];
  const cache = join(folder, "bits");
  const store = openScoreStore(cache, "one");
  expect(store.find(requests[0])).toBeUndefined();
  store.keep(requests, scores);
  expect(requests.map((request) => store.find(request))).toEqual(scores);
  expect(store.find({ context: [1, 2, 3], continuations: [[4, 5]] })).toBeUndefined();
  expect(store.find({ context: [1, 2], continuations: [[3, 4, 5], [6]] })).toBeUndefined();
  expect(store.find({ context: [1, 2, 3], continuations: [[4], [5, 6]] })).toBeUndefined();
  store.close();
  const other = openScoreStore(cache, "two");
  expect(other.find(requests[0])).toBeUndefined();
  other.close();
  const again = openScoreStore(cache, "one");
  expect(again.find(requests[1])).toEqual(scores[1]);
  expect(again.found).toBe(1);
  again.close();
});

test("a value that was damaged is computed again, and old ones are forgotten", () => {
  const cache = join(folder, "damaged");
  const keep = () => {
    const store = openScoreStore(cache, "one");
    store.keep([requests[1]], [[{ logProbs: new Float32Array(6).fill(-1), greedy: true }]]);
    store.close();
  };
  const isFound = () => {
    const store = openScoreStore(cache, "one");
    const found = store.find(requests[1]) !== undefined;
    store.close();
    return found;
  };
  const change = (statement: string) => {
    const database = new DatabaseSync(join(cache, "scores.sqlite"));
    database.exec(statement);
    database.close();
  };
  keep();
  expect(isFound()).toBe(true);
  change("update scores set value = cast(substr(value, 1, 40) || x'00' || substr(value, 42) as blob)");
  expect(isFound()).toBe(false);
  change("update scores set value = x'00'");
  expect(isFound()).toBe(false);
  change("update scores set value = 'text'");
  expect(isFound()).toBe(false);
  keep();
  change("update scores set used = 0");
  expect(isFound()).toBe(false);
});

test("another spec, weight, config, tokenizer or kernel set is another model; a copy elsewhere is the same", async () => {
  const identify = async (path: string, spec?: string, kernels?: string) => {
    const opened = await openModel(path, { spec, kernels, threads: 1 });
    const identity = await identifyModel(opened);
    await opened.close();
    return identity;
  };
  const original = join(books, "books-0.2m");
  const copy = (name: string, change: (path: string) => void) => {
    const path = join(folder, name);
    cpSync(original, path, { recursive: true });
    change(path);
    return path;
  };
  const edit = (file: string, change: (text: string) => string) => (path: string) =>
    writeFileSync(join(path, file), change(readFileSync(join(path, file), "utf8")));
  const flipped = copy("weight", (path) => {
    const file = join(path, "model.safetensors");
    const bytes = readFileSync(file);
    bytes[bytes.length - 2] ^= 1;
    writeFileSync(file, bytes);
  });
  const identities = await Promise.all([
    identify(original),
    identify(original, "int4:b64"),
    identify(original, "int4:b128"),
    identify(original, undefined, "reference"),
    identify(join(books, "books-0.4m")),
    identify(flipped),
    identify(
      copy(
        "config",
        edit("config.json", (text) =>
          text.replace(/"rotary_pct"|\{/, (found) => (found === "{" ? '{ "kbit_test": 1,' : found)),
        ),
      ),
    ),
    identify(
      copy(
        "tokenizer",
        edit("tokenizer.json", (text) => `${text}\n`),
      ),
    ),
  ]);
  expect(new Set(identities).size).toBe(identities.length);
  expect(await identify(copy("same", () => {}))).toBe(identities[0]);
});

test("a second run is served from the file, and another model's is not", async () => {
  process.env["KBIT_CACHE"] = join(folder, "cache");
  try {
    const scores = [];
    for (const [name, spec, found] of [
      ["books-0.2m", undefined, 0],
      ["books-0.2m", undefined, 2],
      ["books-0.4m", undefined, 0],
      ["books-0.2m", "int3:b64", 0],
    ] as const) {
      const opened = await openModel(join(books, name), { spec, threads: 1 });
      const cached = await useScoreCache(opened, true);
      const given = await cached.model.score(requests);
      expect(given).toEqual(await opened.model.score(requests));
      expect(cached.countFound()).toBe(found);
      scores.push(JSON.stringify(given));
      cached.close();
      const plain = await useScoreCache(opened, false);
      await plain.model.score(requests);
      expect(plain.countFound()).toBe(0);
      await opened.close();
    }
    expect(new Set(scores).size).toBe(3);
  } finally {
    process.env["KBIT_CACHE"] = "off";
  }
});
