// A k-bit model computes what the model of its dequantized weights computes.

import { describe, expect, test } from "vitest";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { loadModel } from "../../src/model/load.ts";
import { quantizeCheckpoint } from "../../src/model/quantized-view.ts";
import { dequantize } from "../../src/quantize/quantize.ts";
import { isQuantized } from "../../src/quantize/quantized.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { fromFloat32 } from "../../src/tensor/convert.ts";
import { alterCheckpoint, largestDifference, openFixture } from "./open.ts";

describe.each(["gpt2", "neox-parallel", "opt-350m", "bloom-6-heads", "llama-gqa-llama3", "qwen2-tied"])(
  "%s",
  (name) => {
    test.each([
      "int4:b64",
      "float3:e2:b64:proxy10:embed:head",
      "quantile5:b32:center",
      "nf4:b64:dq",
      "dynamic8:brow",
      "int2",
    ])("at %s gives the logits of its dequantized weights", async (text) => {
      const checkpoint = await openFixture(`test/fixtures/architectures/${name}`);
      const view = quantizeCheckpoint(checkpoint, parseSpec(text));
      let quantized = 0;
      const dense = alterCheckpoint(view, {
        async read(tensor) {
          const weight = await view.read(tensor);
          if (!isQuantized(weight)) return weight;
          quantized++;
          return fromFloat32(tensor, dequantize(weight), weight.shape, "F32");
        },
      });
      const kernels = createReferenceKernels();
      const tokens = [5, 17, 3, 90, 44, 44, 8, 61];
      const kbit = await (await loadModel(view, kernels)).logits(tokens);
      const expected = await (await loadModel(dense, kernels)).logits(tokens);
      expect(quantized).toBeGreaterThanOrEqual(8);
      expect(largestDifference(kbit, expected)).toBeLessThan(1e-4);
      const original = await (await loadModel(checkpoint, kernels)).logits(tokens);
      expect(largestDifference(kbit, original)).toBeGreaterThan(1e-4);
    });

    test("at fp32 gives the logits of the checkpoint itself", async () => {
      const checkpoint = await openFixture(`test/fixtures/architectures/${name}`);
      const kernels = createReferenceKernels();
      const tokens = [5, 17, 3, 90];
      const view = await loadModel(quantizeCheckpoint(checkpoint, parseSpec("fp32")), kernels);
      const original = await loadModel(checkpoint, kernels);
      expect(await view.logits(tokens)).toEqual(await original.logits(tokens));
    });
  },
);
