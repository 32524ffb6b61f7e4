// Which kernels run here: the fastest set that works on this machine. Safe in a browser; select-node.ts adds what Node has.

import { findNearest, InputError } from "../input-error.ts";
import type { ComputeType, Kernels } from "./kernels.ts";
import { createReferenceKernels } from "./reference.ts";
import { testKernels } from "./selftest.ts";
import type { StartThread } from "./wasm/threads.ts";
import { createWasmKernels } from "./wasm/wasm.ts";

/** What creating a kernel set is given. */
export interface CreateOptions {
  readonly threads: number;
  /** How threads are started where they are not Web Workers. */
  readonly startThread?: StartThread;
  /** Default: float32. */
  readonly computeType?: ComputeType;
}

/** A kernel set that may be chosen. */
export interface KernelSet {
  readonly name: string;
  /** Rejects where the set cannot run; the message says why. */
  create(options: CreateOptions): Promise<Kernels>;
}

/** The sets that run anywhere, fastest first. */
export const portableSets: readonly KernelSet[] = [
  { name: "wasm", create: createWasmKernels },
  { name: "reference", create: async () => createReferenceKernels() },
];

export interface SelectOptions {
  /** A set by its name; default: the fastest that passes its self-test. */
  readonly name?: string;
  /** Default: one for each processor. */
  readonly threads?: number;
  readonly startThread?: StartThread;
  /** The type in which products are formed; default: float32. Sets that have no other are skipped. */
  readonly computeType?: ComputeType;
  /** Fastest first; default: `portableSets`. */
  readonly sets?: readonly KernelSet[];
}

/** Whether a kernel set works here. */
export interface KernelSetCheck {
  readonly name: string;
  /** Why it cannot be used; absent if it can. */
  readonly reason?: string;
}

const passed = new Set<string>(); // names and compute types of sets whose self-test passed in this process

/**
 * The fastest kernel set that agrees with the reference on this machine, or the one that is named.
 *
 * @throws InputError on an unknown name, and if the named set does not work here
 */
export async function selectKernels(options: SelectOptions = {}): Promise<Kernels> {
  const sets = options.sets ?? portableSets;
  const { name } = options;
  const candidates = name === undefined ? sets : [findSet(sets, name)];
  const reasons: string[] = [];
  for (const set of candidates) {
    const { kernels, reason } = await tryKernels(set, options);
    if (kernels) return kernels;
    reasons.push(`${set.name}: ${reason}`);
  }
  throw new InputError(
    `${name === undefined ? "no kernels work here" : `the "${name}" kernels do not work here`} (${reasons.join("; ")}); ` +
      `choose another of ${sets.map((set) => set.name).join(", ")}`,
  );
}

/** Tries every set and says which work and why others do not, fastest first. */
export async function checkKernelSets(options: SelectOptions = {}): Promise<KernelSetCheck[]> {
  const checks: KernelSetCheck[] = [];
  for (const set of options.sets ?? portableSets) {
    const { kernels, reason } = await tryKernels(set, options);
    await kernels?.close();
    checks.push(kernels ? { name: set.name } : { name: set.name, reason });
  }
  return checks;
}

function findSet(sets: readonly KernelSet[], name: string): KernelSet {
  const set = sets.find((candidate) => candidate.name === name);
  if (set) return set;
  const names = sets.map((candidate) => candidate.name);
  const near = findNearest(name, names);
  throw new InputError(
    `"${name}" is no kernel set; expected ${names.join(", ")}${near ? `; did you mean "${near}"?` : ""}`,
  );
}

async function tryKernels(set: KernelSet, options: SelectOptions): Promise<{ kernels?: Kernels; reason?: string }> {
  let kernels: Kernels | undefined;
  try {
    kernels = await set.create({
      threads: options.threads ?? globalThis.navigator?.hardwareConcurrency ?? 1,
      startThread: options.startThread,
      computeType: options.computeType,
    });
    const { computeType = "float32" } = options;
    if (kernels.computeType !== computeType) {
      await kernels.close();
      return { reason: `it computes in ${kernels.computeType} only` };
    }
    const tested = `${set.name} ${computeType}`;
    if (set.name === "reference" || passed.has(tested)) return { kernels };
    const failure = await testKernels(kernels);
    if (failure === undefined) {
      passed.add(tested);
      return { kernels };
    }
    await kernels.close();
    return { reason: `its self-test failed: ${failure}` };
  } catch (error) {
    await kernels?.close();
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}
