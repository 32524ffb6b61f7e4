// Results of lm-eval as rows: what its document says is taken, what it does not know is asked for, nothing is guessed.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkRow } from "../../../src/study/exchange/check-row.ts";
import { describeRun, type ImportedRun, parseImportedModels } from "../../../src/study/exchange/imported-models.ts";
import { parseLmEval, readLmEval } from "../../../src/study/exchange/lm-eval.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../fixtures/evaluation/lm-eval-results.json", import.meta.url), "utf8"),
);
const mapping = (text: string) => (run: ImportedRun) => describeRun(run, parseImportedModels(text, "m.yaml"), "m.yaml");
const said = "[{ family: books, spec: fp32, totalBytes: 1012992 }]";
const date = new Date("2026-01-02T03:04:05Z");
const read = (value: unknown, text = said) => readLmEval(value, "results.json", date, mapping(text));

test("a document of the harness becomes a row a task, with its numbers to the last bit", () => {
  expect(parseLmEval(JSON.stringify(golden), "results.json")).toEqual(golden);
  const rows = read({ ...golden, lm_eval_version: "0.4.13" });
  expect(rows.map(({ key }) => [key.task, key.taskVersion, key.limit])).toEqual([
    ["piqa", "1", 5],
    ["wikitext", "2", 3],
    ["lambada_openai", "1", 5],
  ]);
  expect(rows[0].metrics).toEqual({
    acc: { value: 0.4, standardError: 0.24494897427831783, n: 5 },
    acc_norm: { value: 0.6, standardError: 0.24494897427831783, n: 5 },
  });
  expect(rows[1].metrics["word_perplexity"]).toEqual({ value: 1137.6884979157574, n: 3 });
  expect(rows[0]).toMatchObject({
    model: { name: "books-0.2m", family: "books", parameters: 253248, nonEmbeddingParameters: NaN },
    key: { spec: "fp32", profile: "lm-eval-0.4.13", computeType: "float32", dataHash: "" },
    bitsPerWeight: 32,
    bits: { total: 8103936, quantized: NaN },
    imported: "lm-eval 0.4.13, results.json",
    date: "2026-01-02T03:04:05.000Z",
    seconds: NaN,
    kernels: "",
  });
  for (const row of rows) expect(checkRow(row, "it")).toEqual(row);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(3);
});

test("several models and precisions are told apart by name, arguments and file, the first that fits", () => {
  const text = `
- { model: org/opt-1b, args: "load_in_4bit=True", family: opt, spec: "nf4:a32:b64", totalBytes: 5, parameters: 7 }
- { file: "*-gptq*.json", name: mine, family: opt, spec: "gptq4:b128", bits: 4, totalBits: 41 }
- { model: org/opt-1b, family: opt, spec: fp16, totalBytes: 506496, documents: { piqa: 1838 } }
`;
  const describe = mapping(text);
  const run = { model: "org/opt-1b", args: "pretrained=org/opt-1b", file: "a.json" };
  expect(describe(run)).toMatchObject({ name: "opt-1b", spec: "fp16", bits: 16, totalBits: 4051968 });
  expect(describe({ ...run, args: `${run.args},load_in_4bit=True` })).toMatchObject({
    spec: "nf4:b64:a32",
    bits: 4,
    totalBits: 40,
    parameters: 7,
  });
  expect(describe({ ...run, file: "x-gptq-1.json" })).toMatchObject({
    name: "mine",
    spec: "gptq4:b128",
    totalBits: 41,
  });
  expect(() => describe({ ...run, model: "other" })).toThrow(/^m\.yaml says nothing that fits the model "other"/);

  const { "n-samples": _, ...old } = golden;
  const args = { pretrained: "org/opt-1b", dtype: "float16" };
  const [row] = read(
    { ...old, results: { piqa: golden.results.piqa }, config: { ...golden.config, model: "hf", model_args: args } },
    text,
  );
  expect(row.metrics["acc"].n).toBe(1838);
  expect(row.key.weightsHash).toBe("lm-eval:org/opt-1b");
});

test("filters stay in the names, groups are left to their tasks, shots stand in the profile", () => {
  const results = {
    gsm8k: {
      "exact_match,strict-match": 0.5,
      "exact_match_stderr,strict-match": "N/A",
      "exact_match,none": 0.25,
      alias: "x",
    },
    mmlu: { "acc,none": 0.3 },
  };
  const rows = read({
    ...golden,
    results,
    group_subtasks: { mmlu: ["mmlu_law"], gsm8k: [] },
    "n-shot": { gsm8k: 8 },
    "n-samples": { gsm8k: { original: 9, effective: 9 } },
    task_hashes: { gsm8k: "abc" },
  });
  expect(rows).toHaveLength(1);
  expect(rows[0].metrics).toEqual({
    "exact_match,strict-match": { value: 0.5, n: 9 },
    exact_match: { value: 0.25, n: 9 },
  });
  expect(rows[0].key).toMatchObject({ profile: "lm-eval-8-shot", dataHash: "abc" });
});

