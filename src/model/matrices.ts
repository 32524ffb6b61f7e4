// What each matrix of a decoder is for and which matrices write what it reads: the facts behind proxy quantization.
// The same for every architecture, because each is described by the same DecoderTensors.

import type { BlockTensors, DecoderDescription, DecoderShape, LinearLayer } from "./architecture.ts";
import type { MatrixRole, Writer } from "./roles.ts";

/**
 * Every matrix with its previous writers, in the order of computation.
 *
 * - out reads the units of the values (grouped values repeat for each query head), down those of up;
 * - up and gate read the units of the attention's output; query, key and value those of the previous block's down;
 * - where attention and feed-forward are parallel, both read both writers of the previous block;
 * - the first block reads the embedding's columns, or the units of the projection behind it.
 *
 * @see section 3 of https://arxiv.org/abs/2212.09720
 */
export function listMatrices({ shape, tensors }: DecoderDescription): MatrixRole[] {
  const roles: MatrixRole[] = [];
  const add = (
    layer: LinearLayer,
    place: Pick<MatrixRole, "part" | "operation" | "layer">,
    writers: readonly Writer[] = [],
  ) =>
    roles.push({
      name: layer.weight,
      ...place,
      transposed: layer.transposed ?? false,
      rowOrder: layer.rowOrder,
      writers,
    });
  const outside = { layer: -1, operation: "" } as const;

  add(tensors.embedding, { ...outside, part: "embedding" });
  if (tensors.positions) add(tensors.positions, { ...outside, part: "position" });
  let writers: readonly Writer[] = [{ name: tensors.embedding.weight, axis: "columns" }];
  if (tensors.projectIn) {
    add(tensors.projectIn, { ...outside, part: "projection" }, writers);
    writers = [unitsOf(tensors.projectIn)];
  }

  tensors.blocks.forEach((block, layer) => {
    const parallel = shape.residual === "parallel";
    block.projections.forEach((projection, i) => {
      const operation = block.projections.length === 1 ? "qkv" : (["q", "k", "v"] as const)[i];
      add(projection, { part: "attention", operation, layer }, writers);
    });
    add(block.out, { part: "attention", operation: "out", layer }, [valuesOf(block, shape)]);
    const ffnWriters = parallel ? writers : [unitsOf(block.out)];
    if (block.gate) add(block.gate, { part: "ffn", operation: "gate", layer }, ffnWriters);
    add(block.up, { part: "ffn", operation: block.gateInUp ? "gateUp" : "up", layer }, ffnWriters);
    add(block.down, { part: "ffn", operation: "down", layer }, [upUnitsOf(block)]);
    writers = parallel ? [unitsOf(block.out), unitsOf(block.down)] : [unitsOf(block.down)];
  });

  if (tensors.projectOut) {
    add(tensors.projectOut, { ...outside, part: "projection" }, writers);
    writers = [unitsOf(tensors.projectOut)];
  }
  if (tensors.head) add(tensors.head, { ...outside, part: "head" }, writers);
  return roles;
}

/** Column c of the reader reads row c of `layer`. */
function unitsOf(layer: LinearLayer): Writer {
  return { name: layer.weight, axis: "rows" };
}

/** The units that the feed-forward layer's output reads: those of up. */
function upUnitsOf({ up, down, gateInUp }: BlockTensors): Writer {
  const units = gateInUp && Int32Array.from({ length: down.columns }, (_, unit) => down.columns + unit);
  return { ...unitsOf(up), ...(units && { units }) };
}

/** The row of the value projection behind each column of the attention's output projection. */
function valuesOf({ projections, value }: BlockTensors, { heads, keyHeads, headSize }: DecoderShape): Writer {
  const units = Int32Array.from({ length: heads * headSize }, (_, column) => {
    const keyHead = Math.floor(Math.floor(column / headSize) / (heads / keyHeads));
    return value.offset + keyHead * value.stride + (column % headSize);
  });
  const projection = projections[value.projection];
  const identity = projection.rows === units.length && units.every((unit, column) => unit === column);
  return { name: projection.weight, axis: "rows", ...(!identity && { units }) };
}
