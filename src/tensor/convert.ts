// Storage types to float32 and back. float16 is the language's own Float16Array; bfloat16 is the upper half of a float32.
// Stands between the checkpoint, which stores bytes, and everything that computes. Hosts are taken to be little-endian.

import { InputError } from "../input-error.ts";
import { type StorageType, storageTypes, type Tensor } from "./tensor.ts";

/**
 * The values of a stored tensor as float32, rounded to nearest where float32 is narrower (F64, I64, I32).
 * An aligned F32 tensor is returned as a view of its own bytes, so treat the result as read-only.
 *
 * @throws InputError if the bytes are not as many as shape and type say
 */
export function toFloat32(tensor: Tensor): Float32Array {
  const size = storageTypes[tensor.type].bytes;
  const count = tensor.shape.reduce((product, length) => product * length, 1);
  if (tensor.bytes.length !== count * size) {
    throw new InputError(
      `tensor "${tensor.name}": ${tensor.type} of shape [${tensor.shape.join(", ")}] needs ${count * size} bytes, ` +
        `but ${tensor.bytes.length} are stored; the file is damaged`,
    );
  }
  const { buffer, byteOffset } = tensor.bytes.byteOffset % size === 0 ? tensor.bytes : tensor.bytes.slice();
  switch (tensor.type) {
    case "F32":
      return new Float32Array(buffer, byteOffset, count);
    case "F64":
      return new Float32Array(new Float64Array(buffer, byteOffset, count));
    case "F16":
      return new Float32Array(new Float16Array(buffer, byteOffset, count));
    case "BF16":
      return fromBfloat16(new Uint16Array(buffer, byteOffset, count));
    case "I64":
      return Float32Array.from(new BigInt64Array(buffer, byteOffset, count), Number);
    case "I32":
      return new Float32Array(new Int32Array(buffer, byteOffset, count));
    case "I16":
      return new Float32Array(new Int16Array(buffer, byteOffset, count));
    case "I8":
      return new Float32Array(new Int8Array(buffer, byteOffset, count));
    case "U8":
    case "BOOL":
      return new Float32Array(new Uint8Array(buffer, byteOffset, count));
  }
}

/**
 * A tensor of the given storage type, each value rounded to the nearest that the type holds, ties to even.
 * Floating-point types overflow to infinity; integer types saturate, and take NaN as 0.
 * F32 shares the memory of `values`.
 *
 * @throws Error if there are not as many values as the shape says
 */
export function fromFloat32(name: string, values: Float32Array, shape: readonly number[], type: StorageType): Tensor {
  const count = shape.reduce((product, length) => product * length, 1);
  if (values.length !== count) {
    throw new Error(`tensor "${name}": ${values.length} values do not fill the shape [${shape.join(", ")}]`);
  }
  const stored = storeValues(values, type);
  return { name, type, shape, bytes: new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength) };
}

/**
 * float16 of values that must not overflow, as scales and kept weights must not.
 *
 * @param what - what value i is, for the message
 * @throws InputError if one is beyond 65504, the largest float16
 */
export function toFloat16(values: Float32Array, what: (index: number) => string): Float16Array {
  const halves = new Float16Array(values);
  const wrong = halves.findIndex((half) => !Number.isFinite(half));
  if (wrong >= 0) throw new InputError(`${what(wrong)} is ${values[wrong]}, beyond float16, whose largest is 65504`);
  return halves;
}

function storeValues(values: Float32Array, type: StorageType): ArrayBufferView {
  switch (type) {
    case "F32":
      return values;
    case "F64":
      return new Float64Array(values);
    case "F16":
      return new Float16Array(values);
    case "BF16":
      return toBfloat16(values);
    case "I64":
      return BigInt64Array.from(values, (value) => BigInt(roundWithin(value, -(2 ** 63), 2 ** 63 - 2 ** 39)));
    case "I32":
      return Int32Array.from(values, (value) => roundWithin(value, -(2 ** 31), 2 ** 31 - 1));
    case "I16":
      return Int16Array.from(values, (value) => roundWithin(value, -(2 ** 15), 2 ** 15 - 1));
    case "I8":
      return Int8Array.from(values, (value) => roundWithin(value, -(2 ** 7), 2 ** 7 - 1));
    case "U8":
      return new Uint8ClampedArray(values);
    case "BOOL":
      return Uint8Array.from(values, (value) => (value ? 1 : 0));
  }
}

/** The nearest whole number in [low, high], ties to even; 0 for NaN. */
function roundWithin(value: number, low: number, high: number): number {
  if (Number.isNaN(value)) return 0;
  const below = Math.floor(value);
  const up = value - below > 0.5 || (value - below === 0.5 && below % 2 !== 0);
  return Math.min(high, Math.max(low, up ? below + 1 : below));
}

/** bfloat16 is the sign, the 8 exponent bits and the first 7 mantissa bits of a float32. */
function fromBfloat16(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/** Rounds to nearest, ties to even, by carrying into the upper half; NaN stays NaN. */
function toBfloat16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = words[i];
    const nan = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = nan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return halves;
}
