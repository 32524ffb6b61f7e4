// Does a checkpoint hold what its config promises? Every tensor's shape, nothing missing, nothing unexpected.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { findNearest, InputError } from "../input-error.ts";
import type { DecoderTensors, LinearLayer, NormLayer } from "./architecture.ts";

/**
 * Compares the tensors of a checkpoint with those that its architecture needs.
 *
 * @param unused - tensors that may be there and are not read
 * @throws InputError that names the first tensor that is missing, of another shape, or unexpected
 */
export function checkTensors(checkpoint: Checkpoint, tensors: DecoderTensors, unused: ReadonlySet<string>): void {
  const expected = listShapes(tensors, checkpoint.spec !== undefined);
  const { source } = checkpoint;
  const present = [...checkpoint.tensors.keys()];
  const unexpected = present.filter((name) => !expected.has(name) && !unused.has(name));
  const missing = [...expected.keys()].filter((name) => !checkpoint.tensors.has(name));
  const count = (names: string[]) => (names.length > 1 ? ` (and ${names.length - 1} more)` : "");

  if (missing.length > 0) {
    const nearest = findNearest(missing[0], unexpected);
    const hint = nearest ? ` The nearest name it has is ${nearest}.` : "";
    throw new InputError(
      `${source}: tensor ${missing[0]}${count(missing)}, which config.json asks for, is missing.${hint}`,
    );
  }
  if (unexpected.length > 0) {
    throw new InputError(
      `${source}: tensor ${unexpected[0]}${count(unexpected)} does not belong to the model that config.json describes.`,
    );
  }
  for (const [name, shape] of expected) {
    const stored = checkpoint.tensors.get(name)!.shape;
    if (stored.join() !== shape.join()) {
      throw new InputError(
        `${source}: ${name} has shape (${stored.join(", ")}), but config.json asks for (${shape.join(", ")}).`,
      );
    }
  }
}

/** The stored shape of every tensor by name. */
function listShapes(tensors: DecoderTensors, isTurned: boolean): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const addLinear = (layer: LinearLayer | undefined) => {
    if (!layer) return;
    const { rows, columns } = layer;
    shapes.set(layer.weight, layer.transposed && !isTurned ? [columns, rows] : [rows, columns]);
    if (layer.bias) shapes.set(layer.bias, [rows]);
  };
  const addNorm = (layer: NormLayer | undefined) => {
    if (layer?.weight) shapes.set(layer.weight, [layer.width]);
    if (layer?.bias) shapes.set(layer.bias, [layer.width]);
  };
  addLinear(tensors.embedding);
  addLinear(tensors.positions);
  addNorm(tensors.embeddingNorm);
  addLinear(tensors.projectIn);
  for (const block of tensors.blocks) {
    addNorm(block.attentionNorm);
    block.projections.forEach(addLinear);
    addNorm(block.queryNorm);
    addNorm(block.keyNorm);
    addLinear(block.out);
    addNorm(block.attentionOutNorm);
    addNorm(block.ffnNorm);
    addLinear(block.gate);
    addLinear(block.up);
    addLinear(block.down);
    addNorm(block.ffnOutNorm);
  }
  addNorm(tensors.finalNorm);
  addLinear(tensors.projectOut);
  addLinear(tensors.head);
  return shapes;
}
