// Which matrices of a checkpoint are quantized, and why or why not: all linear layers of the blocks; embedding and head
// when the spec asks. quantized-view.ts carries the plan out; which columns stay in 16 bits stands in outlier-columns.ts.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import type { QuantizedSpec, Spec } from "../quantize/spec.ts";
import { isFloating, type StorageType } from "../tensor/tensor.ts";
import { describeMatrices } from "./architectures/index.ts";
import type { MatrixRole } from "./roles.ts";

/** A matrix and what is to become of it. */
export interface PlannedMatrix {
  readonly role: MatrixRole;
  /** `(rows, columns)` = (out, in), whichever way it is stored. */
  readonly shape: readonly [number, number];
  readonly type: StorageType;
  readonly isQuantized: boolean;
  /** Why, or why not: one clause. */
  readonly reason: string;
}

/**
 * Decides for every matrix of a checkpoint, in the order of computation. A tied head is its embedding, once.
 *
 * @param roles - what each matrix is for; default: by the checkpoint's architecture
 * @throws InputError if a matrix is missing, or is to be quantized and is no matrix of floating-point weights
 */
export function planQuantization(
  checkpoint: Checkpoint,
  spec: Spec,
  roles: readonly MatrixRole[] = describeMatrices(checkpoint.config, checkpoint.tensors, checkpoint.source),
): PlannedMatrix[] {
  const isTied = !roles.some(({ part }) => part === "head");
  return roles.map((role) => {
    const header = checkpoint.tensors.get(role.name);
    if (!header) throw new InputError(`${checkpoint.source}: ${role.name}, which config.json asks for, is missing.`);
    const { isQuantized, reason } = decide(role, spec, isTied);
    if (header.shape.length !== 2 || (isQuantized && !isFloating(header.type))) {
      throw new InputError(
        `${checkpoint.source}: ${role.name} is ${header.type} [${header.shape}]; expected a matrix of floating-point weights.`,
      );
    }
    const [rows, columns] = header.shape;
    const isTurned = role.transposed && checkpoint.spec === undefined;
    return { role, shape: isTurned ? [columns, rows] : [rows, columns], type: header.type, isQuantized, reason };
  });
}

function decide(role: MatrixRole, spec: Spec, isTied: boolean): { isQuantized: boolean; reason: string } {
  if (spec.kind === "baseline") return { isQuantized: false, reason: `the baseline ${spec.type} quantizes nothing` };
  switch (role.part) {
    case "attention":
    case "ffn":
      return { isQuantized: true, reason: "linear layer of a block" };
    case "embedding":
      return decideEmbedding(spec, isTied);
    case "head":
      return spec.head
        ? { isQuantized: true, reason: "head, as the spec asks" }
        : { isQuantized: false, reason: "head; add :head to quantize it" };
    case "position":
      return { isQuantized: false, reason: "position embedding" };
    case "projection":
      return { isQuantized: false, reason: "projection outside the blocks" };
  }
}

function decideEmbedding({ embed, head }: QuantizedSpec, isTied: boolean): { isQuantized: boolean; reason: string } {
  const name = isTied ? "embedding and head (tied)" : "embedding";
  const words = isTied ? ":embed or :head" : ":embed";
  return embed || (head && isTied)
    ? { isQuantized: true, reason: `${name}, as the spec asks` }
    : { isQuantized: false, reason: `${name}; add ${words} to quantize it` };
}
