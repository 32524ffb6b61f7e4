// What browser.test.ts bundles and runs in a page: the self-test, and one operation large enough for two threads.

import { selectKernels } from "../../src/kernels/select.ts";
import { testKernels } from "../../src/kernels/selftest.ts";

/** Which kernels run here, and what fails. */
export async function checkHere() {
  const kernels = await selectKernels({ threads: 2 });
  const failure = await testKernels(kernels);
  const length = 1 << 20;
  const x = kernels.createBuffer(length);
  kernels.write(x, new Float32Array(length).fill(-1));
  for (let round = 0; round < 20; round++) kernels.add(x, x, x, length);
  const right = (await kernels.read(x)).every((value) => value === -(2 ** 20));
  const { name, threads } = kernels;
  await kernels.close();
  return { name, threads, failure: failure ?? (right ? "none" : "sums are wrong") };
}

if (typeof document === "undefined") checkHere().then(postMessage, (error) => postMessage({ error: String(error) }));
