// The native quantizer has the bits of quantize/quantize.ts, whatever the spec, the shape, the storage type and the threads.

import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { createNativeQuantizer } from "../../src/kernels/native/quantize-node.ts";
import { selectQuantizer } from "../../src/kernels/quantizer-node.ts";
import { quantize } from "../../src/quantize/quantize.ts";
import type { QuantizedSpec } from "../../src/quantize/spec.ts";
import { parseSpec } from "../../src/quantize/spec-text.ts";
import { fromFloat32, toFloat32 } from "../../src/tensor/convert.ts";
import type { StorageType, Tensor } from "../../src/tensor/tensor.ts";
import { randomValues, testedSets } from "./sets.ts";

const spec = (text: string) => parseSpec(text) as QuantizedSpec;
const instructionSets = testedSets.map(({ name }) => name).filter((name) => name.startsWith("native-"));

/** The tensor with its bytes at an odd place, as in the middle of a file. */
function misplaced(tensor: Tensor): Tensor {
  const bytes = new Uint8Array(tensor.bytes.length + 1).subarray(1);
  bytes.set(tensor.bytes);
  return { ...tensor, bytes };
}

describe.each(instructionSets)("%s quantizes as the reference does", (set) => {
  const quantizers = [1, 3].map((threads) => createNativeQuantizer(threads, set.slice("native-".length)));
  afterAll(() => Promise.all(quantizers.map((quantizer) => quantizer.close())));

  async function expectSame(tensor: Tensor, text: string, options: object = {}): Promise<void> {
    const shape = tensor.shape as [number, number];
    const expected = quantize(toFloat32(tensor), shape, spec(text), { name: tensor.name, ...options });
    for (const quantizer of quantizers) {
      expect(await quantizer.quantize(tensor, shape, spec(text), { name: tensor.name, ...options })).toEqual(expected);
    }
  }

  const types = ["int", "float", "dynamic", "quantile", "nf"];
  const cases = types.flatMap((type) => [2, 3, 4, 5, 6, 7, 8].map((bits) => `${type}${bits}`));
  it.each([...cases, "af4", "bnbfp4", "quantile5:sram", "quantile4:eq6"])("%s, of every storage type", async (type) => {
    for (const storage of ["F32", "F16", "BF16", "F64"] as const) {
      const tensor = fromFloat32("m", randomValues(67 * 83, 4, 0.02), [67, 83], storage);
      await expectSame(misplaced(tensor), `${type}:b64`);
    }
  });

  it.each(["b16", "b17", "b48", "b512", "b4096", "brow", "brow:a32", "b64:dq", "a32", "b256:dq"])(
    "in blocks: %s",
    async (block) => {
      const tensor = fromFloat32("m", randomValues(301 * 257, 5, 0.02), [301, 257], "F16");
      for (const type of ["int4", "quantile3", "float7:e3"]) await expectSame(tensor, `${type}:${block}`);
    },
  );

  it.each(["center", "center-median", "center-block"])("less its centers and outliers: %s", async (center) => {
    const tensor = fromFloat32("m", randomValues(50 * 70, 6, 0.02), [50, 70], "BF16");
    await expectSame(tensor, `int4:b64:${center}`);
    await expectSame(tensor, `quantile4:b64:${center}`, { outlierColumns: Uint32Array.of(0, 13, 69) });
    await expectSame(tensor, "nf4:b64:dq", { outlierColumns: Uint32Array.of(5) });
  });

  it("for any float16 values, tiny, huge, equal and zero among them", async () => {
    const finite = fc.integer({ min: 0, max: 0xffff }).filter((half) => (half & 0x7c00) !== 0x7c00);
    const half = fc.oneof(finite, fc.constantFrom(0, 0x8000, 1, 0x8001, 0x7bff, 0xfbff, 0x3c00));
    await fc.assert(
      fc.asyncProperty(
        fc.array(half, { minLength: 1, maxLength: 700 }),
        fc.constantFrom("int2", "float3:e2", "dynamic4", "quantile4", "int5", "float6:e3", "nf7", "dynamic8"),
        fc.constantFrom("b16", "b20", "b64", "b100", "brow", "b64:a32", "b16:dq"),
        async (halves, type, block) => {
          const bytes = new Uint8Array(Uint16Array.from(halves).buffer);
          await expectSame({ name: "m", type: "F16", shape: [1, halves.length], bytes }, `${type}:${block}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("for float32 weights next to thresholds, and blocks whose absmax is stored as 0", async () => {
    const float = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true, min: -1, max: 1 }),
      fc.integer({ min: -16, max: 16 }).map((n) => Math.fround((n / 16) * (1 + 2 ** -23))),
      fc.integer({ min: -16, max: 16 }).map((n) => n / 16),
      fc.constantFrom(0, -0, 1e-45, -1e-45, 1e-9, -1e-9),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(float, { minLength: 1, maxLength: 200 }),
        fc.constantFrom("int3", "int4", "float4:e2", "quantile3", "dynamic6"),
        fc.constantFrom("b16", "b64", "b33:a32"),
        async (values, type, block) => {
          const tensor = fromFloat32("m", Float32Array.from(values), [values.length, 1], "F32");
          await expectSame(tensor, `${type}:${block}`);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("a matrix large enough for quantiles by counting", async () => {
    for (const storage of ["F32", "F16", "BF16"] as const) {
      const tensor = fromFloat32("m", randomValues(2 ** 17 + 77, 7, 0.02), [2 ** 17 + 77, 1], storage);
      for (const text of ["quantile4:b64", "quantile8:b64"]) await expectSame(tensor, text);
    }
  });

  it.each([NaN, Infinity, -Infinity])("refuses %d where it stands, or takes it as 0", async (value) => {
    for (const storage of ["F32", "F16", "BF16"] as const satisfies StorageType[]) {
      const values = randomValues(600, 8);
      values[597] = value;
      const tensor = fromFloat32("odd.weight", values, [20, 30], storage);
      const [quantizer] = quantizers;
      await expect(quantizer.quantize(tensor, [20, 30], spec("int4:b64"), { name: tensor.name })).rejects.toThrow(
        /"odd.weight": the weight at \[19, 27\]/,
      );
      await expectSame(tensor, "int4:b64", { allowNonfinite: true });
    }
  });

  it("refuses an absmax beyond float16, a wrong shape and no weights as the reference does", async () => {
    const [quantizer] = quantizers;
    const large = Float32Array.of(1e5, 1);
    await expect(quantizer.quantize(large, [1, 2], spec("int4:b64"))).rejects.toThrow(/absmax of block 0/);
    await expect(quantizer.quantize(large, [2, 2], spec("int4:b64"))).rejects.toThrow(InputError);
    await expect(quantizer.quantize(new Float32Array(0), [0, 0], spec("int4:b64"))).rejects.toThrow(InputError);
  });
});

describe("the choice of a quantizer", () => {
  it.each([undefined, "wasm", "reference", ...instructionSets])("%s gives the bits of the reference", async (name) => {
    const quantizer = await selectQuantizer({ threads: 2, name });
    const weights = randomValues(2 ** 16 + 3, 9);
    const shape = [1, weights.length] as const;
    expect(await quantizer.quantize(weights, shape, spec("float4:e2:b64"))).toEqual(
      quantize(weights, shape, spec("float4:e2:b64")),
    );
    await quantizer.close();
  });

  it("refuses a native set that this machine does not have", async () => {
    await expect(selectQuantizer({ name: "native-nothing" })).rejects.toThrow(InputError);
  });
});
