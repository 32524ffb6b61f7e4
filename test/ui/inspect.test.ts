// What the inspector counts, against the definitions written out plainly on a matrix of a bundled model.

import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inspectMatrix } from "../../dashboard/inspect.ts";
import {
  type Checkpoint,
  dequantize,
  isQuantized,
  openCheckpoint,
  parseSpec,
  quantizeCheckpoint,
  toFloat32,
} from "../../src/node.ts";
import { bundledModels } from "../../src/ui/models-node.ts";

const name = "gpt_neox.layers.0.mlp.dense_4h_to_h.weight";
let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(bundledModels, "books-0.2m"));
});
afterAll(() => checkpoint.close());

test("histogram, codes, blocks and columns are those of the quantized matrix", async () => {
  const spec = parseSpec("int4:b64:center-block:proxy2");
  const seen = await inspectMatrix(checkpoint, spec, name);
  const [original, quantized] = [await checkpoint.read(name), await quantizeCheckpoint(checkpoint, spec).read(name)];
  if (isQuantized(original) || !isQuantized(quantized)) throw new Error("not as expected");
  const [weights, restored] = [toFloat32(original), dequantize(quantized)];
  const [rows, columns] = quantized.shape;
  expect(seen.shape).toEqual([rows, columns]);
  expect(seen.outlierColumns).toEqual(quantized.outliers!.columns);
  const counted = weights.length - rows * seen.outlierColumns.length;
  for (const counts of [seen.histogram, seen.codeCounts]) expect(counts.reduce((a, b) => a + b)).toBe(counted);
  expect(seen.codeCounts).toHaveLength(seen.codebook.length);
  seen.blockErrors.forEach((error, block) => {
    const at = (list: Float32Array) => list.subarray(block * 64, block * 64 + 64);
    const squares = at(weights).reduce((sum, w) => sum + w * w, 0);
    const wrong = at(weights).reduce((sum, w, i) => sum + (w - at(restored)[i]) ** 2, 0);
    expect(error).toBeCloseTo(Math.sqrt(wrong / squares), 5);
  });
  const column = Array.from({ length: rows }, (_, row) => weights[row * columns + 5]);
  const mean = column.reduce((a, b) => a + b) / rows;
  const variance = column.reduce((sum, w) => sum + (w - mean) ** 2, 0) / (rows - 1);
  expect(seen.columnDeviations[5]).toBeCloseTo(Math.sqrt(variance), 6);
});

test("in every block without centering some weight is the absmax, so the outermost bins are filled", async () => {
  const seen = await inspectMatrix(checkpoint, parseSpec("nf4:b64"), name);
  const ends = seen.histogram[0] + seen.histogram[seen.histogram.length - 1];
  expect(ends).toBeGreaterThanOrEqual(seen.blockErrors.length);
  expect(seen.outlierColumns).toHaveLength(0);
});

test.each([
  ["fp16", name, /quantizes nothing/],
  ["int4:b64", "no.such.matrix", /has no matrix no.such.matrix/],
  ["int4:b64", "gpt_neox.embed_in.weight", /leaves gpt_neox.embed_in.weight as it is: embedding/],
])("%s of %s is refused in a sentence", async (spec, matrix, sentence) => {
  await expect(inspectMatrix(checkpoint, parseSpec(spec), matrix)).rejects.toThrow(sentence);
});
