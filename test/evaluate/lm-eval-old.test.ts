// Runs of lm-evaluation-harness 0.3.0, the paper's, repeated under its profile: order of documents, tokens, scores, metrics, errors.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { shuffleAsPython } from "../../src/evaluate/mersenne.ts";
import { createEncoder, findProfile } from "../../src/evaluate/profiles.ts";
import { evaluateTask } from "../../src/evaluate/task.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { loadModel } from "../../src/model/load.ts";
import type { Model } from "../../src/model/model.ts";

interface Golden {
  readonly task: string;
  readonly limit: number | null;
  readonly metrics: Readonly<Record<string, number>>;
  readonly requests: readonly {
    /** Absent: a window of a rolling text. */
    readonly arguments?: readonly [string, string];
    readonly contextIds: readonly number[];
    readonly continuationIds: readonly number[];
    readonly logLikelihood: number;
    readonly greedy: boolean;
  }[];
}

const find = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const readGolden = (path: string) => readFileSync(find(`test/fixtures/evaluation/${path}`), "utf8");
const runs: Record<string, Golden[]> = JSON.parse(readGolden("lm-eval-0.3.json"));

describe.each([
  ["books-0.2m", "models/books/books-0.2m"],
  ["stories260k", "test/fixtures/models/stories260k"],
])("%s by lm-eval 0.3.0", (name, folder) => {
  let kernels: Kernels;
  let model: Model;
  beforeAll(async () => {
    kernels = await selectKernels({ threads: 1 });
    model = await loadModel(await openCheckpoint(find(folder)), kernels);
  });
  afterAll(async () => {
    await model.close();
    await kernels.close();
  });

  test.each(runs[name])("$task, limit $limit", async ({ task: taskName, limit, metrics, requests }) => {
    const task = tasks[taskName];
    const documents = parseDocuments(readGolden(task.files[0]), task.fields, task.files[0]);
    const result = await evaluateTask(model, task, documents, { profile: "0.3", limit: limit ?? undefined });
    const found = result.documents.flatMap(({ logLikelihoods }) => logLikelihoods);

    const encoder = createEncoder(model, findProfile("0.3"));
    if (task.kind !== "rolling") {
      expect(found).toHaveLength(requests.length);
      requests.forEach(({ arguments: texts, contextIds, continuationIds, logLikelihood }, i) => {
        expect(encoder.encodePair(...texts!)).toEqual({ context: contextIds, continuation: continuationIds });
        expect(Math.abs(found[i] - logLikelihood)).toBeLessThan(1e-4);
      });
    }
    if (task.kind === "continuation")
      expect(result.documents.map(({ acc }) => acc === 1)).toEqual(requests.map(({ greedy }) => greedy));
    for (const [key, value] of Object.entries(metrics)) {
      const metric = result.metrics[key.replace("_stderr", "").replace("ppl", "perplexity")];
      const ours = key.endsWith("_stderr") ? metric.standardError! : metric.value;
      const isAccuracy = key.startsWith("acc");
      expect(Math.abs(ours - value), key).toBeLessThan(isAccuracy ? 1e-12 : 1e-4 * value);
    }
  });
});

test("documents are shuffled as Python's random.Random(42) does", () => {
  // random.Random(42).shuffle(list(range(n))): the first, and the last
  expect(shuffleAsPython(2, 42)).toEqual([1, 0]);
  const many = shuffleAsPython(10042, 42);
  expect(many.slice(0, 8)).toEqual([9792, 1027, 5366, 615, 5402, 477, 955, 6124]);
  expect(many.slice(-3)).toEqual([4506, 409, 1824]);
  expect(shuffleAsPython(1267, 42).slice(0, 4)).toEqual([187, 719, 618, 35]);
});
