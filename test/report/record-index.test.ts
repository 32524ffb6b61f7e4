import { expect, test } from "vitest";
import { createRecordIndex } from "../../src/report/record-index.ts";
import { tabulateRecords } from "../../src/report/records.ts";
import { makeRow } from "../scaling/simulate.ts";

const rows = ["m10", "m2", "m1", "other"].map((model, i) =>
  makeRow({
    model,
    total: 8e6 * (i + 1),
    metrics: i === 2 ? {} : { nll: { value: 3 - i, ...(i === 1 && { standardError: 0.1 }), n: 10 } },
  }),
);
const index = createRecordIndex(tabulateRecords(rows, new Map([[rows[3], "It broke."]])));
const all = { words: "", ids: [], sort: "", descending: false, from: 0, count: 100 };
const modelsOf = (query: Partial<Parameters<typeof index.find>[0]>) =>
  index.find({ ...all, ...query }).rows.map((row) => row["model"]);

test("texts are ordered by the numbers in them, and rows without a value come last both ways", () => {
  expect(modelsOf({ sort: "model" })).toEqual(["m1", "m2", "m10", "other"]);
  expect(modelsOf({ sort: "model", descending: true })).toEqual(["other", "m10", "m2", "m1"]);
  expect(modelsOf({ sort: "value" })).toEqual(["other", "m2", "m10", "m1"]);
  expect(modelsOf({ sort: "value", descending: true })).toEqual(["m10", "m2", "other", "m1"]);
  expect(modelsOf({ sort: "no such column" })).toEqual(["m10", "m2", "m1", "other"]);
});

test("all words must be found, wherever they stand; ids may be whole or their beginning", () => {
  expect(modelsOf({ words: "M1" })).toEqual(["m10", "m1"]);
  expect(modelsOf({ words: "  perplexity m2 " })).toEqual(["m2"]);
  expect(modelsOf({ words: rows[1].id.slice(0, 12) })).toEqual(["m2"]);
  expect(modelsOf({ ids: [rows[3].id, rows[0].id.slice(0, 16), "none"] })).toEqual(["m10", "other"]);
  expect(modelsOf({ ids: ["none"] })).toEqual([]);
});

test("a page beyond the end is the last row, and the count is of all that were found", () => {
  expect(index.find({ ...all, from: 9 })).toMatchObject({ total: 4, from: 3 });
  expect(index.find({ ...all, from: 1, count: 2 }).rows.map((row) => row["model"])).toEqual(["m2", "m1"]);
  expect(index.find({ ...all, words: "nothing", from: 9 })).toEqual({ total: 0, from: 0, rows: [] });
});

test("every value of a row comes back as it was, also why it is unstable", () => {
  const [first, , , last] = index.find(all).rows;
  expect([first["value"], first["standardError"], first["unstable"]]).toEqual([3, null, null]);
  expect([last["id"], last["unstable"], last["totalBits"]]).toEqual([rows[3].id, "It broke.", 32e6]);
  expect(index.csv().trimEnd().split("\r\n")).toHaveLength(5);
});
