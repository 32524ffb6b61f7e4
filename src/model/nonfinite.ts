// Refuses weights that are NaN or infinite: one such value makes every score meaningless.

import { InputError } from "../input-error.ts";
import type { Tensor } from "../tensor/tensor.ts";

// A value is NaN or infinite exactly if all its exponent bits are set.
const exponents: Readonly<Record<string, number>> = { F16: 0x7c00, BF16: 0x7f80, F32: 0x7f800000 };

/** @throws InputError that names the tensor and the place, if a value of a F16, BF16 or F32 tensor is not finite */
export function refuseNonfinite(tensor: Tensor, source: string): void {
  const exponent = exponents[tensor.type];
  if (exponent === undefined) return;
  const words = viewWords(tensor);
  for (let i = 0; i < words.length; i++) {
    if ((words[i] & exponent) !== exponent) continue;
    throw new InputError(
      `${source}: value ${i} of ${tensor.name} is NaN or infinite; repair the checkpoint, or allow it with --allow-nonfinite.`,
    );
  }
}

function viewWords({ type, bytes }: Tensor): Uint16Array | Uint32Array {
  const size = type === "F32" ? 4 : 2;
  const { buffer, byteOffset } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const count = Math.floor(bytes.length / size);
  return size === 4 ? new Uint32Array(buffer, byteOffset, count) : new Uint16Array(buffer, byteOffset, count);
}
