// Conformance of matrix products and of whatever else reads weights: every width, data type, block and shape.

import { afterAll, describe, expect, test } from "vitest";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { dequantize } from "../../src/quantize/quantize.ts";
import { isQuantized, type QuantizedTensor } from "../../src/quantize/quantized.ts";
import { fromFloat32, toFloat32 } from "../../src/tensor/convert.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { bufferOf, quantizedMatrix, randomValues, sumOfMagnitudes, testedSets, worstError } from "./sets.ts";

/** Bound on |difference| / sum |terms|: some units in the last place of float32, 6e-8. */
const tolerance = 1e-6;

const paths = ["generation", "scoring"] as const;
const widths = [2, 3, 4, 5, 6, 7, 8];
/** Odd rows and columns, rows shorter and longer than a group of 512 codes and than every internal stretch. */
const shapes: [number, number][] = [
  [1, 1],
  [3, 5],
  [7, 16],
  [9, 48],
  [33, 100],
  [5, 127],
  [12, 512],
  [6, 515],
  [4, 1600],
  [3, 2050],
];

const reference = createReferenceKernels();

async function product(
  kernels: Kernels,
  stored: Tensor | QuantizedTensor,
  x: Float32Array,
  path: (typeof paths)[number],
  bias?: Float32Array,
) {
  const weight = kernels.loadWeight(stored);
  const tokens = x.length / weight.columns;
  const input = bufferOf(kernels, x);
  const added = bias && bufferOf(kernels, bias);
  const out = kernels.createBuffer(tokens * weight.rows);
  kernels.matmul(out, input, weight, tokens, path, added);
  const result = await kernels.read(out);
  for (const handle of [weight, input, out, ...(added ? [added] : [])]) kernels.release(handle);
  return result;
}

/** Checks both paths, with and without bias, for one and several tokens. */
async function expectProducts(kernels: Kernels, stored: Tensor | QuantizedTensor) {
  const [rows, columns] = stored.shape;
  const values = isQuantized(stored) ? dequantize(stored) : toFloat32(stored);
  const bias = randomValues(rows, 5);
  for (const tokens of [1, 5]) {
    const x = randomValues(tokens * columns, 9);
    const magnitudes = sumOfMagnitudes(values, x, columns).map((sum, i) => sum + Math.abs(bias[i % rows]));
    const expected = await product(reference, stored, x, "scoring", bias);
    for (const path of paths) {
      const computed = await product(kernels, stored, x, path, bias);
      expect(worstError(computed, expected, magnitudes), `${path}, ${tokens} tokens of ${stored.shape}`).toBeLessThan(
        tolerance,
      );
    }
  }
}

