// How large a model is: its parameters, and its bits as they are stored, in the three counts of BitsCount.
// Tensors that the architecture does not need are not counted, so that a tied head counts once.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { packTensor } from "../checkpoint/packed-layout.ts";
import { countBytes } from "../checkpoint/safetensors.ts";
import { isQuantized } from "../quantize/quantized.ts";
import { nominalBits } from "../quantize/size.ts";
import type { QuantizedSpec } from "../quantize/spec.ts";
import type { BitsCount } from "../result.ts";
import { type StorageType, storageTypes, type TensorHeader } from "../tensor/tensor.ts";
import { describeDecoder } from "./architectures/index.ts";
import { listMatrices } from "./matrices.ts";
import { type PlannedMatrix, planQuantization } from "./plan.ts";
import { isBlockLayer } from "./roles.ts";

/** Numbers of parameters. */
export interface ParameterCount {
  readonly parameters: number;
  /** Without token embedding and head. */
  readonly nonEmbeddingParameters: number;
  /** In the quantized matrices. */
  readonly quantizedParameters: number;
}

/** Parameters of the model in a checkpoint. */
export function countParameters(checkpoint: Checkpoint): ParameterCount {
  const { needed, isEmbedding, quantized } = sortTensors(checkpoint);
  const count = { parameters: 0, nonEmbeddingParameters: 0, quantizedParameters: 0 };
  for (const { name, shape } of needed) {
    const size = shape.reduce((product, length) => product * length, 1);
    count.parameters += size;
    if (!isEmbedding(name)) count.nonEmbeddingParameters += size;
    if (quantized.has(name)) count.quantizedParameters += size;
  }
  return count;
}

/**
 * Bits of the model in a checkpoint: `total` is 8 x the bytes of its tensor data as they lie, or would lie, in a file.
 * Reads only weights whose codebook depends on data, one at a time.
 */
export async function countBits(checkpoint: Checkpoint): Promise<BitsCount> {
  const { needed, isEmbedding, quantized } = sortTensors(checkpoint);
  const count = { total: 0, nonEmbedding: 0, quantized: 0 };
  for (const { name } of needed) {
    const bits = 8 * (await countStoredBytes(checkpoint, name));
    count.total += bits;
    if (!isEmbedding(name)) count.nonEmbedding += bits;
    if (quantized.has(name)) count.quantized += bits;
  }
  return { ...count, nominalPerParameter: averageNominalBits(needed, [...quantized.values()]) };
}

/**
 * The bits of a weight as a result row states them: k of a spec, the width of a baseline or, as stored, of the largest
 * tensor. Of a mix the mean of k over the weights of the linear layers, and of embedding and head where the mix quantizes
 * them; a matrix that it leaves alone counts at its width.
 */
export function averageCodeBits(checkpoint: Checkpoint): number {
  const { spec, tensors } = checkpoint;
  if (spec?.kind === "quantized") return spec.bits;
  if (spec?.kind === "baseline" && spec.type !== "stored") return spec.type === "fp32" ? 32 : 16;
  const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
  const widthOf = (type: StorageType) => 8 * storageTypes[type].bytes;
  if (spec?.kind !== "mix") {
    return widthOf([...tensors.values()].reduce((a, b) => (size(b.shape) > size(a.shape) ? b : a)).type);
  }
  let [bits, weights] = [0, 0];
  for (const { role, shape, type, spec: own, isQuantized } of planQuantization(checkpoint, spec)) {
    if (!isQuantized && !isBlockLayer(role)) continue;
    weights += size(shape);
    bits += size(shape) * (isQuantized ? (own as QuantizedSpec).bits : widthOf(type));
  }
  return bits / weights;
}

/** The tensors that the model needs, which are the token embedding and the head, and which are quantized. */
function sortTensors(checkpoint: Checkpoint) {
  const decoder = describeDecoder(checkpoint.config, checkpoint.tensors, checkpoint.source);
  const roles = listMatrices(decoder);
  const embeddings = new Set(
    roles.filter(({ part }) => part === "embedding" || part === "head").map(({ name }) => name),
  );
  const { spec } = checkpoint;
  const plan = spec && spec.kind !== "baseline" ? planQuantization(checkpoint, spec, roles) : [];
  return {
    needed: [...checkpoint.tensors.values()].filter(({ name }) => !decoder.unused.has(name)),
    isEmbedding: (name: string) => embeddings.has(name),
    quantized: new Map(plan.filter(({ isQuantized }) => isQuantized).map((matrix) => [matrix.role.name, matrix])),
  };
}

/** Bytes of tensor data that a weight takes as it is stored. */
export async function countStoredBytes(checkpoint: Checkpoint, name: string): Promise<number> {
  const known = checkpoint.storedAs?.(name);
  if (known?.isExact) return sumBytes(known.parts);
  const weight = await checkpoint.read(name);
  return sumBytes(isQuantized(weight) ? packTensor(weight) : [weight]);
}

function sumBytes(parts: readonly TensorHeader[]): number {
  return parts.reduce((sum, part) => sum + countBytes(part), 0);
}

/** Over the quantized parameters; where nothing is quantized, the width of the average parameter. */
function averageNominalBits(needed: readonly TensorHeader[], quantized: readonly PlannedMatrix[]): number {
  let bits = 0;
  let parameters = 0;
  const add = (count: number, width: number) => {
    bits += count * width;
    parameters += count;
  };
  for (const { shape, spec } of quantized) add(shape[0] * shape[1], nominalBits(spec, shape[1]));
  if (quantized.length > 0) return bits / parameters;
  for (const header of needed)
    add(
      header.shape.reduce((product, size) => product * size, 1),
      0,
    );
  return (8 * sumBytes(needed)) / parameters;
}