test("bare NaN and Infinity, as Python writes them, are read; what is not a number is no metric", () => {
  const text = JSON.stringify(golden)
    .replace('"acc,none":0.4', '"acc,none": NaN')
    .replace('"word_perplexity,none":1137.6884979157574', '"word_perplexity,none": Infinity');
  const [piqa, wikitext] = read(parseLmEval(text, "results.json"));
  expect(Object.keys(piqa.metrics)).toEqual(["acc_norm"]);
  expect(wikitext.metrics["word_perplexity"].value).toBe(Infinity);
  expect(() => parseLmEval(text.slice(0, 500), "results.json")).toThrow(
    /^results\.json is not JSON; it may be cut off\.$/,
  );
  expect(() => parseLmEval('{"results": 3}', "results.json")).toThrow(/is no result of lm-eval/);
});

test("what nobody says is asked for, and what is wrong is named", () => {
  const { "n-samples": _, ...old } = golden;
  expect(() => read(old)).toThrow(
    /^results\.json does not say over how many documents piqa is .* say documents: \{ piqa: N \}/,
  );
  const anonymous = { ...golden, config: { ...golden.config, model_num_parameters: -1 } };
  expect(() => read(anonymous)).toThrow(/does not say how many parameters .* say parameters: N/);
  expect(() => read(golden, "[{ family: books, spec: fp32 }]")).toThrow(
    /does not say how large books-0\.2m at fp32 is; say totalBytes/,
  );
  expect(() => read(golden, "[{ family: books, spec: awq4, totalBytes: 1 }]")).toThrow(
    /awq4 is no spec of kbit's .*; say bits: N\.$/,
  );
  expect(() => read(golden, "[{ family: books, spec: stored, totalBytes: 1 }]")).toThrow(
    /how many bits a weight has; say bits: N\.$/,
  );
  expect(() => read({ ...golden, results: { piqa: { alias: "piqa" } } })).toThrow(/holds no task with a metric/);
  expect(() => read({ results: { piqa: 3 } })).toThrow(/^results\.json is no result of lm-eval: results\.piqa/);
  expect(() => parseImportedModels("- { family: x, spec: fp16, total: 3 }", "m.yaml")).toThrow(
    /^m\.yaml:1:3: there is no key "total"; expected a list of models with /,
  );
  expect(() => parseImportedModels("- family: x\n  spec: fp16\n  totalBytes: many", "m.yaml")).toThrow(
    /^m\.yaml:3:15: totalBytes/,
  );
  expect(() => parseImportedModels("- { family: x, totalBytes: 5 }", "m.yaml")).toThrow(
    /^m\.yaml:1:3: spec is missing; expected text\.$/,
  );
  expect(() => parseImportedModels("- 3", "m.yaml")).toThrow(
    /^m\.yaml:1:3: expected keys with values, got 3; write models with model, /,
  );
  expect(() => parseImportedModels("- [", "m.yaml")).toThrow(/^m\.yaml:1:\d+: /);
  const doubled = Array.from({ length: 9 }, (_, i) => `- &l${i + 1} [*l${i}, *l${i}]`).join("\n");
  expect(() => parseImportedModels(`- &l0 [x, x]\n${doubled}`, "m.yaml")).toThrow(
    /^m\.yaml: Excessive alias count .*; write the values out\.$/,
  );
  expect(() => parseImportedModels("", "m.yaml")).toThrow(/^m\.yaml:1:1: /);
});

test("bits that contradict a spec of kbit's are refused, and those of another tool's are taken", () => {
  const bits = (spec: string, bits: number) =>
    read(golden, `[{ family: books, spec: "${spec}", bits: ${bits}, totalBytes: 506496 }]`)[0].bitsPerWeight;
  expect(() => bits("nf4:b64", 7)).toThrow(
    "m.yaml: nf4:b64 has 4 bits a weight, not 7; leave bits out, or say another",
  );
  expect(() => bits("fp16", 60)).toThrow("fp16 has 16 bits a weight, not 60");
  expect(bits("nf4:b64", 4)).toBe(4);
  expect(bits("gptq4:b128", 4)).toBe(4);
});

test("a size that so many parameters cannot have is refused", () => {
  const bytes = (totalBytes: number) => read(golden, `[{ family: books, spec: fp32, totalBytes: ${totalBytes} }]`);
  const parameters = 253248;
  expect(() => bytes(1)).toThrow(
    /^The size said of books-0\.2m at fp32, 1 bytes, is 0\.0000316 bits for each of its 253248/,
  );
  expect(() => bytes(1e9)).toThrow(/is 31600 bits for each/);
  for (const each of [1, 40]) expect(bytes((parameters * each) / 8)[0].bits.total).toBe(parameters * each);
});
