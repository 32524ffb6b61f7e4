// The choice of kernels, their self-test, and the memory that the WASM set manages itself.

import { expect, test } from "vitest";
import { InputError } from "../../src/input-error.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { checkKernelSets, type KernelSet, portableSets, selectKernels } from "../../src/kernels/select.ts";
import { selectKernels as selectInNode } from "../../src/kernels/select-node.ts";
import { testKernels } from "../../src/kernels/selftest.ts";
import { Allocator } from "../../src/kernels/wasm/allocator.ts";
import { createWasmKernels } from "../../src/kernels/wasm/wasm.ts";
import { createRandom } from "../../src/tensor/random.ts";

const wrongSet: KernelSet = {
  name: "wrong",
  create: async () => ({
    ...createReferenceKernels(),
    activate: () => {}, // does nothing
  }),
};
const absentSet: KernelSet = {
  name: "absent",
  create: async () => {
    throw new Error("they were not built");
  },
};

test("by default the fastest set that works is chosen", async () => {
  const kernels = await selectKernels({ threads: 1, sets: [absentSet, wrongSet, ...portableSets] });
  expect(kernels.name).toBe("wasm");
  await kernels.close();
});

test("a named set is chosen, with as many threads as asked in Node", async () => {
  const wasm = await selectInNode({ name: "wasm", threads: 2 });
  expect([wasm.name, wasm.threads]).toEqual(["wasm", 2]);
  await wasm.close();
  expect((await selectInNode({ name: "reference" })).name).toBe("reference");
});

test("a set that fails its self-test or cannot start is skipped, and the reason is told", async () => {
  const checks = await checkKernelSets({ threads: 1, sets: [absentSet, wrongSet, ...portableSets] });
  expect(checks.map(({ name }) => name)).toEqual(["absent", "wrong", "wasm", "reference"]);
  expect(checks[0].reason).toBe("they were not built");
  expect(checks[1].reason).toMatch(/self-test failed: relu is off by/);
  expect(checks[2].reason).toBeUndefined();
});

test("an unknown name is bad input, and the nearest valid one is offered", async () => {
  await expect(selectKernels({ name: "wsam" })).rejects.toThrow(InputError);
  await expect(selectKernels({ name: "wsam" })).rejects.toThrow('did you mean "wasm"?');
  await expect(selectKernels({ name: "wrong", sets: [wrongSet] })).rejects.toThrow(/do not work here.*relu/);
});

test("the self-test passes for the WASM kernels without shared memory, as on a page that may not have it", async () => {
  const kernels = await createWasmKernels({ threads: 1 });
  expect(await testKernels(kernels)).toBeUndefined();
  await kernels.close();
});

test("threads that never start cost speed only", async () => {
  const kernels = await createWasmKernels({ threads: 3, startThread: () => ({ end: async () => {} }) });
  const length = 1 << 20;
  const x = kernels.createBuffer(length);
  kernels.write(x, new Float32Array(length).fill(1));
  kernels.add(x, x, x, length);
  expect((await kernels.read(x)).every((value) => value === 2)).toBe(true);
  await kernels.close();
});

test("a thread that fails is reported instead of waited for", async () => {
  let fail = () => {};
  const kernels = await createWasmKernels({
    threads: 2,
    startThread: ({ module, memory }) => {
      // As the body of a worker does when its work traps.
      fail = new WebAssembly.Instance(module, { env: { memory } }).exports["fail"] as () => void;
      return { end: async () => {} };
    },
  });
  const x = kernels.createBuffer(1 << 20);
  kernels.add(x, x, x, x.length);
  fail();
  expect(() => kernels.add(x, x, x, x.length)).toThrow("a thread of the WASM kernels failed");
  await kernels.close();
});

test("the WASM memory grows under live buffers and reuses what is released", async () => {
  const kernels = await createWasmKernels();
  const first = kernels.createBuffer(1000);
  kernels.write(
    first,
    Float32Array.from({ length: 1000 }, (_, i) => i),
  );
  for (let round = 0; round < 100; round++) kernels.release(kernels.createBuffer(20_000_000)); // 80 MB each
  expect((await kernels.read(first)).at(-1)).toBe(999);
  const dirty = kernels.createBuffer(50);
  kernels.write(dirty, new Float32Array(50).fill(7));
  kernels.release(dirty);
  expect(await kernels.read(kernels.createBuffer(50))).toEqual(new Float32Array(50));
  await kernels.close();
});

test("what does not fit 4 GiB is refused in a sentence, and nothing is lost", async () => {
  const kernels = await createWasmKernels();
  const kept = kernels.createBuffer(10);
  kernels.write(kept, new Float32Array(10).fill(3));
  expect(() => kernels.createBuffer(1.2e9)).toThrow(InputError);
  expect(() => kernels.createBuffer(1.2e9)).toThrow(/4096 MiB/);
  expect(await kernels.read(kept)).toEqual(new Float32Array(10).fill(3));
  await kernels.close();
});

test("ranges never overlap, however they are taken and given back", () => {
  const random = createRandom(1);
  const allocator = new Allocator(100);
  let end = 0;
  const live = new Map<number, number>();
  for (let step = 0; step < 3000; step++) {
    if (live.size > 0 && random.uniform() < 0.48) {
      const address = [...live.keys()][random.integer(live.size)];
      allocator.free(address);
      live.delete(address);
    } else {
      const bytes = random.integer(5000);
      const address = allocator.allocate(bytes, (reach) => {
        end = Math.max(end, reach);
      });
      expect(address % 64).toBe(0);
      expect(address + bytes).toBeLessThanOrEqual(end);
      for (const [other, size] of live) expect(address + bytes <= other || other + size <= address).toBe(true);
      live.set(address, Math.max(bytes, 1));
    }
  }
  for (const address of live.keys()) allocator.free(address);
  expect(allocator.allocate(end - 128, () => expect.fail("everything was freed"))).toBe(128);
  expect(() => allocator.free(64)).toThrow();
});
