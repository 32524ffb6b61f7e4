// Rounded inputs: known values of each type, the product of the rounded rows on every kernel set, and the input untouched.

import { expect, test } from "vitest";
import { roundInputs, roundRows } from "../../src/kernels/inputs.ts";
import { type InputType, inputTypes } from "../../src/kernels/kernels.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { createRandom } from "../../src/tensor/random.ts";

const rounded = (type: InputType, ...values: number[]) => {
  const row = Float32Array.from(values);
  roundRows(row, row.length, type);
  return [...row];
};

test("16-bit types round to the nearest, ties to even", () => {
  expect(rounded("bfloat16", 1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -7 - 2 ** -9, 0)).toEqual([
    1,
    1,
    1 + 2 ** -6,
    -1 - 2 ** -7,
    0,
  ]);
  expect(rounded("bfloat16", Number.NaN, Number.POSITIVE_INFINITY)).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
  expect(rounded("float16", 1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -24, 70000)).toEqual([
    1,
    1 + 2 ** -9,
    2 ** -24,
    Number.POSITIVE_INFINITY,
  ]);
});

test("int8 has 127 steps to the row's largest magnitude, each row by itself", () => {
  expect(rounded("int8", 127, 2.5, 3.5, -2.5, -0.4, 100.6)).toEqual([127, 2, 4, -2, -0, 101]);
  const rows = Float32Array.of(127, 0.6, 1.27, 0.6);
  roundRows(rows, 2, "int8");
  expect([...rows]).toEqual([127, 1, Math.fround(1.27), Math.fround(60 * (Math.fround(1.27) / 127))]);
  expect(rounded("int8", 0, 0)).toEqual([0, 0]);
});

test("float8 is E4M3: 448 at most, three bits of mantissa, steps of 2^-9 at the bottom", () => {
  // 17 lies between 16 and 18; 19 between 18 and 20; ties go to the even code.
  const values = [448, 17, 19, 21, -300, 2 ** -6, 2 ** -9, 2 ** -10, 1.5 * 2 ** -9, 0.3];
  expect(rounded("float8", ...values)).toEqual([448, 16, 20, 20, -288, 2 ** -6, 2 ** -9, 0, 2 ** -8, 0.3125]);
});

test.each(["reference", "wasm", "native"])(
  "%s multiplies the rounded rows and leaves the input alone",
  async (name) => {
    const random = createRandom(1);
    const [rows, columns, tokens] = [24, 40, 3];
    const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal());
    const weights = draw(rows * columns);
    const x = draw(tokens * columns);
    const tensor = { name: "w", type: "F32", shape: [rows, columns], bytes: new Uint8Array(weights.buffer) } as const;
    const multiply = async (kernels: Awaited<ReturnType<typeof selectKernels>>, input: Float32Array) => {
      const [a, out] = [kernels.createBuffer(input.length), kernels.createBuffer(tokens * rows)];
      kernels.write(a, input);
      const weight = kernels.loadWeight(tensor);
      kernels.matmul(out, a, weight, tokens, "scoring");
      const scores = await kernels.scoreTargets(a, weight, Int32Array.of(1, 2, 3));
      return { product: await kernels.read(out), scores, input: await kernels.read(a) };
    };
    for (const type of inputTypes) {
      const plain = await selectKernels({ name, threads: 1 });
      const kernels = roundInputs(plain, type);
      expect(kernels.computeType).toBe(`float32, inputs ${type}`);
      const found = await multiply(kernels, x);
      const expected = x.slice();
      roundRows(expected, columns, type);
      expect(expected).not.toEqual(x);
      const direct = await multiply(plain, expected);
      expect(found).toEqual({ ...direct, input: x });
      await kernels.close();
    }
  },
);

test("a set whose buffers JavaScript does not see is refused", () => {
  expect(() => roundInputs({ ...createReferenceKernels(), view: undefined }, "int8")).toThrow(/cannot round inputs/);
});
