// Whole runs of lm-evaluation-harness, reproduced: token ids, log-likelihoods, greedy flags, metrics and their errors.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { createEncoder, findProfile } from "../../src/evaluate/profiles.ts";
import { evaluateTask } from "../../src/evaluate/task.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import type { ContinuationScore, LanguageModel, ScoreRequest } from "../../src/language-model.ts";
import { loadModel } from "../../src/model/load.ts";
import type { Model } from "../../src/model/model.ts";

interface Golden {
  readonly metrics: Readonly<Record<string, number>>;
  readonly requests: readonly {
    readonly document: number;
    readonly arguments: readonly string[];
    readonly logLikelihood: number;
    readonly greedy?: boolean;
    readonly contextIds?: readonly number[];
    readonly continuationIds?: readonly number[];
  }[];
}

const find = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const readGolden = (path: string) => readFileSync(find(`test/fixtures/evaluation/${path}`), "utf8");
const folders = { "books-0.2m": "models/books/books-0.2m", stories260k: "test/fixtures/models/stories260k" };

describe.each([
  ["books-0.2m", folders["books-0.2m"]],
  ["stories260k", folders.stories260k],
  ["more-books-0.2m", folders["books-0.2m"]],
])("%s by lm-eval 0.4.13", (name, folder) => {
  const golden: Record<string, Golden> = JSON.parse(readGolden(`${name}.json`));
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

  test.each(Object.keys(golden))("%s", async (taskName) => {
    const task = tasks[taskName];
    const { metrics, requests } = golden[taskName];
    const file = task.files[0];
    const documents = parseDocuments(readGolden(file), task.fields, file);
    const scores = new Map<string, ContinuationScore>(); // by what is fed and scored
    const nameScore = (context: readonly number[], continuation: readonly number[]) =>
      `${[...context, ...continuation].slice(-(model.maxLength + 1))} ${continuation.length}`;
    const recording: LanguageModel = {
      ...model,
      async score(asked: readonly ScoreRequest[]) {
        const given = await model.score(asked);
        asked.forEach(({ context, continuations }, r) => {
          for (const [c, one] of continuations.entries()) scores.set(nameScore(context, one), given[r][c]);
        });
        return given;
      },
    };
    const result = await evaluateTask(recording, task, documents);

    const logLikelihoods = result.documents.flatMap((document) => document.logLikelihoods);
    expect(logLikelihoods).toHaveLength(requests.length);
    const encoder = createEncoder(model, findProfile());
    requests.forEach(({ arguments: [context, continuation], ...expected }, i) => {
      // lm-eval adds up in float32, so long sums are only as good as that.
      const tolerance = Math.max(1e-4, 4e-7 * Math.abs(expected.logLikelihood));
      expect(Math.abs(logLikelihoods[i] - expected.logLikelihood)).toBeLessThan(tolerance);
      if (!expected.contextIds) return; // rolling
      const pair = encoder.encodePair(context, continuation);
      expect([pair.context, pair.continuation]).toEqual([expected.contextIds, expected.continuationIds]);
      expect(scores.get(nameScore(pair.context, pair.continuation))!.greedy).toBe(expected.greedy);
    });
    for (const [key, value] of Object.entries(metrics)) {
      const found = result.metrics[key.replace("_stderr", "")];
      const ours = key.endsWith("_stderr") ? found.standardError! : found.value;
      // Accuracies are equal; perplexities are as near as the log-likelihoods.
      const isAccuracy = key.startsWith("acc");
      expect(Math.abs(ours - value), key).toBeLessThan(isAccuracy ? 1e-12 : 1e-4 * value);
    }
  });
});
