// BLOOM and BLOOMZ: ALiBi for any number of heads, a norm after the embedding, query, key and value interleaved by head.

import type { Architecture } from "../architecture.ts";
import { divideHeads, readSizes } from "./fields.ts";
import { headsInterleaved, linear, norm, repeat } from "./layers.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/bloom/modeling_bloom.py */
export const bloom: Architecture = {
  modelType: "bloom",
  embedding: "word_embeddings.weight",
  prefix: "transformer.",
  heads: ["lm_head.weight"],

  describe(config, prefix, head) {
    const { width, layers, heads } = readSizes(config, {
      width: ["n_embed", "hidden_size"],
      layers: ["n_layer", "num_hidden_layers"],
      heads: ["n_head", "num_attention_heads"],
    });
    const headSize = divideHeads(config, width, heads);
    const ffnWidth = 4 * width;
    const vocabulary = config.integer("vocab_size");
    const normed = config.boolean("apply_residual_connection_post_layernorm", false);

    return {
      shape: {
        vocabulary,
        width,
        heads,
        keyHeads: heads,
        headSize,
        ffnWidth,
        maxLength: config.integer(["seq_length", "max_position_embeddings"], 2048),
        norm: { kind: "layer", epsilon: config.number("layer_norm_epsilon", 1e-5) },
        activation: "geluTanh",
        residual: normed ? "normed" : "before",
        positions: { kind: "alibi", slopes: computeSlopes(heads) },
        attentionScales: repeat(layers, () => headSize ** -0.5),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}word_embeddings`, vocabulary, width, false),
        embeddingNorm: norm(`${prefix}word_embeddings_layernorm`, width, true),
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}h.${layer}`;
          return {
            attentionNorm: norm(`${block}.input_layernorm`, width, true),
            projections: [linear(`${block}.self_attention.query_key_value`, 3 * width, width, true)],
            ...headsInterleaved(headSize),
            out: linear(`${block}.self_attention.dense`, width, width, true),
            ffnNorm: norm(`${block}.post_attention_layernorm`, width, true),
            up: linear(`${block}.mlp.dense_h_to_4h`, ffnWidth, width, true),
            down: linear(`${block}.mlp.dense_4h_to_h`, width, ffnWidth, true),
          };
        }),
        finalNorm: norm(`${prefix}ln_f`, width, true),
        head: config.boolean("tie_word_embeddings", true)
          ? undefined
          : { weight: head, rows: vocabulary, columns: width },
      },
    };
  },
};

/**
 * ALiBi's slopes: `2^(-8 i / n)` for n a power of two; for other counts those of the power below, then every other one
 * of the power above.
 *
 * @see https://arxiv.org/abs/2108.12409
 */
export function computeSlopes(heads: number): Float32Array {
  const power = 2 ** Math.floor(Math.log2(heads));
  return Float32Array.from({ length: heads }, (_, i) =>
    i < power ? 2 ** ((-8 * (i + 1)) / power) : 2 ** ((-4 * (2 * (i - power) + 1)) / power),
  );
}
