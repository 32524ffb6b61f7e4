// The compute type bfloat16: activations and codebooks are rounded to it, products are summed in float32. While scoring,
// whole rows of k-bit weights are rounded again with their scale.

import { afterAll, describe, expect, test } from "vitest";
import type { Kernels, Path } from "../../src/kernels/kernels.ts";
import { createNativeKernels } from "../../src/kernels/native/native-node.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { testKernels } from "../../src/kernels/selftest.ts";
import { dequantize } from "../../src/quantize/quantize.ts";
import type { QuantizedTensor } from "../../src/quantize/quantized.ts";
import { fromFloat32, toFloat32 } from "../../src/tensor/convert.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { bufferOf, quantizedMatrix, randomValues, sumOfMagnitudes, testedSets, worstError } from "./sets.ts";

const reference = createReferenceKernels();
const tolerances: Record<Path, number> = { generation: 1e-6, scoring: 2 ** -9 };

/** Rounded to bfloat16, ties to even. */
function round(values: Float32Array): Float32Array {
  const tensor = fromFloat32("x", values, [values.length], "BF16");
  return toFloat32(tensor);
}

async function product(kernels: Kernels, stored: Tensor | QuantizedTensor, x: Float32Array, path: Path) {
  const weight = kernels.loadWeight(stored);
  const tokens = x.length / weight.columns;
  const out = kernels.createBuffer(tokens * weight.rows);
  const bias = bufferOf(kernels, randomValues(weight.rows, 5));
  kernels.matmul(out, bufferOf(kernels, x), weight, tokens, path, bias);
  return kernels.read(out);
}

const names = testedSets
  .filter(({ name }) => name.startsWith("native"))
  .map(({ name }) => name.slice("native-".length));

describe.skipIf(names.length === 0).each(names.length > 0 ? names : ["none"])("native-%s in bfloat16", (name) => {
  const create = (threads: number) => createNativeKernels({ threads, instructionSet: name, computeType: "bfloat16" });
  const [kernels, threaded] = names.length > 0 ? [create(1), create(2)] : [];
  afterAll(async () => {
    await kernels?.close();
    await threaded?.close();
  });

  test("it says so, and passes its self-test", async () => {
    expect(kernels!.computeType).toBe("bfloat16");
    expect(await testKernels(kernels!)).toBeUndefined();
  });

  test.each([2, 3, 4, 5, 6, 7, 8])("%d-bit weights multiply as rounded values do", async (bits) => {
    for (const options of ["b64", "b128:a32", "brow", "b64:center", "b16", "b64:proxy2"]) {
      for (const [rows, columns] of [
        [12, 512],
        [37, 1536],
        [5, 2048],
        [19, 576],
        [9, 100],
      ]) {
        const outliers = options.includes("proxy") ? 3 : 0;
        const stored = quantizedMatrix(`quantile${bits}:${options}`, rows, columns, { outliers });
        const rounded = { ...stored, codebook: round(stored.codebook) };
        for (const tokens of [1, 2, 7, 64]) {
          const x = randomValues(tokens * columns, 9);
          const expected = await product(reference, rounded, round(x), "scoring");
          const magnitudes = sumOfMagnitudes(dequantize(rounded), x, columns).map((sum) => sum + 1);
          for (const path of ["generation", "scoring"] as const) {
            const error = worstError(await product(kernels!, stored, x, path), expected, magnitudes);
            expect(error, `${path}, ${tokens} tokens of ${rows} x ${columns}, ${options}`).toBeLessThan(
              tolerances[path],
            );
          }
        }
      }
    }
  });

  test("dense weights multiply with rounded activations", async () => {
    for (const type of ["F32", "F16", "BF16"] as const) {
      for (const columns of [100, 576, 1024, 1600]) {
        const stored = fromFloat32("w", randomValues(21 * columns, 2, 0.1), [21, columns], type);
        const x = randomValues(7 * columns, 9);
        const expected = await product(reference, stored, round(x), "scoring");
        const magnitudes = sumOfMagnitudes(toFloat32(stored), x, columns).map((sum) => sum + 1);
        for (const path of ["generation", "scoring"] as const)
          expect(worstError(await product(kernels!, stored, x, path), expected, magnitudes)).toBeLessThan(
            tolerances[path],
          );
      }
    }
  });

  test.each(["generation", "scoring"] as const)(
    "a %s product has the same bits alone, in a batch and by two threads",
    async (path) => {
      for (const stored of [
        quantizedMatrix("int4:b64", 70, 1536),
        quantizedMatrix("quantile6:b128", 33, 512),
        quantizedMatrix("int7:brow", 33, 1024),
        fromFloat32("w", randomValues(70 * 1024, 3), [70, 1024], "F16"),
        fromFloat32("w", randomValues(70 * 576, 3), [70, 576], "F16"),
        quantizedMatrix("nf4:b64", 33, 576),
      ]) {
        const [rows, columns] = stored.shape;
        const x = randomValues(13 * columns, 4);
        const together = await product(kernels!, stored, x, path);
        expect(await product(threaded!, stored, x, path)).toEqual(together);
        for (const [start, count] of [
          [0, 1],
          [5, 1],
          [3, 4],
          [6, 7],
        ]) {
          const part = await product(threaded!, stored, x.slice(start * columns, (start + count) * columns), path);
          expect(part).toEqual(together.slice(start * rows, (start + count) * rows));
        }
      }
    },
  );
});
