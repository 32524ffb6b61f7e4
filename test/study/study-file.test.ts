// Study files and flags: what they mean, and where and how a wrong one is refused.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { formatSpec, parseSpec } from "../../src/quantize/spec-text.ts";
import { createStudy, parseStudy } from "../../src/study/study-file.ts";

const folder = mkdtempSync(join(tmpdir(), "kbit-study-"));
afterAll(() => rmSync(folder, { recursive: true }));
for (const model of ["opt-125m", "opt-1.3b", "small/pythia-70m-deduped", "family/a", "family/b"]) {
  mkdirSync(join(folder, "models", model), { recursive: true });
  writeFileSync(join(folder, "models", model, "config.json"), "{}");
}
writeFileSync(
  join(folder, "models/family/family.json"),
  '{"name": "letters", "models": ["b", {"folder": "a", "trainingTokens": 1000, "seed": 2}]}',
);
writeFileSync(join(folder, "models/notes.txt"), "");
writeFileSync(join(folder, "text.txt"), "Some text.");
writeFileSync(join(folder, "piqa.jsonl"), "{}");
writeFileSync(join(folder, "copa.parquet"), "PAR1");
writeFileSync(join(folder, "piqa.json"), "{}");
writeFileSync(
  join(folder, "perplexity.json"),
  '{"name": "perplexity", "version": "1", "kind": "rolling", "text": "{{text}}"}',
);
writeFileSync(join(folder, "empty.txt"), "");
writeFileSync(join(folder, "large.txt"), "");
truncateSync(join(folder, "large.txt"), 6e8); // sparse: it takes no room

const fileName = join(folder, "study.yaml");
const parse = (text: string) => parseStudy(text, fileName);
const refusal = (text: string): string => {
  try {
    parse(text);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return (error as Error).message.replaceAll(`${folder}/`, "");
  }
  throw new Error("It was not refused.");
};

const good = `
models: models/opt-*
specs: [fp16, int4:b64]
tasks: { task: perplexity, text: text.txt, window: 64, limit: 10 }
`;

test("a mix is read from its file, relative to the study, and named by its content", () => {
  mkdirSync(join(folder, "mixes"), { recursive: true });
  writeFileSync(join(folder, "mixes/a.json"), '{"*": "nf4:b64", "*.fc2.weight": "int8"}');
  writeFileSync(join(folder, "mixes/b.json"), '{"*.fc2.weight": "int8", "default": "nf4:b64"}');
  const { specs } = parse(good.replace("int4:b64", "mix:mixes/a.json, mix:mixes/b.json, int4:b64"));
  expect(specs.map(({ text }) => text)).toEqual(["fp16", expect.stringMatching(/^mix:[0-9a-f]{16}$/), "int4:b64"]);
  expect(specs[1].spec).toMatchObject({ kind: "mix", entries: [{ pattern: "default" }, { pattern: "*.fc2.weight" }] });
  // It crosses to workers as plain JSON.
  expect(JSON.parse(JSON.stringify(specs[1].spec))).toEqual(specs[1].spec);
  writeFileSync(join(folder, "mixes/bad.json"), '{"*.fc2.weight": "int9"}');
  expect(refusal(good.replace("int4:b64", "mix:mixes/bad.json"))).toMatch(
    /^study\.yaml:3:15: spec "mix:mixes\/bad\.json": mixes\/bad\.json: "\*\.fc2\.weight": spec "int9": int has 2 to 8 bits, not 9/,
  );
  expect(refusal(good.replace("int4:b64", "mix:mixes/none.json"))).toMatch(/there is no file mixes\/none\.json\.$/);
});

