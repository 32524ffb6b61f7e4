// StableLM: the Llama line with layer norms and rotary positions on a part of each head; StableLM 2 12B in parallel.

import type { Architecture } from "../architecture.ts";
import { readRotary } from "../rotary.ts";
import { changeBlocks, norm, repeat } from "./layers.ts";
import { describeLlama, llamaNames } from "./llama.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/stablelm/modeling_stablelm.py */
export const stablelm: Architecture = {
  modelType: "stablelm",
  ...llamaNames,
  describe(config, prefix, head) {
    if (config.boolean("qk_layernorm", false)) {
      throw config.fail("qk_layernorm is true; norms with gains of their own for each head are not supported.");
    }
    const parallel = config.boolean("use_parallel_residual", false);
    const biases = { query: config.boolean("use_qkv_bias", false), out: false, ffn: false };
    const { shape, tensors } = describeLlama(config, prefix, head, biases, () => undefined);
    const { headSize, maxLength, width } = shape;
    const fields = { headSize, maxLength, theta: "rope_theta", share: "partial_rotary_factor", defaultShare: 0.25 };
    const rotary = readRotary(config, fields);
    return {
      shape: {
        ...shape,
        norm: { kind: "layer", epsilon: config.number("layer_norm_eps", 1e-5) },
        residual: parallel ? "parallel" : "before",
        positions: { kind: "rotary", rotaries: repeat(shape.windows.length, () => rotary) },
      },
      tensors: {
        ...changeBlocks(tensors, (_, layer) => ({
          attentionNorm: norm(`${prefix}layers.${layer}.input_layernorm`, width, true),
          ffnNorm: parallel ? undefined : norm(`${prefix}layers.${layer}.post_attention_layernorm`, width, true),
        })),
        finalNorm: norm(`${prefix}norm`, width, true),
      },
    };
  },
};
