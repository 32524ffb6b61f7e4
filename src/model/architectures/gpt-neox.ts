// GPT-NeoX and Pythia: attention and feed-forward in parallel (or in sequence), rotary positions on a part of each head.

import type { Architecture } from "../architecture.ts";
import { readRotary } from "../rotary.ts";
import { activationNames, divideHeads, readSizes } from "./fields.ts";
import { headsInterleaved, linear, norm, repeat } from "./layers.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt_neox/modeling_gpt_neox.py */
export const gptNeox: Architecture = {
  modelType: "gpt_neox",
  embedding: "embed_in.weight",
  prefix: "gpt_neox.",
  heads: ["embed_out.weight", "lm_head.weight"],
  // Causal masks and rotary tables, kept as buffers by old versions.
  ignored: /\.attention\.((masked_)?bias|rotary_emb\.inv_freq)$/,

  describe(config, prefix, head) {
    const { width, layers, heads } = readSizes(config, {
      width: ["hidden_size"],
      layers: ["num_hidden_layers"],
      heads: ["num_attention_heads"],
    });
    const headSize = divideHeads(config, width, heads);
    const ffnWidth = config.integer("intermediate_size");
    const vocabulary = config.integer("vocab_size");
    const maxLength = config.integer("max_position_embeddings", 2048);
    const bias = config.boolean("attention_bias", true);
    const rotary = readRotary(config, {
      headSize,
      maxLength,
      theta: ["rotary_emb_base", "rope_theta"],
      share: ["rotary_pct", "partial_rotary_factor"],
      defaultShare: 0.25,
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
        norm: { kind: "layer", epsilon: config.number("layer_norm_eps", 1e-5) },
        activation: config.choice("hidden_act", activationNames, "gelu"),
        residual: config.boolean("use_parallel_residual", true) ? "parallel" : "before",
        positions: { kind: "rotary", rotaries: repeat(layers, () => rotary) },
        attentionScales: repeat(layers, () => headSize ** -0.5),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}embed_in`, vocabulary, width, false),
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}layers.${layer}`;
          return {
            attentionNorm: norm(`${block}.input_layernorm`, width, true),
            projections: [linear(`${block}.attention.query_key_value`, 3 * width, width, bias)],
            ...headsInterleaved(headSize),
            out: linear(`${block}.attention.dense`, width, width, bias),
            ffnNorm: norm(`${block}.post_attention_layernorm`, width, true),
            up: linear(`${block}.mlp.dense_h_to_4h`, ffnWidth, width, true),
            down: linear(`${block}.mlp.dense_4h_to_h`, width, ffnWidth, true),
          };
        }),
        finalNorm: norm(`${prefix}final_layer_norm`, width, true),
        head: config.boolean("tie_word_embeddings", false)
          ? undefined
          : { weight: head, rows: vocabulary, columns: width },
      },
    };
  },
};
