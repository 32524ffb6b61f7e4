// A kernel set whose products see rounded inputs, so that the error of few-bit weights and that of few-bit inputs can be
// told apart. Paper: inputs stay in 16 bits; what 8 bits do to them is its related work.
// The set underneath computes as ever, on a rounded copy; norms, attention and the residual stream are not rounded.

import { InputError } from "../input-error.ts";
import { delegateKernels } from "./delegate.ts";
import type { ComputeType, InputType, KernelBuffer, Kernels } from "./kernels.ts";

/** Rounds one row in place. */
type RoundRow = (row: Float32Array) => void;

/** To the nearest, ties to even; the 8-bit types scale each row by its largest magnitude. */
const roundRow: Readonly<Record<InputType, RoundRow>> = {
  float16: (row) => row.set(new Float16Array(row)),
  bfloat16: roundBfloat16,
  // `round(127 x / absmax) absmax / 127`
  int8: (row) => roundScaled(row, 127, roundHalfEven),
  // 4 exponent and 3 mantissa bits, largest value 448 (OCP's E4M3)
  float8: (row) => roundScaled(row, 448, roundFloat8),
};

/** Rows `(tokens, columns)` rounded in place, each by itself. */
export function roundRows(values: Float32Array, columns: number, type: InputType): void {
  for (let start = 0; start < values.length; start += columns) roundRow[type](values.subarray(start, start + columns));
}

/**
 * The kernel set with inputs of `matmul` and `scoreTargets`, the head's included, rounded; it owns the one underneath.
 *
 * @throws InputError if the set keeps buffers where JavaScript does not see them
 */
export function roundInputs(kernels: Kernels, type: InputType): Kernels {
  const { view } = kernels;
  if (!view) throw new InputError(`The ${kernels.name} kernels cannot round inputs; choose --kernels wasm.`);
  let scratch: KernelBuffer | undefined;

  /** The first `length` values of `x`, rounded, in a buffer of exactly that use. */
  const round = (x: KernelBuffer, length: number, columns: number): KernelBuffer => {
    if (!scratch || scratch.length < length) {
      if (scratch) kernels.release(scratch);
      scratch = kernels.createBuffer(length);
    }
    const copy = view.call(kernels, scratch).subarray(0, length);
    copy.set(view.call(kernels, x).subarray(0, length));
    roundRows(copy, columns, type);
    return scratch;
  };

  return {
    ...delegateKernels(kernels),
    computeType: `${kernels.computeType as ComputeType}, inputs ${type}`,
    matmul: (out, x, weight, tokens, ...rest) =>
      kernels.matmul(out, round(x, tokens * weight.columns, weight.columns), weight, tokens, ...rest),
    scoreTargets: (x, head, targets, ...rest) =>
      kernels.scoreTargets(round(x, targets.length * head.columns, head.columns), head, targets, ...rest),
  };
}

function roundBfloat16(row: Float32Array): void {
  const bits = new Uint32Array(row.buffer, row.byteOffset, row.length);
  for (let i = 0; i < bits.length; i++) {
    if (Number.isNaN(row[i])) continue;
    bits[i] = ((bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) & 0xffff0000) >>> 0;
  }
}

/** Scales a row to `[-largest, largest]`, rounds there, and scales it back; a row of zeros or not finite stays. */
function roundScaled(row: Float32Array, largest: number, round: (value: number) => number): void {
  let absmax = 0;
  for (const value of row) absmax = Math.max(absmax, Math.abs(value));
  if (!(absmax > 0 && absmax < Number.POSITIVE_INFINITY)) return;
  const scale = absmax / largest;
  for (let i = 0; i < row.length; i++) row[i] = round(row[i] / scale) * scale;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const part = value - floor;
  if (part !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function roundFloat8(value: number): number {
  const magnitude = Math.abs(value);
  // Below 2^-6 values are as far apart as just above it.
  let exponent = -6;
  while (exponent < 8 && magnitude >= 2 ** (exponent + 1)) exponent++;
  const step = 2 ** (exponent - 3);
  return Math.sign(value) * Math.min(448, roundHalfEven(magnitude / step) * step);
}
