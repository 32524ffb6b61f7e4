// The compiled addon: where it lies, what it exports, and what it tells of the machine besides computing.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { InputError } from "../../input-error.ts";
import type { StorageType } from "../../tensor/tensor.ts";
import type { ComputeType } from "../kernels.ts";

/** An instruction set that the addon was compiled for. */
export interface InstructionSet {
  readonly name: string;
  /** Instructions that this processor lacks for it; empty: it can be used. */
  readonly missing: string;
}

/** The addon's exports; a matrix is opaque and keeps its arrays alive. */
export interface Addon {
  readonly Kernels: new (instructionSet: string, threads: number, bfloat16: boolean) => AddonKernels;
  readonly Quantizer: new (instructionSet: string, threads: number) => AddonQuantizer;
  createMatrix(...parts: unknown[]): object;
  releaseMatrix(matrix: object): void;
  mapFile(path: string): ArrayBuffer | undefined;
  listInstructionSets(): InstructionSet[];
}

/** The addon's kernels of one instruction set; arguments as addon.cpp says and checks. */
export type AddonKernels = Record<
  | "matmul"
  | "embed"
  | "scoreTargets"
  | "attend"
  | "placeHeads"
  | "layerNorm"
  | "rmsNorm"
  | "activate"
  | "combine"
  | "measureRead"
  | "measurePeak"
  | "close",
  (...values: unknown[]) => unknown
>;

/** The addon's loops over weights that are quantized; arguments as quantizer.h says and checks. */
export type AddonQuantizer = Record<
  "measureAbsmax" | "encode" | "countDigits" | "close",
  (...values: unknown[]) => unknown
>;

/** The addon's numbers of the types that it reads weights in (`Storage` in table.h). */
export const storageNumbers = { F32: 0, F16: 1, BF16: 2 } as const;

/** A type that the addon reads weights in. */
export type AddonStorage = keyof typeof storageNumbers;

/** Whether the addon reads weights in a type. */
export function isAddonStorage(type: StorageType): type is AddonStorage {
  return Object.hasOwn(storageNumbers, type);
}

const inPackage = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url)); // from src/ and dist/ alike

/** Where the addon may lie, best first: what was compiled here, then what a release brought. KBIT_ADDON names another build. */
const addonPaths = process.env["KBIT_ADDON"]
  ? [process.env["KBIT_ADDON"]]
  : [inPackage("dist/kernels/native/kbit.node"), inPackage(`prebuilds/${process.platform}-${process.arch}/kbit.node`)];

/** The compiled addon. @throws InputError if there is none that loads */
export function loadAddon(): Addon {
  const reasons = new Set<string>();
  for (const path of addonPaths) {
    try {
      return createRequire(import.meta.url)(path) as Addon;
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
      reasons.add(isMissing ? "they were not built" : String(error));
    }
  }
  const reason = [...reasons].at(-1)!;
  throw new InputError(`The native kernels cannot be used: ${reason}; run npm run build where a C++ compiler is.`);
}

/** The set of that name, or the fastest that this processor has. @throws InputError if it cannot run it */
export function chooseInstructionSet(sets: readonly InstructionSet[], name: string | undefined): string {
  const usable = sets.filter(({ missing }) => missing === "").map((set) => set.name);
  const chosen = name ?? usable[0];
  if (usable.includes(chosen)) return chosen;
  const missing = sets.find((set) => set.name === chosen)?.missing;
  const reason = missing ? `it lacks ${missing}` : "they were not compiled for it";
  throw new InputError(`This processor cannot run ${chosen} kernels: ${reason}; it has ${usable.join(", ")}.`);
}

/** A file mapped into memory; undefined where the native kernels or the system cannot. What is written stays in memory. */
export function mapFile(path: string): Uint8Array | undefined {
  try {
    const buffer = loadAddon().mapFile(path);
    return buffer && new Uint8Array(buffer);
  } catch {
    return undefined;
  }
}

/** The machine's limits, as the fastest instruction set reaches them. */
export interface MachineProbe {
  readonly instructionSet: string;
  /** Seconds in which all threads read the bytes once. */
  readSeconds(bytes: Uint8Array): number;
  /** Multiplications and additions a second in registers, all threads; 0: the processor has no such instructions. */
  operationsPerSecond(type: ComputeType): number;
  close(): void;
}

/** @throws InputError if the addon is missing */
export function createMachineProbe(threads: number): MachineProbe {
  const addon = loadAddon();
  const name = chooseInstructionSet(addon.listInstructionSets(), undefined);
  const kernels = new addon.Kernels(name, threads, false);
  return {
    instructionSet: name,
    readSeconds: (bytes) => kernels.measureRead(bytes) as number,
    operationsPerSecond: (type) => kernels.measurePeak(type === "bfloat16") as number,
    close: () => kernels.close(),
  };
}
