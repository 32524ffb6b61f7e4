import { expect, test } from "vitest";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { evaluateTask, makePrompt } from "../../src/evaluate/task.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { parseTask } from "../../src/evaluate/user-task.ts";
import { InputError } from "../../src/input-error.ts";
import { createFakeModel } from "./fake-model.ts";

const quiz = {
  name: "quiz",
  version: "1",
  kind: "choice",
  context: "Question: {{goal}}\nAnswer:",
  choices: ["{{ sol1 }}", "{{sol2}}"],
  gold: "{{label}}",
};

test("a task file can say what a built-in task says", async () => {
  const task = parseTask(JSON.stringify(quiz), "quiz.json");
  const line = JSON.stringify({ goal: "g", sol1: "a", sol2: "b é", label: 1 });
  const read = (of: typeof task) => parseDocuments(line, of.fields, "x");
  expect(makePrompt(task, read(task)[0], "x")).toEqual(makePrompt(tasks["piqa"], read(tasks["piqa"])[0], "x"));
  const model = createFakeModel({ maxLength: 64 });
  const mine = await evaluateTask(model, task, read(task));
  const builtIn = await evaluateTask(model, tasks["piqa"], read(tasks["piqa"]));
  expect(mine.metrics).toEqual(builtIn.metrics);
  expect(mine.documents).toEqual(builtIn.documents);
});

test("choices may be a list in the document, the answer a text, the delimiter empty", () => {
  const task = parseTask(
    JSON.stringify({ ...quiz, choices: "{{options}}", gold: "{{answer}}", delimiter: "", context: "{{n}}:" }),
    "quiz.json",
  );
  const [document] = parseDocuments('{"options": ["x", "y"], "answer": "y", "n": 3}', task.fields, "x");
  expect(makePrompt(task, document, "x")).toEqual({
    pairs: [
      { context: "3:", continuation: "x" },
      { context: "3:", continuation: "y" },
    ],
    choices: ["x", "y"],
    gold: 1,
  });
  const [wrong] = parseDocuments('{"options": ["x", "y"], "answer": "z", "n": 3}', task.fields, "x");
  expect(() => makePrompt(task, wrong, "x")).toThrow(/its answer "z" is neither an index nor one of its choices/);
});

test("continuation and rolling tasks have their own keys", () => {
  const last = parseTask(
    '{"name":"last","version":"2","kind":"continuation","context":"{{a}}","continuation":" {{b}}"}',
    "f",
  );
  expect(last.prompt({ a: "one", b: "two" } as never)).toEqual({ context: "one", continuation: " two" });
  const text = parseTask('{"name":"text","version":"2","kind":"rolling","text":"{{body}}"}', "f");
  expect(text.prompt({ body: "é b" } as never)).toEqual({ text: "é b", words: 2, bytes: 4 });
});

test.each([
  ["{", /quiz.json is not JSON/],
  ["[]", /should be a JSON object/],
  [{ ...quiz, kind: "generate" }, /"kind" should be one of choice, continuation, rolling, not "generate"/],
  [{ ...quiz, kind: "toString" }, /"kind" should be/],
  [{ ...quiz, answer: "x" }, /unknown key "answer"/],
  [{ ...quiz, name: "../x" }, /"name" should be/],
  [{ ...quiz, version: 1 }, /"version" should be a text, not 1/],
  [{ ...quiz, gold: undefined }, /"gold" should be a text/],
  [{ ...quiz, context: "{{goal|upper}}" }, /a template may hold text and \{\{field\}\}, nothing else/],
  [{ ...quiz, context: "{% if x %}" }, /a template may hold/],
  [{ ...quiz, choices: ["one"] }, /"choices" should be a list of at least two templates/],
  [{ ...quiz, choices: "{{goal}}" }, /uses the field "goal" as a list and as a text/],
  [{ ...quiz, context: "{{__proto__}}" }, /__proto__/],
])("the task file %j is refused", (file, message) => {
  const read = () => parseTask(typeof file === "string" ? file : JSON.stringify(file), "quiz.json");
  expect(read).toThrow(InputError);
  expect(read).toThrow(message as RegExp);
});
