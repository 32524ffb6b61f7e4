// From a checkpoint to a model that scores and writes: config and tensors are checked against each other, then every
// weight goes to the kernels in the width in which it is stored.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import type { KernelBuffer, Kernels, KernelWeight } from "../kernels/kernels.ts";
import { isQuantized } from "../quantize/quantized.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import type { StorageType } from "../tensor/tensor.ts";
import type { BlockTensors, LinearLayer, NormLayer } from "./architecture.ts";
import { describeDecoder } from "./architectures/index.ts";
import { checkTensors } from "./check-tensors.ts";
import { createDecoder } from "./decoder.ts";
import { createModel, type Model } from "./model.ts";
import { refuseNonfinite } from "./nonfinite.ts";
import { orientMatrix } from "./orient.ts";
import { loadTokenizer, type TextTokenizer } from "./tokenizer.ts";
import type { Block, DecoderWeights, Linear, Norm } from "./weights.ts";

const floatTypes: ReadonlySet<StorageType> = new Set(["F16", "BF16", "F32", "F64"]);

/** Choices of `loadModel`. */
export interface LoadOptions {
  /** Tokens of one forward while scoring; default 2048. */
  readonly maxTokens?: number;
  /** Loads weights that are NaN or infinite. */
  readonly allowNonfinite?: boolean;
  /** The checkpoint's tokenizer, if it is loaded already. */
  readonly tokenizer?: TextTokenizer;
}

/**
 * Loads a model onto a kernel set; the kernel set stays the caller's.
 *
 * @throws InputError if config, tensors or tokenizer are not what the architecture needs, or a weight is not finite
 */
export async function loadModel(checkpoint: Checkpoint, kernels: Kernels, options: LoadOptions = {}): Promise<Model> {
  const { shape, tensors, unused } = describeDecoder(checkpoint.config, checkpoint.tensors, checkpoint.source);
  checkTensors(checkpoint, tensors, unused);
  const tokenizer = options.tokenizer ?? (await loadTokenizer(checkpoint));

  const loaded: (KernelBuffer | KernelWeight)[] = [];
  const release = () => {
    for (const handle of loaded.splice(0)) kernels.release(handle);
  };
  const keep = <T extends KernelBuffer | KernelWeight>(handle: T): T => {
    loaded.push(handle);
    return handle;
  };

  async function loadMatrix(layer: LinearLayer): Promise<KernelWeight> {
    const weight = await checkpoint.read(layer.weight);
    if (isQuantized(weight)) return keep(kernels.loadWeight(weight));
    if (!options.allowNonfinite) refuseNonfinite(weight, checkpoint.source);
    if (!floatTypes.has(weight.type)) {
      throw new InputError(
        `${checkpoint.source}: ${layer.weight} is stored as ${weight.type}; weights are ${[...floatTypes].join(", ")}.`,
      );
    }
    const narrow = weight.type === "F64" ? fromFloat32(weight.name, toFloat32(weight), weight.shape, "F32") : weight;
    // Where there is a spec, the checkpoint has turned every matrix already.
    return keep(kernels.loadWeight(checkpoint.spec ? narrow : orientMatrix(narrow, layer)));
  }
  async function loadVector(name: string, change?: (values: Float32Array) => Float32Array): Promise<KernelBuffer> {
    const tensor = await checkpoint.read(name);
    if (isQuantized(tensor))
      throw new InputError(`${checkpoint.source}: ${name} is quantized, but it is not a matrix.`);
    if (!options.allowNonfinite) refuseNonfinite(tensor, checkpoint.source);
    return keepVector(change ? change(toFloat32(tensor)) : toFloat32(tensor));
  }
  function keepVector(values: Float32Array): KernelBuffer {
    const buffer = keep(kernels.createBuffer(values.length));
    kernels.write(buffer, values);
    return buffer;
  }
  async function loadLinear(layer: LinearLayer): Promise<Linear> {
    return { name: layer.weight, weight: await loadMatrix(layer), bias: await loadBias(layer) };
  }
  async function loadBias({ bias, rowOrder }: LinearLayer): Promise<KernelBuffer | undefined> {
    // A bias is never turned by the checkpoint, whatever its spec.
    const order = rowOrder && ((values: Float32Array) => Float32Array.from(rowOrder, (row) => values[row]));
    return bias ? loadVector(bias, order) : undefined;
  }
  async function loadNorm(layer: NormLayer): Promise<Norm> {
    const { gainOffset = 0 } = shape.norm;
    const gainOf = gainOffset === 0 ? undefined : (values: Float32Array) => values.map((value) => value + gainOffset);
    return {
      gain: layer.weight ? await loadVector(layer.weight, gainOf) : keepVector(new Float32Array(layer.width).fill(1)),
      bias: layer.bias ? await loadVector(layer.bias) : undefined,
    };
  }
  const loadOptionalNorm = async (layer: NormLayer | undefined) => layer && (await loadNorm(layer));
  async function loadBlock(block: BlockTensors): Promise<Block> {
    const projections: Linear[] = [];
    for (const projection of block.projections) projections.push(await loadLinear(projection));
    return {
      attentionNorm: await loadOptionalNorm(block.attentionNorm),
      projections,
      query: block.query,
      key: block.key,
      value: block.value,
      queryNorm: await loadOptionalNorm(block.queryNorm),
      keyNorm: await loadOptionalNorm(block.keyNorm),
      out: await loadLinear(block.out),
      attentionOutNorm: await loadOptionalNorm(block.attentionOutNorm),
      ffnNorm: await loadOptionalNorm(block.ffnNorm),
      gate: block.gate && (await loadLinear(block.gate)),
      gateInUp: block.gateInUp,
      up: await loadLinear(block.up),
      down: await loadLinear(block.down),
      ffnOutNorm: await loadOptionalNorm(block.ffnOutNorm),
    };
  }
  async function loadWeights(): Promise<DecoderWeights> {
    const embedding = await loadMatrix(tensors.embedding);
    const blocks: Block[] = [];
    for (const block of tensors.blocks) blocks.push(await loadBlock(block));
    return {
      embedding,
      positions: tensors.positions && (await loadMatrix(tensors.positions)),
      embeddingNorm: await loadOptionalNorm(tensors.embeddingNorm),
      projectIn: tensors.projectIn && (await loadLinear(tensors.projectIn)),
      blocks,
      finalNorm: await loadOptionalNorm(tensors.finalNorm),
      projectOut: tensors.projectOut && (await loadLinear(tensors.projectOut)),
      head: tensors.head ? await loadMatrix(tensors.head) : embedding,
      headBias: tensors.head && (await loadBias(tensors.head)),
    };
  }

  try {
    const weights = await loadWeights();
    const decoder = createDecoder(kernels, shape, weights, options.maxTokens ?? 2048);
    return createModel(checkpoint.source, kernels, decoder, tokenizer, release);
  } catch (error) {
    release();
    throw error;
  }
}
