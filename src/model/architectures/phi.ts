// Phi 1 to 2: attention and feed-forward in parallel behind one norm, rotary positions on a part of each head, biases, and
// a bias of the head. Phi 3: the Llama line with query, key and value in one projection, and gate and up in another.

import type { Architecture } from "../architecture.ts";
import { readRotary } from "../rotary.ts";
import { activationNames, divideHeads, readKeyHeads, readSizes } from "./fields.ts";
import { changeBlocks, headsInRow, linear, norm, repeat } from "./layers.ts";
import { describeLlama, llamaNames } from "./llama.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/phi/modeling_phi.py */
export const phi: Architecture = {
  modelType: "phi",
  ...llamaNames,
  describe(config, prefix, head) {
    const { width, layers, heads } = readSizes(config, {
      width: ["hidden_size"],
      layers: ["num_hidden_layers"],
      heads: ["num_attention_heads"],
    });
    const headSize = divideHeads(config, width, heads);
    const keyHeads = readKeyHeads(config, heads);
    const ffnWidth = config.integer("intermediate_size");
    const vocabulary = config.integer("vocab_size");
    const maxLength = config.integer("max_position_embeddings", 2048);
    const normsHeads = config.boolean("qk_layernorm", false);
    if (config.boolean("tie_word_embeddings", false)) {
      throw config.fail("tie_word_embeddings is true; a head of its own is expected.");
    }
    const fields = { headSize, maxLength, theta: "rope_theta", share: "partial_rotary_factor", defaultShare: 0.5 };
    const rotary = readRotary(config, fields);

    return {
      shape: {
        vocabulary,
        width,
        heads,
        keyHeads,
        headSize,
        ffnWidth,
        maxLength,
        norm: { kind: "layer", epsilon: config.number("layer_norm_eps", 1e-5) },
        activation: config.choice("hidden_act", activationNames, "gelu_new"),
        residual: "parallel",
        positions: { kind: "rotary", rotaries: repeat(layers, () => rotary) },
        attentionScales: repeat(layers, () => headSize ** -0.5),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}embed_tokens`, vocabulary, width, false),
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}layers.${layer}`;
          return {
            attentionNorm: norm(`${block}.input_layernorm`, width, true),
            projections: [
              linear(`${block}.self_attn.q_proj`, width, width, true),
              linear(`${block}.self_attn.k_proj`, keyHeads * headSize, width, true),
              linear(`${block}.self_attn.v_proj`, keyHeads * headSize, width, true),
            ],
            query: headsInRow(0, headSize),
            key: headsInRow(1, headSize),
            value: headsInRow(2, headSize),
            queryNorm: normsHeads ? norm(`${block}.self_attn.q_layernorm`, headSize, true) : undefined,
            keyNorm: normsHeads ? norm(`${block}.self_attn.k_layernorm`, headSize, true) : undefined,
            out: linear(`${block}.self_attn.dense`, width, width, true),
            up: linear(`${block}.mlp.fc1`, ffnWidth, width, true),
            down: linear(`${block}.mlp.fc2`, width, ffnWidth, true),
          };
        }),
        finalNorm: norm(`${prefix}final_layernorm`, width, true),
        head: linear(head.replace(/\.weight$/, ""), vocabulary, width, true),
      },
    };
  },
};

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/phi3/modeling_phi3.py */
export const phi3: Architecture = {
  modelType: "phi3",
  ...llamaNames,
  describe(config, prefix, head) {
    const window = config.has("sliding_window") ? config.integer("sliding_window") : undefined;
    const biases = { query: false, out: false, ffn: false };
    const { shape, tensors } = describeLlama(config, prefix, head, biases, () => window);
    const { width, heads, keyHeads, headSize, ffnWidth } = shape;
    const fuse = changeBlocks(tensors, (_, layer) => {
      const block = `${prefix}layers.${layer}`;
      return {
        projections: [linear(`${block}.self_attn.qkv_proj`, (heads + 2 * keyHeads) * headSize, width, false)],
        query: headsInRow(0, headSize),
        key: headsInRow(0, headSize, heads * headSize),
        value: headsInRow(0, headSize, (heads + keyHeads) * headSize),
        gate: undefined,
        gateInUp: true,
        up: linear(`${block}.mlp.gate_up_proj`, 2 * ffnWidth, width, false),
      };
    });
    const epsilon = config.number("rms_norm_eps", 1e-5);
    const scaling = config.object("rope_scaling") ?? config.object("rope_parameters");
    // The rotary positions of long contexts have other divisors; kbit keeps to those of the trained length.
    const trained = config.integer("original_max_position_embeddings", shape.maxLength);
    const maxLength = scaling?.has("short_factor") ? Math.min(trained, shape.maxLength) : shape.maxLength;
    return { shape: { ...shape, maxLength, norm: { kind: "rms", epsilon } }, tensors: fuse };
  },
};
