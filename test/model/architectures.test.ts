// Every architecture against the logits that transformers gave for small checkpoints with random weights
// (test/fixtures/make/architectures.py), fed together and one token at a time.

import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDiskFolder } from "../../src/checkpoint/file-node.ts";
import { openSafetensors } from "../../src/checkpoint/safetensors.ts";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { architectures } from "../../src/model/architectures/index.ts";
import { loadModel } from "../../src/model/load.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { largestDifference, openFixture, openModel, readJson, root } from "./open.ts";

const folder = "test/fixtures/architectures";
const names = readdirSync(`${root}${folder}`).filter((name) => existsSync(`${root}${folder}/${name}/config.json`));

async function readExpected(name: string) {
  const file = await openSafetensors(await openDiskFolder(`${root}${folder}/${name}`).open("expected.safetensors"));
  const ids = await file.readBytes("input_ids");
  const logits = await file.readBytes("logits");
  await file.close();
  return {
    ids: [...new Int32Array(ids.slice().buffer)],
    logits: new Float32Array(logits.slice().buffer),
  };
}

// Beyond the trained length the frequencies of dynamic scaling change with every token that is written, while the keys
// in the cache stay turned as they were: there decoding differs from feeding together, in transformers too.
const changesWhileWriting = new Set(["llama-dynamic-long"]);

// Their rows are stored in another order than they are computed in.
const reordered = new Set(["gptj", "falcon-40b", "gpt2"]);

test("there is a checkpoint of every architecture", () => {
  const types = names.map((name) => readJson(`${folder}/${name}/config.json`).model_type);
  expect(new Set(types)).toEqual(new Set(architectures.keys()));
});

describe.each(["reference", "wasm"])("on the %s kernels", (set) => {
  let kernels: Kernels;
  beforeAll(async () => {
    kernels = await selectKernels({ name: set, threads: 2 });
  });
  afterAll(() => kernels.close());

  describe.each(names)("%s", (name) => {
    test("gives transformers' logits, fed together, in parts, and one by one", async () => {
      const { ids, logits } = await readExpected(name);
      const together = await openModel(`${folder}/${name}`, {}, kernels);
      expect(largestDifference(await together.logits(ids), logits)).toBeLessThan(1e-4);
      const inParts = await openModel(`${folder}/${name}`, { maxTokens: 7 }, kernels);
      expect(largestDifference(await inParts.logits(ids), logits)).toBeLessThan(1e-4);
      if (changesWhileWriting.has(name)) return;
      expect(largestDifference(await together.logits(ids, "generation"), logits)).toBeLessThan(1e-4);
    });

    if (reordered.has(name))
      test("gives them from a view that has put its rows in order", async () => {
        const { ids, logits } = await readExpected(name);
        const view = quantizeCheckpoint(await openFixture(`${folder}/${name}`), parseSpec("fp32"));
        const model = await loadModel(view, kernels);
        expect(largestDifference(await model.logits(ids), logits)).toBeLessThan(1e-4);
        await model.close();
      });

    test("scores each token as the log softmax of those logits", async () => {
      if (changesWhileWriting.has(name)) return; // its logits are of more tokens than the model's length
      const { ids, logits } = await readExpected(name);
      const model = await openModel(`${folder}/${name}`, {}, kernels);
      const [[score]] = await model.score([{ context: ids.slice(0, 3), continuations: [ids.slice(3)] }]);
      const width = model.vocabularySize;
      const expected = ids.slice(3).map((id, t) => {
        const row = [...logits.subarray((t + 2) * width, (t + 3) * width)];
        return row[id] - Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
      });
      expect(largestDifference(score.logProbs, expected)).toBeLessThan(1e-4);
    });
  });
});
