// GPT-2: learned positions, query, key and value side by side in one projection, weights stored as (in, out) (Conv1D).

import type { Architecture, LinearLayer } from "../architecture.ts";
import { activationNames, divideHeads, readSizes } from "./fields.ts";
import { headsInRow, linear, norm, repeat } from "./layers.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt2/modeling_gpt2.py */
export const gpt2: Architecture = {
  modelType: "gpt2",
  embedding: "wte.weight",
  prefix: "transformer.",
  heads: ["lm_head.weight"],
  // Causal masks, kept as buffers by old versions.
  ignored: /\.attn\.(masked_)?bias$/,

  describe(config, prefix, head) {
    const { width, layers, heads } = readSizes(config, {
      width: ["n_embd", "hidden_size"],
      layers: ["n_layer", "num_hidden_layers"],
      heads: ["n_head", "num_attention_heads"],
    });
    const headSize = divideHeads(config, width, heads);
    const ffnWidth = config.integer("n_inner", 4 * width);
    const vocabulary = config.integer("vocab_size");
    const maxLength = config.integer(["n_positions", "max_position_embeddings", "n_ctx"]);
    if (config.boolean("add_cross_attention", false))
      throw config.fail("add_cross_attention is true; only decoders without it are supported.");
    const scale = config.boolean("scale_attn_weights", true) ? headSize ** -0.5 : 1;
    const byLayer = config.boolean("scale_attn_by_inverse_layer_idx", false);
    const conv = (name: string, rows: number, columns: number): LinearLayer => ({
      ...linear(name, rows, columns, true),
      transposed: true,
    });

    return {
      shape: {
        vocabulary,
        width,
        heads,
        keyHeads: heads,
        headSize,
        ffnWidth,
        maxLength,
        norm: { kind: "layer", epsilon: config.number("layer_norm_epsilon", 1e-5) },
        activation: config.choice("activation_function", activationNames, "gelu_new"),
        residual: "before",
        positions: { kind: "learned", offset: 0 },
        attentionScales: repeat(layers, (layer) => (byLayer ? scale / (layer + 1) : scale)),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}wte`, vocabulary, width, false),
        positions: linear(`${prefix}wpe`, maxLength, width, false),
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}h.${layer}`;
          return {
            attentionNorm: norm(`${block}.ln_1`, width, true),
            projections: [conv(`${block}.attn.c_attn`, 3 * width, width)],
            query: headsInRow(0, headSize),
            key: headsInRow(0, headSize, width),
            value: headsInRow(0, headSize, 2 * width),
            out: conv(`${block}.attn.c_proj`, width, width),
            ffnNorm: norm(`${block}.ln_2`, width, true),
            up: conv(`${block}.mlp.c_fc`, ffnWidth, width),
            down: conv(`${block}.mlp.c_proj`, width, ffnWidth),
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
