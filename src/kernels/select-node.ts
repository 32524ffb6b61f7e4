// The choice of kernels in Node: as in select.ts, with native kernels where they were built, and with worker threads.

import { availableParallelism } from "node:os";
import type { ComputeType, Kernels } from "./kernels.ts";
import { nativeSets } from "./native/native-node.ts";
import { checkKernelSets as checkSets, type KernelSetCheck, portableSets, selectKernels as select } from "./select.ts";
import { startNodeThread } from "./wasm/threads-node.ts";

export interface NodeSelectOptions {
  /** A set by its name; default: the fastest that passes its self-test. */
  readonly name?: string;
  /** Default: one for each processor that this process may use. */
  readonly threads?: number;
  /** The type in which products are formed; default: float32. */
  readonly computeType?: ComputeType;
}

const [native, ...forced] = nativeSets;
const sets = [native, ...portableSets, ...forced];

/** `selectKernels` of select.ts with threads. */
export function selectKernels(options: NodeSelectOptions = {}): Promise<Kernels> {
  return select({ ...options, threads: options.threads ?? availableParallelism(), startThread: startNodeThread, sets });
}

/** `checkKernelSets` of select.ts with threads. */
export function checkKernelSets(): Promise<KernelSetCheck[]> {
  return checkSets({ threads: availableParallelism(), startThread: startNodeThread, sets });
}
