import fc from "fast-check";
import { expect, test } from "vitest";
import { fromFloat32, toFloat16, toFloat32 } from "../../src/tensor/convert.ts";
import type { StorageType, Tensor } from "../../src/tensor/tensor.ts";

const stored = (type: StorageType, bytes: number[], count: number): Tensor => ({
  name: "w",
  type,
  shape: [count],
  bytes: Uint8Array.from(bytes),
});

const roundTrip = (values: number[], type: StorageType) =>
  Array.from(toFloat32(fromFloat32("w", Float32Array.from(values), [values.length], type)));

test("bytes of every storage type read as the values they stand for", () => {
  expect(toFloat32(stored("F64", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f], 1))).toEqual(Float32Array.of(1.5));
  expect(toFloat32(stored("F32", [0, 0, 0x80, 0xbf, 0, 0, 0, 0x40], 2))).toEqual(Float32Array.of(-1, 2));
  expect(toFloat32(stored("F16", [0x00, 0x3c, 0x01, 0x00], 2))).toEqual(Float32Array.of(1, 2 ** -24));
  expect(toFloat32(stored("BF16", [0x80, 0x3f, 0x49, 0xc0], 2))).toEqual(Float32Array.of(1, -3.140625));
  expect(toFloat32(stored("I64", [0xfe, 255, 255, 255, 255, 255, 255, 255], 1))).toEqual(Float32Array.of(-2));
  expect(toFloat32(stored("I32", [0, 1, 0, 0], 1))).toEqual(Float32Array.of(256));
  expect(toFloat32(stored("I16", [0xff, 0xff], 1))).toEqual(Float32Array.of(-1));
  expect(toFloat32(stored("I8", [0x80], 1))).toEqual(Float32Array.of(-128));
  expect(toFloat32(stored("U8", [0x80], 1))).toEqual(Float32Array.of(128));
  expect(toFloat32(stored("BOOL", [1, 0], 2))).toEqual(Float32Array.of(1, 0));
});

test("bytes may begin at any address", () => {
  const file = Uint8Array.of(9, 0, 0, 0x80, 0x3f);
  expect(toFloat32({ name: "w", type: "F32", shape: [1], bytes: file.subarray(1) })).toEqual(Float32Array.of(1));
});

test("bytes that do not fill the shape are refused by the tensor's name", () => {
  expect(() => toFloat32({ name: "h.0.w", type: "F16", shape: [2, 3], bytes: new Uint8Array(11) })).toThrow(
    'tensor "h.0.w": F16 of shape [2, 3] needs 12 bytes, but 11 are stored',
  );
});

test("bfloat16 rounds to nearest, ties to even, and keeps infinity and NaN", () => {
  // 1 + 2^-8 lies halfway between 1 and 1 + 2^-7; 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
  expect(roundTrip([1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20], "BF16")).toEqual([
    1,
    1 + 2 ** -6,
    1 + 2 ** -7,
  ]);
  expect(roundTrip([3.4e38, Infinity, -Infinity, NaN], "BF16")).toEqual([Infinity, Infinity, -Infinity, NaN]);
  const quietBit = Float32Array.of(0);
  new Uint32Array(quietBit.buffer)[0] = 0x7f800001; // a NaN whose upper half alone would be infinity
  expect(toFloat32(fromFloat32("w", quietBit, [1], "BF16"))[0]).toBeNaN();
});

test("every bfloat16 survives a round trip", () => {
  const bytes = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);
  const values = toFloat32({ name: "w", type: "BF16", shape: [65536], bytes });
  const finite = values.map((value) => (Number.isNaN(value) ? 0 : value));
  expect(toFloat32(fromFloat32("w", finite, [65536], "BF16"))).toEqual(finite);
});

test("float16 agrees with the nearest of all float16 values", () => {
  fc.assert(
    fc.property(fc.double({ min: -65504, max: 65504, noNaN: true }), (x) => {
      const value = Math.fround(x);
      const [half] = roundTrip([value], "F16");
      const word = new Uint16Array(Float16Array.of(half).buffer)[0];
      for (const neighbour of [word - 1, word + 1]) {
        const [other] = new Float16Array(Uint16Array.of(neighbour).buffer);
        if (Number.isFinite(other)) expect(Math.abs(value - half)).toBeLessThanOrEqual(Math.abs(value - other));
      }
    }),
  );
});

test("integer types round half to even, saturate, and take NaN as 0", () => {
  expect(roundTrip([0.5, 1.5, -0.5, -2.5, 300, -300, NaN], "I8")).toEqual([0, 2, 0, -2, 127, -128, 0]);
  expect(roundTrip([0.5, 1.5, -1, 300], "U8")).toEqual([0, 2, 0, 255]);
  expect(roundTrip([40000, -40000], "I16")).toEqual([32767, -32768]);
  expect(roundTrip([1e10, -1e10], "I32")).toEqual([2 ** 31, -(2 ** 31)]);
  expect(roundTrip([2 ** 40, -1e30], "I64")).toEqual([2 ** 40, -(2 ** 63)]);
});

test("values beyond float16 are named where they must not overflow", () => {
  expect(() => toFloat16(Float32Array.of(1, 70000), (i) => `scale ${i}`)).toThrow("scale 1 is 70000, beyond float16");
  expect(Array.from(toFloat16(Float32Array.of(65504, 65519), String))).toEqual([65504, 65504]);
});
