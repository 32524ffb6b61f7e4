// Short ways of writing the tensors of an architecture: linear layers, norms, and heads in fused rows.

import type { BlockTensors, DecoderTensors, HeadPlace, LinearLayer, NormLayer } from "../architecture.ts";

/** `NAME.weight (rows, columns)` and, with `bias`, `NAME.bias (rows)`. */
export function linear(name: string, rows: number, columns: number, bias: boolean): LinearLayer {
  return { weight: `${name}.weight`, ...(bias && { bias: `${name}.bias` }), rows, columns };
}

/** `NAME.weight (width)` and, with `bias`, `NAME.bias (width)`. */
export function norm(name: string, width: number, bias: boolean): NormLayer {
  return { weight: `${name}.weight`, ...(bias && { bias: `${name}.bias` }), width };
}

/** Heads one after another in projection `projection`, from `offset`. */
export function headsInRow(projection: number, headSize: number, offset = 0): HeadPlace {
  return { projection, offset, stride: headSize };
}

/** One fused projection that gives each head its query, key and value in turn (GPT-NeoX, BLOOM). */
export function headsInterleaved(headSize: number): { query: HeadPlace; key: HeadPlace; value: HeadPlace } {
  const at = (part: number) => ({ projection: 0, offset: part * headSize, stride: 3 * headSize });
  return { query: at(0), key: at(1), value: at(2) };
}

/** `describe(0), .. describe(count - 1)`. */
export function repeat<T>(count: number, describe: (layer: number) => T): T[] {
  return Array.from({ length: count }, (_, layer) => describe(layer));
}

/** The same tensors with parts of every block replaced. */
export function changeBlocks(
  tensors: DecoderTensors,
  change: (block: BlockTensors, layer: number) => Partial<BlockTensors>,
): DecoderTensors {
  const blocks = tensors.blocks.map((block, layer) => ({ ...block, ...change(block, layer) }));
  return { ...tensors, blocks };
}