describe("parseStudy", () => {
  test("times tokens at a batch and a context of choice, and takes no data for it", () => {
    const times = (entry: string) => parse(good.replace(/tasks: .*/, `tasks: [{ task: latency${entry} }]`)).tasks;
    const none = { task: "latency", data: "", limit: null };
    expect(times("")).toEqual([{ ...none, context: 128, batch: 1 }]);
    expect(times(", batch: 8, context: 64")).toEqual([{ ...none, context: 64, batch: 8 }]);
    const flags = { models: [join(folder, "models/opt-125m")], specs: ["fp16"] };
    expect(createStudy({ ...flags, tasks: ["latency:batch-8-context-64", "latency"] }).tasks).toEqual([
      { ...none, context: 64, batch: 8 },
      { ...none, context: 128, batch: 1 },
    ]);
    for (const task of ["latency:batch-8", "latency:batch-0", "latency-4"])
      expect(() => createStudy({ ...flags, tasks: [task] })).toThrow(
        `--tasks: ${task} is no task; write latency, or latency:batch-8-context-256.`,
      );
    const wrong = (entry: string) => refusal(good.replace(/tasks: .*/, `tasks: [{ task: latency${entry} }]`));
    expect(wrong(", text: text.txt")).toMatch(/there is no key "text" here; expected one of task, context, batch/);
    expect(wrong(", context: 0")).toMatch(/expected at least 1, got 0/);
    expect(refusal(good.replace("limit: 10", "batch: 2"))).toMatch(/there is no key "batch" here/);
  });

  test("reads models, specs and tasks, with paths relative to the file", () => {
    const study = parse(good);
    expect(study.name).toBe("study");
    expect(study.models).toEqual([
      { path: join(folder, "models/opt-1.3b"), name: "opt-1.3b", family: "opt" },
      { path: join(folder, "models/opt-125m"), name: "opt-125m", family: "opt" },
    ]);
    expect(study.specs.map((spec) => spec.text)).toEqual(["fp16", "int4:b64"]);
    expect(study.tasks).toEqual([{ task: "perplexity", data: join(folder, "text.txt"), window: 64, limit: 10 }]);
  });

  test("reads the same from JSON", () => {
    const json = `{
\t"models": "models/opt-*",
\t"specs": ["fp16", "int4:b64"],
\t"tasks": {"task": "perplexity", "text": "text.txt", "window": 64, "limit": 10}
}`;
    expect(parse(json)).toEqual(parse(good));
  });

  test("takes the schema's address, which editors ask for, and ignores it", () => {
    const json = (rest: object) =>
      JSON.stringify({ ...rest, models: "models/opt-*", specs: "int4", tasks: { task: "piqa", data: "." } });
    expect(parse(json({ $schema: "./study.schema.json" }))).toEqual(parse(json({})));
    expect(refusal(json({ $schema: 3 }))).toBe("study.yaml:1:12: expected text, got 3.");
    expect(refusal(json({ $shema: "x" }))).toMatch(/there is no key "\$shema" here/);
  });

  test("keeps a family's order of size, and takes names", () => {
    const { models } = parse(`
models:
  - models/family
  - { family: giants, path: [models/opt-125m, models/opt-1.3b] }
  - { name: tiny, path: models/small/pythia-70m-deduped }
  - models/opt-125m
specs: fp16
tasks: [{ task: perplexity, text: text.txt }, { task: piqa, data: piqa.jsonl, limit: null }]
`);
    expect(models.map(({ name, family }) => [name, family])).toEqual([
      ["b", "letters"],
      ["a", "letters"],
      ["opt-125m", "giants"],
      ["opt-1.3b", "giants"],
      ["tiny", "pythia-deduped"],
    ]);
  });

  test("takes a convention of windows", () => {
    const tasks = "tasks: { task: perplexity, text: text.txt, convention: windows-bos, window: 64 }";
    expect(parse(good.replace(/tasks:.*/, tasks)).tasks).toEqual([
      { task: "perplexity", data: join(folder, "text.txt"), convention: "windows-bos", window: 64, limit: null },
    ]);
    expect(() => parse(good.replace(/tasks:.*/, tasks.replace("windows-bos, window", "gptq, stride")))).toThrow(
      "the convention gptq has no stride; leave it out.",
    );
  });

  test("takes the conventions of an older lm-eval", async () => {
    const study = parse(good.replace(/tasks:.*/, "tasks: { task: piqa, data: ., profile: lm-eval-0.3 }"));
    expect(study.tasks).toEqual([
      { task: "piqa", data: join(folder, "piqa.jsonl"), profile: "lm-eval-0.3", limit: null },
    ]);
    expect(() => parse(good.replace(/tasks:.*/, "tasks: { task: piqa, data: ., profile: lm-eval-9 }"))).toThrow(
      /"lm-eval-9".*lm-eval-0\.3/,
    );
  });

  test("takes the folder of a task's file as well as the file", () => {
    expect(parse(good.replace(/tasks:.*/, "tasks: { task: piqa, data: ., limit: 3 }")).tasks).toEqual([
      { task: "piqa", data: join(folder, "piqa.jsonl"), limit: 3 },
    ]);
    expect(parse(good.replace(/tasks:.*/, "tasks: { task: copa, data: . }")).tasks).toEqual([
      { task: "copa", data: join(folder, "copa.parquet"), limit: null },
    ]);
  });

  test("takes a task of the user's own with the documents beside it, or where they are", () => {
    const path = join(folder, "quiz.json");
    const text =
      '{"name": "quiz", "version": "1", "kind": "continuation", "context": "{{a}}", "continuation": "{{b}}"}';
    writeFileSync(path, text);
    writeFileSync(join(folder, "quiz.jsonl"), '{"a": "one", "b": " two"}');
    const definition = { path, text };
    const choice = { task: "quiz", definition, data: join(folder, "quiz.jsonl"), limit: null };
    expect(parse(good.replace(/tasks:.*/, "tasks: { task: quiz.json }")).tasks).toEqual([choice]);
    expect(parse(good.replace(/tasks:.*/, "tasks: { task: quiz.json, data: piqa.jsonl, limit: 4 }")).tasks).toEqual([
      { ...choice, data: join(folder, "piqa.jsonl"), limit: 4 },
    ]);
    expect(createStudy({ models: [join(folder, "models/opt-*")], specs: ["fp16"], tasks: [path] }).tasks).toEqual([
      choice,
    ]);
  });

  test("keeps the word for weights that are not finite", () => {
    expect(parse(good)).not.toHaveProperty("allowNonfinite");
    expect(parse(`${good}allowNonfinite: true\n`).allowNonfinite).toBe(true);
  });

  test("takes a Hub id where no folder is meant", () => {
    expect(parse(good.replace("models/opt-*", "facebook/opt-125m")).models).toEqual([
      { path: "facebook/opt-125m", name: "opt-125m", family: "opt" },
    ]);
  });

  test("takes families by a glob, in their order of size, and what an entry says of training", () => {
    const { models } = parse(
      good.replace("models/opt-*", "[models/fam*, { path: models/opt-125m, trainingTokens: 180000000000, seed: 3 }]"),
    );
    expect(models.map(({ name, family, trainingTokens, seed }) => [name, family, trainingTokens, seed])).toEqual([
      ["b", "letters", undefined, undefined],
      ["a", "letters", 1000, 2],
      ["opt-125m", "opt", 180_000_000_000, 3],
    ]);
  });
});

