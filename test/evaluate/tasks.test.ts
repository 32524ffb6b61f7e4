import { expect, test } from "vitest";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { makePrompt } from "../../src/evaluate/task.ts";
import { cleanText } from "../../src/evaluate/tasks/hellaswag.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { detokenize } from "../../src/evaluate/tasks/wikitext.ts";
import { InputError } from "../../src/input-error.ts";
import pieces from "../fixtures/evaluate-pieces/pieces.json" with { type: "json" };

/** The prompt of a document given as an object. */
function prompt(task: string, document: object) {
  return makePrompt(
    tasks[task],
    parseDocuments(JSON.stringify(document), tasks[task].fields, "test")[0],
    "test, line 1",
  );
}

test("HellaSwag's texts are cleaned as lm-eval cleans them", () => {
  for (const [text, expected] of Object.entries(pieces.hellaswag)) expect(cleanText(text)).toBe(expected);
});

test("texts full of brackets that never close take no longer than others", () => {
  const open = "( [ { ".repeat(200_000);
  expect(detokenize(open)).toBe(open);
  expect(cleanText("[".repeat(1_000_000))).toHaveLength(1_000_000);
});

test("HellaSwag's context is label, first part and capitalized second part", () => {
  const document = {
    activity_label: "Roof",
    ctx_a: "A man sits.",
    ctx_b: "THE man [x]",
    endings: ["falls.", "a  b"],
    label: "1",
  };
  expect(prompt("hellaswag", document)).toEqual({
    pairs: [
      { context: "Roof: A man sits. The man ", continuation: " falls." },
      { context: "Roof: A man sits. The man ", continuation: " a b" },
    ],
    choices: ["falls.", "a b"],
    gold: 1,
  });
});

test("WikiText is detokenized, and its words and bytes counted, as lm-eval does", () => {
  for (const [page, [text, words, bytes]] of Object.entries(pieces.wikitext)) {
    expect(detokenize(page)).toBe(text);
    expect(prompt("wikitext", { page })).toEqual({ text, words, bytes });
  }
});

test("WinoGrande puts the options into the context and keeps one continuation", () => {
  for (const [document, choices, target, gold] of pieces.winogrande) {
    expect(prompt("winogrande", document as object)).toEqual({
      pairs: (choices as string[]).map((context) => ({ context, continuation: ` ${target}` })),
      choices,
      gold,
    });
  }
});

test("LAMBADA splits off the last word at a single space", () => {
  expect(prompt("lambada_openai", { text: "I don't care about  signs" })).toEqual({
    context: "I don't care about ",
    continuation: " signs",
  });
  expect(prompt("lambada_openai", { text: "one" })).toEqual({ context: "", continuation: " one" });
});

test("PIQA asks a question and keeps the space at the end of a solution", () => {
  const document = { goal: "dresser", sol1: "bobby pin ", sol2: "é", label: 0, more: {} };
  expect(prompt("piqa", document)).toEqual({
    pairs: [
      { context: "Question: dresser\nAnswer:", continuation: " bobby pin " },
      { context: "Question: dresser\nAnswer:", continuation: " é" },
    ],
    choices: ["bobby pin ", "é"],
    gold: 0,
  });
});

test("the paper's four tasks are built in", () => {
  expect(Object.keys(tasks)).toEqual(expect.arrayContaining(["lambada_openai", "winogrande", "hellaswag", "piqa"]));
});

test.each([
  ["piqa", '{"goal": "g"', /piqa.jsonl, line 2 is not JSON/],
  ["piqa", "[1, 2]", /line 2 is not a JSON object/],
  ["piqa", '{"goal": "g", "sol1": "a", "label": 0}', /line 2 has no field "sol2"; it has "goal", "sol1", "label"/],
  ["piqa", '{"goal": "g", "sol1": "a", "sol2": 5, "label": 0}', /field "sol2" should be a text, not 5/],
  [
    "piqa",
    '{"goal": "g", "sol1": "a", "sol2": "b", "label": -1}',
    /field "label" should be a whole number from 0, not -1/,
  ],
  ["piqa", '{"goal": "g", "sol1": "a", "sol2": "b", "label": ""}', /field "label" should be a whole number/],
  ["piqa", '{"goal": "\\ud800", "sol1": "a", "sol2": "b", "label": 0}', /half a surrogate pair/],
  [
    "hellaswag",
    '{"activity_label":"","ctx_a":"","ctx_b":"","endings":["a"],"label":0}',
    /"endings" should be a list of at least two/,
  ],
  [
    "hellaswag",
    '{"activity_label":"","ctx_a":"","ctx_b":"","endings":{"length":2},"label":0}',
    /"endings" should be a list/,
  ],
  ["wikitext", '{"__proto__": {"page": "x"}}', /no field "page"/],
])("a hostile document of %s is refused with file, line and field: %s", (task, line, message) => {
  const read = () => parseDocuments(`\n${line}\n`, tasks[task].fields, `${task}.jsonl`);
  expect(read).toThrow(InputError);
  expect(read).toThrow(message);
});

test.each([
  [
    "piqa",
    { goal: "g", sol1: "a", sol2: "b", label: 2 },
    /^test, line 1 cannot be used: its answer is number 2 from 0, but it has 2 choices\.$/,
  ],
  ["winogrande", { sentence: "no blank", option1: "a", option2: "b", answer: "1" }, /no blank/],
  ["winogrande", { sentence: "a _", option1: "a", option2: "b", answer: "toString" }, /"1" or "2"/],
])("a document of %s that makes no prompt is refused: %j", (task, document, message) => {
  expect(() => prompt(task, document)).toThrow(message);
});

test("blank lines and Windows line ends do not count, and limit stops reading", () => {
  const text = '\r\n{"page": "a"}\r\n\r\n{"page": "b"}\r\nnot JSON';
  expect(parseDocuments(text, tasks["wikitext"].fields, "x", 2)).toHaveLength(2);
  expect(() => parseDocuments(text, tasks["wikitext"].fields, "x")).toThrow(/x, line 5 is not JSON/);
  expect(() => parseDocuments("\n \n", tasks["wikitext"].fields, "x")).toThrow(/x holds no documents/);
});

const choices = { text: ["one", "two"], label: ["A", "B"] };

test("labelled choices need as many labels as texts, and an answer among the labels", () => {
  const arc = { question: "Q", choices, answerKey: "B" };
  expect(prompt("arc_easy", arc)).toMatchObject({ choices: ["one", "two"], gold: 1 });
  expect(() => prompt("arc_challenge", { ...arc, answerKey: "C" })).toThrow(
    'test, line 1 cannot be used: its answer "C" is none of the labels "A", "B".',
  );
  for (const wrong of [["one"], { text: ["one", "two"], label: ["A"] }, { text: "ab", label: "AB" }, null]) {
    expect(() => prompt("openbookqa", { question_stem: "Q", choices: wrong, answerKey: "A" })).toThrow(
      /field "choices" should be an object with a list "text" and a list "label"/,
    );
  }
});

test("COPA drops the period, joins with because or therefore, and keeps lm-eval's second space", () => {
  const copa = { premise: " It rained. ", choice1: "Clouds came.", choice2: "X", question: "cause", label: 0 };
  expect(prompt("copa", copa)).toMatchObject({
    pairs: [
      { context: "It rained because", continuation: "  clouds came." },
      { context: "It rained because", continuation: "  x" },
    ],
  });
  expect(() => prompt("copa", { ...copa, question: "why" })).toThrow(/"cause" or "effect"/);
});
