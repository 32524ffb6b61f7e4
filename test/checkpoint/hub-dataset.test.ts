// Splits of data sets from a Hub on this machine, in the layouts that data sets have.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type DatasetId, fetchDataset, parseDatasetId } from "../../src/checkpoint/hub-dataset-node.ts";
import { type FakeHub, startFakeHub } from "./fake-hub.ts";

const first = "1".repeat(40);
const other = "2".repeat(40);
const commits = {
  [first]: new Map(
    Object.entries({
      "README.md": "",
      "data/validation-00000-of-00002.parquet": "a",
      "data/validation-00001-of-00002.parquet": "b",
      "data/train-00000-of-00001.parquet": "c",
      "copa/test.jsonl": "d",
      "boolq/test.jsonl": "e",
    }).map(([path, text]) => [path, Buffer.from(text)]),
  ),
  [other]: new Map(
    Object.entries({ "default/odd/0000.parquet": "f", "extra/odd/0000.parquet": "g" }).map(([path, text]) => [
      path,
      Buffer.from(text),
    ]),
  ),
};
let cache: string;
let hub: FakeHub;

beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), "kbit-hub-"));
  const branches = { main: first, "refs/convert/parquet": other };
  hub = await startFakeHub({ kind: "datasets", name: "org/set", branches, commits });
  for (const name of ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"])
    vi.stubEnv(name, undefined);
  vi.stubEnv("HF_HOME", cache);
  vi.stubEnv("HF_ENDPOINT", hub.url);
});
afterEach(() => {
  vi.unstubAllEnvs();
  hub.server.closeAllConnections();
  hub.server.close();
  rmSync(cache, { recursive: true });
});

/** Texts of the files by their paths in the snapshot. */
async function fetchTexts(id: Omit<DatasetId, "name">): Promise<Record<string, string>> {
  const { files } = await fetchDataset({ name: "org/set", ...id });
  const snapshots = join(cache, "hub/datasets--org--set/snapshots");
  return Object.fromEntries(
    files.map((file) => [relative(snapshots, file).split(/[\\/]/).slice(1).join("/"), readFileSync(file, "utf8")]),
  );
}

test("the files of a split are those that carry its name, in order, of its configuration", async () => {
  expect(await fetchTexts({ split: "validation" })).toEqual({
    "data/validation-00000-of-00002.parquet": "a",
    "data/validation-00001-of-00002.parquet": "b",
  });
  expect(await fetchTexts({ config: "boolq", split: "test" })).toEqual({ "boolq/test.jsonl": "e" });
  const refs = join(cache, "hub/datasets--org--set/refs");
  expect(readFileSync(join(refs, "main"), "utf8")).toBe(first);
});

test("where main has no files of a split, the Hub's conversion is read, unless a revision is named", async () => {
  expect(await fetchTexts({ split: "odd" })).toEqual({ "default/odd/0000.parquet": "f" });
  expect(await fetchTexts({ split: "odd", config: "extra", revision: other })).toEqual({
    "extra/odd/0000.parquet": "g",
  });
  await expect(fetchTexts({ split: "odd", revision: "main" })).rejects.toThrow(
    "org/set@main#odd on the Hub has no Parquet or JSONL files of that split",
  );
  // Two configurations, and neither named: one of them would be a guess.
  await expect(fetchTexts({ split: "test" })).rejects.toThrow("org/set#test on the Hub has no");
});

test("what was fetched is read from the cache where the Hub cannot or must not be asked", async () => {
  await fetchTexts({ split: "validation" });
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
  expect(Object.values(await fetchTexts({ split: "validation" }))).toEqual(["a", "b"]);
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  expect(Object.values(await fetchTexts({ split: "validation", revision: first }))).toEqual(["a", "b"]);
  await expect(fetchTexts({ split: "train", config: "none" })).rejects.toThrow(/#none\/train is not in the cache/);
});

test("a data set that is not there, and a Hub that is not, are told in one sentence", async () => {
  await expect(fetchDataset({ name: "org/none", split: "test" })).rejects.toThrow(
    "The Hub has no data set org/none#test.",
  );
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9");
  await expect(fetchTexts({ split: "test" })).rejects.toThrow(
    "The Hub could not be reached (there is no connection); give the path of a downloaded data set.",
  );
});

test("a place names data set, revision, configuration and split; the task knows what is missing", () => {
  expect(parseDatasetId("a/b@refs/pr/1#c/d")).toEqual({ name: "a/b", revision: "refs/pr/1", config: "c", split: "d" });
  const own = { name: "x/y", config: "c", split: "test" };
  expect(parseDatasetId("a/b", own)).toEqual({ name: "a/b", config: "c", split: "test" });
  expect(parseDatasetId("a/b#dev", own)).toEqual({ name: "a/b", config: "c", split: "dev" });
  expect(() => parseDatasetId("a/b")).toThrow("Say which split of a/b: a/b#test, for example.");
  for (const text of ["a", "a/../b", "a/b#c/d/e", "a/b@../x#y", ""]) {
    expect(() => parseDatasetId(text)).toThrow("names no data set");
  }
});
