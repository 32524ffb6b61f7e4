import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { pickOutliers } from "../../src/quantize/outliers.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { createThreadedQuantizer } from "../../src/quantize/threads-node.ts";

const shape = [521, 509] as const; // many groups and a ragged tail
const weights = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(i * 1.7) ** 3 / (1 + (i % 7)));

// A thread a matrix, and a matrix cut into ranges.
describe.each([2 ** 26, 2 ** 17])("quantizing on several threads, matrices of %d weights cut", (sharedWeights) => {
  const threaded = createThreadedQuantizer(3, sharedWeights);
  afterAll(() => threaded.close());

  it.each(["int3:b64", "float4:e2:brow:a32", "quantile5:b128:dq", "nf4", "int7:b48:center-block:proxy2"])(
    "gives the bits of one thread for %s",
    async (text) => {
      const spec = parseSpec(text) as QuantizedSpec;
      const deviations = Float32Array.from({ length: shape[1] }, (_, column) => (column * 7) % 509);
      const outlierColumns = spec.proxy && pickOutliers(deviations, spec.proxy.percent);
      const options = { name: "w", outlierColumns };
      expect(await threaded.quantize(weights, shape, spec, options)).toEqual(quantize(weights, shape, spec, options));
    },
  );

  it("works on a second matrix after a first, larger or smaller", async () => {
    const spec = parseSpec("int4:b64") as QuantizedSpec;
    for (const rows of [521, 600, 521]) {
      const other = Float32Array.from({ length: rows * 509 }, (_, i) => Math.cos(i));
      expect(await threaded.quantize(other, [rows, 509], spec)).toEqual(quantize(other, [rows, 509], spec));
    }
  });

  it("keeps matrices apart that are asked for at once", async () => {
    const specs = ["int4:b64", "nf4:b64:dq", "quantile3:b64", "int8"].map((text) => parseSpec(text) as QuantizedSpec);
    const all = await Promise.all(specs.map((spec) => threaded.quantize(weights, shape, spec)));
    expect(all).toEqual(specs.map((spec) => quantize(weights, shape, spec)));
  });

  it("refuses what one thread refuses", async () => {
    const bad = weights.slice();
    bad[1000] = Number.NaN;
    const spec = parseSpec("int4:b64") as QuantizedSpec;
    await expect(threaded.quantize(bad, shape, spec, { name: "layer.weight" })).rejects.toThrow(/layer\.weight/);
    await expect(threaded.quantize(bad, shape, spec, { name: "layer.weight" })).rejects.toBeInstanceOf(InputError);
  });
});
