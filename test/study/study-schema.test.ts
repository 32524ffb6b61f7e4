// The published JSON schema of study files: it is the one of the sources, and says of files what parseStudy says.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { createStudySchema, describeStudySchema } from "../../src/study/study-schema.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const published = JSON.parse(readFileSync(`${root}study.schema.json`, "utf8"));

// biome-ignore lint/suspicious/noExplicitAny: a JSON schema is any JSON.
type Json = any;

/** Whether a value fits a schema: the keywords of JSON Schema that the published one has, and an error for any other. */
function fits(schema: Json, value: Json): boolean {
  const { $schema: _, title: _t, description: _d, $defs: _f, ...rules } = schema;
  return Object.entries<Json>(rules).every(([keyword, rule]) => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    switch (keyword) {
      case "$ref":
        return fits(published.$defs[rule.replace("#/$defs/", "")], value);
      case "type":
        if (rule === "object") return isObject;
        if (rule === "array") return Array.isArray(value);
        if (rule === "null") return value === null;
        return rule === "integer" ? Number.isInteger(value) : typeof value === rule;
      case "anyOf":
        return rule.some((one: Json) => fits(one, value));
      case "enum":
        return rule.includes(value);
      case "const":
        return rule === value;
      case "required":
        return !isObject || rule.every((key: string) => key in value);
      case "properties":
        return !isObject || Object.keys(rule).every((key) => !(key in value) || fits(rule[key], value[key]));
      case "additionalProperties":
        return !isObject || rule || Object.keys(value).every((key) => key in schema.properties);
      case "items":
        return !Array.isArray(value) || value.every((item) => fits(rule, item));
      case "minItems":
        return !Array.isArray(value) || value.length >= rule;
      case "minLength":
        return typeof value !== "string" || value.length >= rule;
      case "pattern":
        return typeof value !== "string" || new RegExp(rule).test(value);
      case "minimum":
        return typeof value !== "number" || value >= rule;
      case "exclusiveMinimum":
        return typeof value !== "number" || value > rule;
      case "maximum":
        return typeof value !== "number" || value <= rule;
      default:
        throw new Error(`the test does not know ${keyword}`);
    }
  });
}

test("the published schema is that of the sources; node scripts/study-schema.mjs writes it", () => {
  expect(published).toEqual(describeStudySchema(Object.keys(tasks)));
});

test.each(readdirSync(`${root}experiments`).filter((name) => name.endsWith(".yaml")))("%s fits it", (name) => {
  const text = readFileSync(`${root}experiments/${name}`, "utf8");
  expect(fits(published, parse(text))).toBe(true);
  if (["books.yaml", "paper.yaml"].includes(name))
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\.\/study\.schema\.json$/m);
});

describe("it and the sources agree on", () => {
  const good = { models: "m", specs: "int4", tasks: { task: "perplexity", text: "t" } };
  const grid = {
    bits: "3-8",
    types: ["int", "float:e2"],
    blocks: [64, "none", "row"],
    proxy: [0, 2, "2-self"],
    exclude: ["*:b64", { bits: 3 }],
  };
  const cases: [what: string, file: unknown, isRight: boolean][] = [
    ["the least", good, true],
    ["lists", { ...good, models: ["a", { path: ["b", "c"], family: "f", trainingTokens: 1e9, seed: 0 }] }, true],
    [
      "a grid",
      {
        ...good,
        specs: ["fp16", { ...grid, baselines: ["fp16"], centering: "mean", scales: "double", embed: [true] }],
      },
      true,
    ],
    [
      "tasks",
      {
        ...good,
        tasks: [
          { task: "piqa", data: "d", limit: null },
          { task: "latency", context: 8, batch: 2 },
        ],
      },
      true,
    ],
    ["a task of one's own", { ...good, tasks: { task: "mine.json" } }, true],
    ["an unknown key", { ...good, spec: "int4" }, false],
    ["nothing to measure", { models: "m", specs: "int4" }, false],
    ["no models", { ...good, models: [] }, false],
    ["bits beyond 8", { ...good, specs: { ...grid, bits: 9 } }, false],
    ["a range beyond 8", { ...good, specs: { ...grid, bits: "3-9" } }, false],
    ["a block that is a word", { ...good, specs: { ...grid, blocks: "all" } }, false],
    ["a task that is none", { ...good, tasks: { task: "pica", data: "d" } }, false],
    ["documents for a text", { ...good, tasks: { task: "perplexity", data: "d" } }, false],
    ["a limit of 0", { ...good, tasks: { task: "piqa", data: "d", limit: 0 } }, false],
    ["a negative number of tokens", { ...good, models: { path: "m", trainingTokens: -1 } }, false],
  ];
  test.each(cases)("%s", (_, file, isRight) => {
    const schema = createStudySchema(Object.keys(tasks), ["mine.json"]);
    expect({ sources: schema.safeParse(file).success, published: fits(published, file) }).toEqual({
      sources: isRight,
      published: isRight,
    });
  });
});
