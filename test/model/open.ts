// Opens fixtures by name, and models on the reference kernels; what a test opens is closed after it.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { openCheckpoint } from "../../src/checkpoint/open-node.ts";
import type { Kernels } from "../../src/kernels/kernels.ts";
import { createReferenceKernels } from "../../src/kernels/reference.ts";
import { type LoadOptions, loadModel } from "../../src/model/load.ts";
import type { Model } from "../../src/model/model.ts";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** A checkpoint of test/fixtures or models, by its path from the root. */
export async function openFixture(path: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(`${root}${path}`);
  onTestFinished(() => checkpoint.close());
  return checkpoint;
}

/** A model of test/fixtures or models; by default on the reference kernels. */
export async function openModel(path: string, options: LoadOptions = {}, kernels?: Kernels): Promise<Model> {
  const model = await loadModel(await openFixture(path), kernels ?? createReferenceKernels(), options);
  onTestFinished(() => model.close());
  return model;
}

/** A checkpoint that exists only in a test: another one with parts replaced. */
export function alterCheckpoint(checkpoint: Checkpoint, changes: Partial<Checkpoint>): Checkpoint {
  return { ...checkpoint, source: "altered", ...changes };
}

export function readJson(path: string) {
  return JSON.parse(readFileSync(`${root}${path}`, "utf8"));
}

/** The largest |a - b|; infinity if the lengths differ. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference; // NaN counts as a difference
  }
  return largest;
}
