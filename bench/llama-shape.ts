// The model of bench/index.ts: Llama-shaped, 1.1 B random weights. Time depends on where and how wide weights are, not on
// their values, so codes and float16 values are the same random million over and over; every matrix has its own memory.

import { fileURLToPath } from "node:url";
import type { Checkpoint } from "../src/checkpoint/checkpoint.ts";
import { describePacked } from "../src/checkpoint/packed-layout.ts";
import { buildCodebook } from "../src/quantize/data-types.ts";
import { packedBytes } from "../src/quantize/pack.ts";
import type { QuantizedTensor } from "../src/quantize/quantized.ts";
import type { QuantizedSpec } from "../src/quantize/spec.ts";
import { parseSpec } from "../src/quantize/spec-text.ts";
import { createRandom } from "../src/tensor/random.ts";
import type { Tensor, TensorHeader } from "../src/tensor/tensor.ts";

export const llama = { layers: 22, width: 2048, ffn: 5632, heads: 32, keyHeads: 4, vocabulary: 32000, context: 1024 };

export const config = {
  model_type: "llama",
  hidden_act: "silu",
  vocab_size: llama.vocabulary,
  hidden_size: llama.width,
  intermediate_size: llama.ffn,
  num_hidden_layers: llama.layers,
  num_attention_heads: llama.heads,
  num_key_value_heads: llama.keyHeads,
  max_position_embeddings: llama.context,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: false,
};

/** Names and shapes of all tensors, (out, in). */
export function listTensors(): TensorHeader[] {
  const { layers, width, ffn, heads, keyHeads, vocabulary } = llama;
  const tensors: TensorHeader[] = [];
  const add = (name: string, ...shape: number[]) => tensors.push({ name: `${name}.weight`, type: "F16", shape });
  add("model.embed_tokens", vocabulary, width);
  for (let layer = 0; layer < layers; layer++) {
    const block = `model.layers.${layer}`;
    const narrow = (width / heads) * keyHeads;
    add(`${block}.input_layernorm`, width);
    add(`${block}.self_attn.q_proj`, width, width);
    for (const part of ["k", "v"]) add(`${block}.self_attn.${part}_proj`, narrow, width);
    add(`${block}.self_attn.o_proj`, width, width);
    add(`${block}.post_attention_layernorm`, width);
    for (const part of ["gate", "up"]) add(`${block}.mlp.${part}_proj`, ffn, width);
    add(`${block}.mlp.down_proj`, width, ffn);
  }
  add("model.norm", width);
  add("lm_head", vocabulary, width);
  return tensors;
}

export const countWeights = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const random = createRandom(1);
const halves = new Float16Array(2 ** 20).map(() => random.normal() * 0.02);
const noise = Uint8Array.from({ length: 2 ** 20 }, () => random.uniform() * 256);

/** `count` bytes of a pattern, over and over. */
export function repeat(pattern: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i += pattern.length) bytes.set(pattern.subarray(0, count - i), i);
  return bytes;
}

export const randomHalves = (count: number) => repeat(new Uint8Array(halves.buffer), 2 * count);
export const randomBytes = (count: number) => repeat(noise, count);

/** A random matrix at a spec: random codes, and scales as those of N(0, 0.02) are. */
export function randomMatrix(header: TensorHeader, spec: QuantizedSpec): QuantizedTensor {
  const shape = header.shape as [number, number];
  const count = countWeights(shape);
  if (typeof spec.block !== "number") throw new Error("a block size is expected");
  return {
    name: header.name,
    shape,
    spec,
    codebook: buildCodebook(spec, Float32Array.from(halves.subarray(0, 2 ** 16))),
    codes: randomBytes(packedBytes(count, spec.bits)),
    blockSize: spec.block,
    absmax: { kind: "float16", values: new Float16Array(Math.ceil(count / spec.block)).fill(0.05) },
    centers: null,
    outliers: null,
  };
}

/** The model at a spec, in memory; a baseline is float16. */
export function randomCheckpoint(specText: string): Checkpoint {
  const spec = parseSpec(specText);
  const tensors = new Map(listTensors().map((header) => [header.name, header]));
  return {
    source: `random Llama of 1.1 B weights, ${specText}`,
    config,
    spec,
    tensors,
    fileBytes: 0,
    async read(name): Promise<Tensor | QuantizedTensor> {
      const header = tensors.get(name)!;
      if (header.shape.length === 2 && spec.kind === "quantized") return randomMatrix(header, spec);
      return { ...header, bytes: randomHalves(countWeights(header.shape)) };
    },
    readText: async () => undefined,
    async close() {},
  };
}

/** Bytes of all weights that are read for a token: everything but the embedding, of which one row is read. */
export function bytesPerToken(specText: string): number {
  const spec = parseSpec(specText);
  let bytes = 0;
  for (const header of listTensors()) {
    if (header.name === "model.embed_tokens.weight") continue;
    const count = countWeights(header.shape);
    if (spec.kind !== "quantized" || header.shape.length === 1) bytes += 2 * count;
    else {
      const shape = header.shape as [number, number];
      for (const part of describePacked(header.name, shape, spec, 0, 2 ** spec.bits)) {
        const width = part.type === "U8" ? 1 : part.type === "F16" ? 2 : 4;
        bytes += width * countWeights(part.shape);
      }
    }
  }
  return bytes;
}

/** Weights that are read for a token. */
export function weightsPerToken(): number {
  return bytesPerToken("fp16") / 2;
}

export const benchFolder = fileURLToPath(new URL(".", import.meta.url));
