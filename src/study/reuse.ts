// Kernels that give out again the buffers that were released: the models of a study need the same working memory one
// after the other, and megabytes that come and go for each of them keep the garbage collector busy.

import { delegateKernels } from "../kernels/delegate.ts";
import type { KernelBuffer, Kernels } from "../kernels/kernels.ts";

/** Bytes of released buffers that are kept. */
const maxSpareBytes = 64e6;

/** The kernel set with released buffers kept for the next of the same length; they are zeros again, as new ones are. */
export function reuseBuffers(kernels: Kernels): Kernels {
  const spares = new Map<number, KernelBuffer[]>(); // by length
  const states = new WeakMap<object, "used" | "spare">(); // of the buffers
  let spareBytes = 0;
  let zeros = new Float32Array();

  function takeSpare(length: number): KernelBuffer | undefined {
    const spare = spares.get(length)?.pop();
    if (!spare) return undefined;
    spareBytes -= 4 * length;
    if (zeros.length < length) zeros = new Float32Array(length);
    kernels.write(spare, zeros.subarray(0, length));
    return spare;
  }

  function dropSpares(): void {
    for (const buffers of spares.values()) for (const buffer of buffers) kernels.release(buffer);
    spares.clear();
    spareBytes = 0;
  }

  return {
    ...delegateKernels(kernels),
    createBuffer(length) {
      const buffer = takeSpare(length) ?? kernels.createBuffer(length);
      states.set(buffer, "used");
      return buffer;
    },
    release(handle) {
      const state = states.get(handle);
      if (state === "spare") throw new Error("release: a buffer that was released");
      const bytes = state ? 4 * (handle as KernelBuffer).length : Number.POSITIVE_INFINITY;
      if (bytes > maxSpareBytes) return kernels.release(handle);
      if (spareBytes + bytes > maxSpareBytes) dropSpares();
      const buffer = handle as KernelBuffer;
      states.set(buffer, "spare");
      spareBytes += bytes;
      const others = spares.get(buffer.length);
      if (others) others.push(buffer);
      else spares.set(buffer.length, [buffer]);
    },
  };
}
