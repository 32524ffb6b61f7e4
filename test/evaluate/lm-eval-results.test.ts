// The result JSON against lm-eval's own of the same run: every key that it has there, with the same value where both know it.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { listLmEvalResults } from "../../src/evaluate/lm-eval-results.ts";
import { evaluateTask } from "../../src/evaluate/task.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { loadModel } from "../../src/model/load.ts";

const find = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const golden = JSON.parse(readFileSync(find("test/fixtures/evaluation/lm-eval-results.json"), "utf8"));

/** Values that describe the harness, not the result. */
const own = new Set(["config.model", "config.model_args", "config.model_dtype", "config.model_sha", "config.device"]);

function expectHolds(found: unknown, expected: unknown, where: string): void {
  if (own.has(where)) expect(found, where).toBeDefined();
  else if (typeof expected === "number" && !Number.isInteger(expected)) {
    expect(typeof found, where).toBe("number");
    // Log-likelihoods agree to 1e-4; a bootstrap of five documents multiplies that.
    expect(Math.abs((found as number) / expected - 1), where).toBeLessThan(1e-4);
  } else if (typeof expected === "object" && expected !== null) {
    for (const [key, value] of Object.entries(expected)) {
      expect(found, where).toHaveProperty([key]);
      expectHolds((found as Record<string, unknown>)[key], value, `${where}.${key}`.replace(/^\./, ""));
    }
  } else expect(found, where).toEqual(expected);
}

test("every key and number of lm-eval's result JSON is there", async () => {
  const kernels = await selectKernels({ threads: 1 });
  const model = await loadModel(await openCheckpoint(find("models/books/books-0.2m")), kernels);
  const entries = [];
  for (const name of ["piqa", "wikitext", "lambada_openai"]) {
    const task = tasks[name];
    const text = readFileSync(find(`test/fixtures/evaluation/${task.files[0]}`), "utf8");
    const documents = parseDocuments(text, task.fields, name);
    const result = await evaluateTask(model, task, documents, { limit: 5, bootstrapIterations: 1000 });
    entries.push({ task, result, documentsInFile: documents.length });
  }
  await model.close();
  await kernels.close();
  const document = listLmEvalResults(entries, {
    model: "books-0.2m",
    modelArgs: "",
    parameters: 253248,
    computeType: "float32",
    maxLength: 256,
    limit: 5,
    bootstrapIterations: 1000,
    profile: "lm-eval-0.4.9.2",
    kbit: "0",
    started: new Date(0),
    seconds: 1,
  });
  expectHolds(JSON.parse(JSON.stringify(document)), golden, "");
});
