// Buffers that are given out again are as new ones, and no more of them are kept than said.

import { expect, test, vi } from "vitest";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { selectKernels } from "../../src/kernels/select-node.ts";
import { reuseBuffers } from "../../src/study/reuse.ts";
import { fromFloat32 } from "../../src/tensor/convert.ts";

function open() {
  const kernels = createReferenceKernels();
  const [create, release] = [vi.spyOn(kernels, "createBuffer"), vi.spyOn(kernels, "release")];
  return { kernels: reuseBuffers(kernels), create, release };
}

test("a released buffer is the next of its length, and zeros again", async () => {
  const { kernels, create, release } = open();
  const [long, short] = [kernels.createBuffer(8), kernels.createBuffer(3)];
  kernels.write(short, Float32Array.of(1, 2, Number.NaN));
  kernels.release(long);
  kernels.release(short);
  const again = kernels.createBuffer(3);
  expect(again).toBe(short);
  expect(await kernels.read(again)).toEqual(new Float32Array(3));
  expect(kernels.createBuffer(3)).not.toBe(short);
  expect(create).toHaveBeenCalledTimes(3);
  expect(release).not.toHaveBeenCalled();
});

test("every kernel set has all its methods still, also one that is an instance of a class", async () => {
  const own = await selectKernels({ name: "wasm", threads: 1 });
  const kernels = reuseBuffers(own);
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(own)).filter((name) => name !== "constructor");
  expect(names).toContain("loadWeight");
  for (const name of names) expect(kernels).toHaveProperty(name, expect.any(Function));
  const weight = kernels.loadWeight(fromFloat32("w", Float32Array.of(1, 2, 3, 4), [2, 2], "F32"));
  const [x, out] = [kernels.createBuffer(2), kernels.createBuffer(2)];
  kernels.write(x, Float32Array.of(1, 1));
  kernels.matmul(out, x, weight, 1);
  expect(await kernels.read(out)).toEqual(Float32Array.of(3, 7));
  await kernels.close();
});

test("a buffer is released once, and a weight at once", () => {
  const { kernels, release } = open();
  const buffer = kernels.createBuffer(3);
  kernels.release(buffer);
  expect(() => kernels.release(buffer)).toThrow(/was released/);
  const weight = kernels.loadWeight(fromFloat32("w", new Float32Array(6), [2, 3], "F32"));
  kernels.release(weight);
  expect(release.mock.calls).toEqual([[weight]]);
  expect(() => kernels.release(weight)).toThrow();
});

test("what is kept stays below 64 MB: older buffers go, and one that is larger is not kept", () => {
  const { kernels, release } = open();
  const [first, second, huge] = [10e6, 9e6, 17e6].map((length) => kernels.createBuffer(length));
  kernels.release(first);
  kernels.release(second);
  expect(release.mock.calls).toEqual([[first]]);
  kernels.release(huge);
  expect(release.mock.calls).toEqual([[first], [huge]]);
});