test("the paper's study has its bits, types and block sizes, and thousands of experiments on the bundled families", () => {
  const path = fileURLToPath(new URL("../../experiments/paper.yaml", import.meta.url));
  const { models, specs, tasks, notes } = parseStudy(readFileSync(path, "utf8"), path);
  expect(notes).toEqual([]);
  expect(models.length * specs.length * tasks.length).toBeGreaterThan(5000);
  const texts = new Set(specs.map(({ text }) => text));
  expect(texts).toContain("fp16");
  for (const bits of [3, 4, 5, 6, 7, 8])
    for (const block of ["", ":b64", ":b128", ":b256", ":b512", ":b1024", ":b2048", ":b4096"])
      for (const type of [`int${bits}`, `float${bits}:e${bits === 3 ? 2 : 3}`, `dynamic${bits}`, `quantile${bits}`])
        expect(texts).toContain(formatSpec(parseSpec(`${type}${block}`)));
  for (const text of [
    "float8:e7:b64",
    "float3:e1:b64",
    "int4:b64:center",
    "quantile3:b64:proxy2",
    "int4:b64:embed:head",
  ])
    expect(texts).toContain(formatSpec(parseSpec(text)));
});

test("the bundled study is four models at eight precisions on one text", () => {
  const path = fileURLToPath(new URL("../../experiments/books.yaml", import.meta.url));
  const study = parseStudy(readFileSync(path, "utf8"), path);
  expect(study.models.map(({ name }) => name)).toEqual(["books-0.2m", "books-0.4m", "books-0.8m", "books-1.7m"]);
  expect(new Set(study.models.map(({ family }) => family))).toEqual(new Set(["books"]));
  expect(study.specs.map(({ spec }) => (spec.kind === "quantized" ? spec.bits : spec.type))).toEqual([
    "fp16",
    2,
    3,
    4,
    5,
    6,
    7,
    8,
  ]);
  expect(study.models.length * study.specs.length * study.tasks.length).toBe(32);
});

