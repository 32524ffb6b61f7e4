// Which matrices of a checkpoint are quantized, and why or why not: all linear layers of the blocks; embedding and head
// when the spec asks. quantized-view.ts carries the plan out; which columns stay in 16 bits stands in outlier-columns.ts.
// A mix is taken apart here: each matrix is treated as it would be if the whole model were at the spec that falls to it.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import { asStored, type MatrixSpec, type MixSpec, type QuantizedSpec, type Spec } from "../quantize/spec.ts";
import { defaultPattern, findInMix, findNearestFit, fits } from "../quantize/spec-mix.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import { isFloating, type StorageType } from "../tensor/tensor.ts";
import { describeMatrices } from "./architectures/index.ts";
import { isBlockLayer, type MatrixRole } from "./roles.ts";

/** A matrix and what is to become of it. */
export interface PlannedMatrix {
  readonly role: MatrixRole;
  /** `(rows, columns)` = (out, in), whichever way it is stored. */
  readonly shape: readonly [number, number];
  readonly type: StorageType;
  /** The spec that falls to it, by which it is quantized if it is; of a mix one of its entries. */
  readonly spec: MatrixSpec;
  readonly isQuantized: boolean;
  /** Why, or why not: one clause. */
  readonly reason: string;
}

/**
 * Decides for every matrix of a checkpoint, in the order of computation. A tied head is its embedding, once.
 *
 * @param roles - what each matrix is for; default: by the checkpoint's architecture
 * @throws InputError if a matrix is missing, or is to be quantized and is no matrix of floating-point weights; if a pattern
 *   of a mix fits no matrix that can be quantized, or a linear layer fits none
 */
export function planQuantization(
  checkpoint: Checkpoint,
  spec: Spec,
  roles: readonly MatrixRole[] = describeMatrices(checkpoint.config, checkpoint.tensors, checkpoint.source),
): PlannedMatrix[] {
  const isTied = !roles.some(({ part }) => part === "head");
  if (spec.kind === "mix") checkMix(spec, roles, isTied, checkpoint);
  return roles.map((role) => {
    const header = checkpoint.tensors.get(role.name);
    if (!header) throw new InputError(`${checkpoint.source}: ${role.name}, which config.json asks for, is missing.`);
    const own = spec.kind === "mix" ? pickFromMix(spec, role, checkpoint.source) : spec;
    const { isQuantized, reason } = decide(role, own, isTied);
    if (header.shape.length !== 2 || (isQuantized && !isFloating(header.type))) {
      throw new InputError(
        `${checkpoint.source}: ${role.name} is ${header.type} [${header.shape}]; expected a matrix of floating-point weights.`,
      );
    }
    const [rows, columns] = header.shape;
    const isTurned = role.transposed && checkpoint.spec === undefined;
    return {
      role,
      shape: isTurned ? [columns, rows] : [rows, columns],
      type: header.type,
      spec: own,
      isQuantized,
      reason,
    };
  });
}

function decide(role: MatrixRole, spec: MatrixSpec, isTied: boolean): { isQuantized: boolean; reason: string } {
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

/** The spec of a matrix in a mix; what is no linear layer of a block may have none and stays as stored. */
function pickFromMix(mix: MixSpec, role: MatrixRole, source: string): MatrixSpec {
  const spec = findInMix(mix, role.name);
  if (spec !== undefined) return spec;
  if (!isBlockLayer(role)) return asStored;
  throw new InputError(`${formatSpec(mix)} says nothing of ${role.name} in ${source}; add a "default".`);
}

/** Refuses patterns that would do nothing: a typing error must not leave a matrix at another spec than was meant. */
function checkMix(mix: MixSpec, roles: readonly MatrixRole[], isTied: boolean, { source, tensors }: Checkpoint): void {
  for (const { pattern, spec } of mix.entries) {
    if (pattern === defaultPattern) continue;
    const fitting = roles.filter(({ name }) => fits(pattern, name));
    if (fitting.length === 0) {
      const other = [...tensors.keys()].find((name) => fits(pattern, name));
      if (other !== undefined) {
        throw new InputError(
          `The pattern "${pattern}" of ${formatSpec(mix)} fits ${other}, which is no matrix: norms and biases stay as stored; take it out.`,
        );
      }
      const nearest = findNearestFit(
        pattern,
        roles.map(({ name }) => name),
      );
      throw new InputError(
        `The pattern "${pattern}" of ${formatSpec(mix)} fits no matrix of ${source}${nearest ? `; did you mean "${nearest}"?` : "."} kbit inspect MODEL --all shows their names.`,
      );
    }
    const [only] = fitting;
    if (fitting.length > 1 || spec.kind === "baseline" || decide(only, spec, isTied).isQuantized) continue;
    const text = formatSpec(spec);
    throw new InputError(
      only.part === "embedding" || only.part === "head"
        ? `The mix names ${only.name}, the ${only.part}; write "${text}:${only.part === "head" ? "head" : "embed"}" to quantize it.`
        : `The mix names ${only.name}, a ${only.part === "position" ? "position embedding" : "projection outside the blocks"}, which is never quantized; take it out.`,
    );
  }
}