describe.each(testedSets)("$name", ({ create }) => {
  const kernels = create(1);
  const threaded = create(2);
  afterAll(async () => {
    await (await kernels).close();
    await (await threaded).close();
  });

  test.each(shapes)(
    "dense weights of every storage type multiply as the reference does, %d x %d",
    async (rows, columns) => {
      const values = randomValues(rows * columns, 2, 0.1);
      for (const type of ["F32", "F16", "BF16", "F64"] as const) {
        await expectProducts(await kernels, fromFloat32("w", values, [rows, columns], type));
      }
    },
  );

  test.each(widths)("%d-bit weights multiply as the reference does, whatever the shape", async (bits) => {
    for (const [rows, columns] of shapes) {
      await expectProducts(await kernels, quantizedMatrix(`int${bits}:b64`, rows, columns));
    }
  });

  test.each([
    "b16",
    "b100",
    "b1000",
    "b4096",
    "brow",
    "",
    "b64:a32",
    "b64:dq",
    "b48:center",
    "b100:center-median",
    "b33:center-block",
    "brow:center-block",
  ])("blocks and scales of every kind are applied: %s", async (options) => {
    for (const bits of widths) {
      const text = options ? `quantile${bits}:${options}` : `quantile${bits}`;
      for (const [rows, columns] of [
        [9, 48],
        [33, 100],
        [6, 515],
        [40, 256],
        [5, 1024],
      ]) {
        await expectProducts(await kernels, quantizedMatrix(text, rows, columns));
      }
    }
  });

  test.each([
    "float3:e2",
    "float4:e3",
    "float8:e4",
    "dynamic5",
    "quantile6",
    "quantile7",
    "nf4",
    "nf3",
    "af4",
    "bnbfp4",
    "dynamic8",
  ])("the codebook of %s is looked up exactly", async (type) => {
    for (const [rows, columns] of [
      [5, 127],
      [8, 512],
      [21, 384],
    ]) {
      const stored = quantizedMatrix(`${type}:b64:a32`, rows, columns);
      const [own, expected] = await Promise.all(
        [await kernels, reference].map(async (set) => {
          const weight = set.loadWeight(stored);
          const out = set.createBuffer(rows * columns);
          set.embed(
            out,
            weight,
            Int32Array.from({ length: rows }, (_, r) => rows - 1 - r),
          );
          return set.read(out);
        }),
      );
      expect(own).toEqual(expected);
      await expectProducts(await kernels, stored);
    }
  });

  test("outlier columns keep their 16-bit weights", async () => {
    for (const text of ["int3:b64:proxy2", "nf4:b64:proxy2", "int8:b100:center:proxy5"]) {
      for (const [rows, columns] of [
        [9, 48],
        [33, 100],
        [5, 515],
        [4, 2050],
      ]) {
        for (const outliers of [1, 3, 17])
          await expectProducts(await kernels, quantizedMatrix(text, rows, columns, { outliers }));
      }
    }
  });

  test("float16 and bfloat16 weights are converted exactly, all 65536 of them", async () => {
    const set = await kernels;
    const bytes = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);
    for (const type of ["F16", "BF16"] as const) {
      const stored: Tensor = { name: "w", type, shape: [32, 2048], bytes };
      const out = set.createBuffer(65536);
      set.embed(
        out,
        set.loadWeight(stored),
        Int32Array.from({ length: 32 }, (_, r) => r),
      );
      expect(await set.read(out)).toEqual(toFloat32(stored));
    }
  });

  test.each(paths)(
    "a %s product has the same bits alone, in a batch, anywhere in it and by two threads",
    async (path) => {
      for (const stored of [
        quantizedMatrix("int4:b64", 600, 384),
        quantizedMatrix("quantile3:b100:center", 517, 515, { outliers: 9 }),
        quantizedMatrix("dynamic8:brow", 130, 2500),
        quantizedMatrix("int6:b64", 90, 512),
        quantizedMatrix("float7:b64:a32", 130, 1024),
        quantizedMatrix("quantile8:b128", 70, 1536),
        fromFloat32("w", randomValues(517 * 515, 3), [517, 515], "F16"),
        fromFloat32("w", randomValues(517 * 515, 3), [517, 515], "F32"),
      ]) {
        const [rows, columns] = stored.shape;
        const tokens = 9;
        const x = randomValues(tokens * columns, 4);
        const bias = randomValues(rows, 6);
        const together = await product(await kernels, stored, x, path, bias);
        expect(await product(await threaded, stored, x, path, bias)).toEqual(together);
        for (const count of [1, 2, 4, 5]) {
          for (const start of [0, 3, tokens - count]) {
            const part = await product(
              await threaded,
              stored,
              x.slice(start * columns, (start + count) * columns),
              path,
              bias,
            );
            expect(part).toEqual(together.slice(start * rows, (start + count) * rows));
          }
        }
      }
    },
  );

  test("both paths agree to 1e-4", async () => {
    const stored = quantizedMatrix("float4:e3:b64", 100, 2048);
    const x = randomValues(3 * 2048, 8);
    const [first, second] = [
      await product(await kernels, stored, x, "generation"),
      await product(await kernels, stored, x, "scoring"),
    ];
    expect(worstError(first, second, 1)).toBeLessThan(1e-4);
  });

  test("scored targets match the reference, however large the vocabulary", async () => {
    for (const [stored, tokens] of [
      [fromFloat32("head", randomValues(1000 * 48, 3), [1000, 48], "F16"), 7],
      [fromFloat32("head", randomValues(64 * 20, 3), [64, 20], "F32"), 3],
      [fromFloat32("head", randomValues(3 * 20, 3), [3, 20], "BF16"), 1],
      [quantizedMatrix("int4:b64", 501, 100), 600],
    ] as const) {
      const [rows, columns] = stored.shape;
      const targets = Int32Array.from({ length: tokens }, (_, i) => (i * 37) % rows);
      const score = async (set: Kernels) => {
        const x = bufferOf(set, randomValues(tokens * columns, 11, 2));
        return set.scoreTargets(x, set.loadWeight(stored), targets, bufferOf(set, randomValues(rows, 12)));
      };
      const expected = await score(reference);
      const computed = await score(await kernels);
      expect(worstError(computed.logProbs, expected.logProbs, 1)).toBeLessThan(3e-5);
      expect(computed.best).toEqual(expected.best);
      expect(await score(await threaded)).toEqual(computed);
    }
  });

  test("the first of equal logits is the best, across tiles and within one", async () => {
    const set = await kernels;
    const weight = new Float32Array(300);
    for (const place of [70, 71, 130, 299]) weight[place] = 2;
    const head = set.loadWeight(fromFloat32("head", weight, [300, 1], "F32"));
    const { best, logProbs } = await set.scoreTargets(
      bufferOf(set, Float32Array.of(1, -1)),
      head,
      Int32Array.of(299, 299),
    );
    expect(best).toEqual(Int32Array.of(70, 0));
    expect(logProbs[0]).toBeCloseTo(2 - Math.log(296 + 4 * Math.exp(2)), 5);
    expect(logProbs[1]).toBeCloseTo(-2 - Math.log(296 + 4 * Math.exp(-2)), 5);
  });

  test("a target is scored the same alone and among others", async () => {
    const set = await threaded;
    const head = set.loadWeight(quantizedMatrix("int3:b64", 777, 96));
    const x = randomValues(20 * 96, 3);
    const targets = Int32Array.from({ length: 20 }, (_, i) => i * 38);
    const together = await set.scoreTargets(bufferOf(set, x), head, targets);
    for (const i of [0, 7, 19]) {
      const alone = await set.scoreTargets(bufferOf(set, x.slice(i * 96, (i + 1) * 96)), head, targets.slice(i, i + 1));
      expect(alone.logProbs[0]).toBe(together.logProbs[i]);
      expect(alone.best[0]).toBe(together.best[i]);
    }
  });
});