describe("a wrong study file is refused at its line and column:", () => {
  const cases: [what: string, text: string, message: string | RegExp][] = [
    ["bad YAML", "models: [a\nspecs: b", /^study\.yaml:2:\d+: ./],
    ["a key twice", `${good}models: x\n`, /^study\.yaml:5:1: Map keys must be unique\./],
    [
      "an unknown key",
      good.replace("specs", "spec"),
      'study.yaml:3:1: there is no key "spec" here; did you mean specs?',
    ],
    [
      "an unknown key of a grid",
      good.replace("[fp16, int4:b64]", "{ bits: 3-8, types: int, block: 64 }"),
      'study.yaml:3:33: there is no key "block" here; did you mean blocks?',
    ],
    [
      "a missing key",
      "models: models/opt-*\nspecs: fp16\n",
      "study.yaml:1:1: tasks is missing; expected keys with values or a list.",
    ],
    [
      "a data type of a grid that is none, before it is left out",
      good.replace("[fp16, int4:b64]", "{ bits: 3-8, types: [int, flaot] }"),
      /^study\.yaml:3:34: expected one of int, float, .*, got "flaot"\.$/,
    ],
    [
      "a number that is not above 0",
      good.replace("models/opt-*", "{ path: models/opt-*, trainingTokens: 0 }"),
      "study.yaml:2:47: expected more than 0, got 0.",
    ],
    ["nothing", "", /^study\.yaml:1:1: models is missing/],
    ["text for a number", good.replace("10", "ten"), 'study.yaml:4:63: expected a number, got "ten".'],
    ["a number too small", good.replace("10", "0"), "study.yaml:4:63: expected at least 1, got 0."],
    [
      "bits that do not exist",
      good.replace("[fp16, int4:b64]", "\n  - { bits: [3, 9], types: int }"),
      "study.yaml:4:17: expected at most 8, got 9.",
    ],
    [
      "a range of bits that do not exist",
      good.replace("[fp16, int4:b64]", "{ bits: 3-9, types: int }"),
      'study.yaml:3:16: expected at most 8, got "3-9".',
    ],
    [
      "a range that is none",
      good.replace("[fp16, int4:b64]", "{ bits: 3..8, types: int }"),
      'study.yaml:3:16: expected a range such as 3-8, got "3..8".',
    ],
    [
      "a range in a spec that goes too far",
      good.replace("int4", "int3-9"),
      /^study\.yaml:3:15: .*int has 2 to 8 bits, not 9/,
    ],
    [
      "a misspelt word",
      good.replace("[fp16, int4:b64]", "{ bits: 3, types: int, centering: meen }"),
      'study.yaml:3:42: "meen" is not known; did you mean mean?',
    ],
    [
      "a misspelt task",
      good.replace("perplexity", "perplexty"),
      'study.yaml:4:16: "perplexty" is not known; did you mean perplexity?',
    ],
    ["a misspelt spec", good.replace("int4:b64", "flaot4"), /^study\.yaml:3:15: .*float/],
    [
      "a missing text",
      good.replace("text.txt", "txet.txt"),
      "study.yaml:4:34: there is no file txet.txt; did you mean text.txt?",
    ],
    [
      "a file of a task that is not there",
      good.replace(/tasks:.*/, "tasks: { task: quizz.json }"),
      /^study\.yaml:4:16: there is no file .*quizz\.json/,
    ],
    [
      "a Parquet file as a text",
      good.replace(/tasks:.*/, "tasks: { task: perplexity, text: copa.parquet }"),
      /^study\.yaml:4:\d+: .*copa\.parquet is no text; a task file of kind "rolling" reads texts from a column\.$/,
    ],
    [
      "a file that is no task",
      good.replace(/tasks:.*/, "tasks: { task: piqa.json }"),
      /^study\.yaml:4:16: piqa\.json: "kind" should be one of choice, continuation, rolling, not undefined\.$/,
    ],
    [
      "a task that takes the name of perplexity",
      good.replace(/tasks:.*/, "tasks: { task: perplexity.json }"),
      /^study\.yaml:4:16: perplexity\.json has the name perplexity/,
    ],
    [
      "a folder without the file of a task",
      good.replace(/tasks:.*/, "tasks: { task: winogrande, data: models }"),
      /^study\.yaml:4:34: the folder models holds no winogrande.*\.jsonl.* for the task winogrande\.$/,
    ],
    [
      "a folder for a text",
      good.replace("text.txt", "models"),
      /^study\.yaml:4:34: models is a folder; name the text file/,
    ],
    [
      "a text for documents",
      good.replace(/tasks:.*/, "tasks: { task: piqa, text: text.txt }"),
      'study.yaml:4:22: there is no key "text" for piqa; its file of documents, or its folder, is named by "data".',
    ],
    [
      "documents for a text",
      good.replace(/text: text.txt/, "data: text.txt"),
      'study.yaml:4:28: there is no key "data" for perplexity; its text is named by "text".',
    ],
    [
      "a window for documents",
      good.replace(/tasks:.*/, "tasks: { task: piqa, data: piqa.jsonl, window: 3 }"),
      'study.yaml:4:40: there is no key "window" here; expected one of task, data, profile, limit.',
    ],
    ["an empty text", good.replace("text.txt", "empty.txt"), /^study\.yaml:4:34: empty\.txt is empty/],
    [
      "a text that is too large",
      good.replace("text.txt", "large.txt"),
      /^study\.yaml:4:34: large\.txt has 600000000 bytes/,
    ],
    [
      "a missing model",
      good.replace("opt-*", "opt-126m"),
      "study.yaml:2:9: There is no model at models/opt-126m; did you mean opt-125m?",
    ],
    [
      "a glob without a match",
      good.replace("opt-*", "bloom-*"),
      /^study\.yaml:2:9: No model folder matches models\/bloom-\*/,
    ],
    ["a glob without a model", good.replace("opt-*", "*.txt"), /matches no folder with a config\.json/],
    ["one name for two models", good.replace("models/opt-*", "{ name: x, path: models/opt-* }"), /stands for 2 models/],
    [
      "two models of one name",
      good.replace("models/opt-*", "[models/opt-125m, { name: opt-125m, path: models/opt-1.3b }]"),
      /^study\.yaml:2:27: two models have the name opt-125m/,
    ],
    [
      "a stride above the window",
      good.replace("limit: 10", "stride: 65"),
      /^study\.yaml:4:34: the stride \(65\) is above the window \(64\)/,
    ],
    [
      "a missing codebook",
      good.replace("int4:b64", "file:no.json:b64"),
      /^study\.yaml:3:15: .*there is no file no\.json\.$/,
    ],
    [
      "aliases that multiply",
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [${"*a,".repeat(20)}]\nc: [${"*b,".repeat(20)}]`,
      /^study\.yaml: Excessive alias count/,
    ],
    [
      "an empty list",
      good.replace("[fp16, int4:b64]", "[]"),
      /^study\.yaml:3:8: expected at least one, got an empty list\.$/,
    ],
  ];
  test.each(cases)("%s", (_, text, message) => {
    if (typeof message === "string") expect(refusal(text)).toBe(message);
    else expect(refusal(text)).toMatch(message);
  });
});

describe("createStudy", () => {
  const models = [join(folder, "models/opt-*")];

  test("reads flags", () => {
    const study = createStudy({ models, specs: ["fp16", "int3-4:b64"], tasks: ["piqa"], data: folder, limit: 5 });
    expect(study.specs.map((spec) => spec.text)).toEqual(["fp16", "int3:b64", "int4:b64"]);
    expect(study.tasks).toEqual([{ task: "piqa", data: join(folder, "piqa.jsonl"), limit: 5 }]);
    const data = join(folder, "piqa.jsonl"); // of one task also the file itself
    expect(createStudy({ models, specs: ["fp16"], tasks: ["piqa"], data }).tasks).toEqual([
      { task: "piqa", data, limit: null },
    ]);
    expect(() => createStudy({ models, specs: ["fp16"], tasks: ["piqa", "copa"], data })).toThrow(/^--data: .*2 tasks/);
  });

  test("names the flag that is wrong", () => {
    const text = join(folder, "text.txt");
    expect(() => createStudy({ models, specs: ["imt4"], text })).toThrow(/^--specs: /);
    expect(() => createStudy({ models: ["nowhere"], specs: ["int4"], text })).toThrow(/^There is no model/);
    expect(() => createStudy({ models, specs: ["int4"], tasks: ["pica"], data: folder })).toThrow(
      /^--tasks: .*did you mean piqa\?/,
    );
    expect(() => createStudy({ models, specs: ["int4"], tasks: ["piqa"] })).toThrow(/say --data FOLDER/);
    const empty = join(folder, "empty.txt");
    expect(() => createStudy({ models, specs: ["int4"], text: empty })).toThrow(/^--text: .*empty\.txt is empty/);
    expect(() => createStudy({ models, specs: ["int4"], text, stride: 3, window: 2 })).toThrow(
      /the stride \(3\) is above/,
    );
    expect(() => createStudy({ models, specs: ["int4"] })).toThrow(/has no task/);
    expect(() => createStudy({ models, specs: ["int4"], text: "/dev/null" })).toThrow(
      /^--text: \/dev\/null is no file with a text in it; name one\.$/,
    );
  });
});
