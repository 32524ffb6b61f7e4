// The Llama line: RMS norms, rotary positions, grouped queries, a gated feed-forward layer; and its kin: Mistral, Qwen2,
// Qwen3 and OLMo2, which differ in biases, sliding windows and further norms. SmolLM2 is a Llama by its config.

import type { Architecture, DecoderDescription } from "../architecture.ts";
import type { ConfigReader } from "../config.ts";
import { readRotary } from "../rotary.ts";
import { activationNames, divideHeads, readKeyHeads, readSizes } from "./fields.ts";
import { changeBlocks, headsInRow, linear, norm, repeat } from "./layers.ts";

/** Where the tensors of the Llama line lie. */
export const llamaNames = {
  embedding: "embed_tokens.weight",
  prefix: "model.",
  heads: ["lm_head.weight"],
  ignored: /\.rotary_emb\.inv_freq$/,
} as const;

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/llama/modeling_llama.py */
export const llama: Architecture = {
  modelType: "llama",
  ...llamaNames,
  describe(config, prefix, head) {
    const attention = config.boolean("attention_bias", false);
    const ffn = config.boolean("mlp_bias", false);
    return describeLlama(config, prefix, head, { query: attention, out: attention, ffn }, () => undefined);
  },
};

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/mistral/modeling_mistral.py */
export const mistral: Architecture = {
  modelType: "mistral",
  ...llamaNames,
  describe(config, prefix, head) {
    const window = config.has("sliding_window") ? config.integer("sliding_window") : undefined;
    return describeLlama(config, prefix, head, { query: false, out: false, ffn: false }, () => window);
  },
};

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen2/modeling_qwen2.py */
export const qwen2: Architecture = {
  modelType: "qwen2",
  ...llamaNames,
  describe: (config, prefix, head) =>
    describeLlama(config, prefix, head, { query: true, out: false, ffn: false }, readQwenWindows(config)),
};

/** Norms of query and key over each head. @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen3/modeling_qwen3.py */
export const qwen3: Architecture = {
  modelType: "qwen3",
  ...llamaNames,
  describe(config, prefix, head) {
    const bias = config.boolean("attention_bias", false);
    const biases = { query: bias, out: bias, ffn: false };
    const { shape, tensors } = describeLlama(config, prefix, head, biases, readQwenWindows(config), 128);
    const addNorms = changeBlocks(tensors, (_, layer) => ({
      queryNorm: norm(`${prefix}layers.${layer}.self_attn.q_norm`, shape.headSize, false),
      keyNorm: norm(`${prefix}layers.${layer}.self_attn.k_norm`, shape.headSize, false),
    }));
    return { shape, tensors: addNorms };
  },
};

/** Norms behind attention and feed-forward, none before. @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/olmo2/modeling_olmo2.py */
export const olmo2: Architecture = {
  modelType: "olmo2",
  ...llamaNames,
  describe(config, prefix, head) {
    const bias = config.boolean("attention_bias", false);
    const biases = { query: bias, out: bias, ffn: false };
    const { shape, tensors } = describeLlama(config, prefix, head, biases, () => undefined);
    const { width, heads, keyHeads, headSize, norm: kind } = shape;
    const moveNorms = changeBlocks(tensors, (_, layer) => {
      const block = `${prefix}layers.${layer}`;
      return {
        attentionNorm: undefined,
        queryNorm: norm(`${block}.self_attn.q_norm`, heads * headSize, false),
        keyNorm: norm(`${block}.self_attn.k_norm`, keyHeads * headSize, false),
        attentionOutNorm: norm(`${block}.post_attention_layernorm`, width, false),
        ffnNorm: undefined,
        ffnOutNorm: norm(`${block}.post_feedforward_layernorm`, width, false),
      };
    });
    return {
      shape: { ...shape, norm: { ...kind, epsilon: config.number("rms_norm_eps", 1e-5) } },
      tensors: moveNorms,
    };
  },
};

/** Sliding windows of Qwen's configs: by `layer_types`, or from `max_window_layers` on. */
function readQwenWindows(config: ConfigReader): (layer: number) => number | undefined {
  const window = config.boolean("use_sliding_window", false) ? config.integer("sliding_window", 4096) : undefined;
  const kinds = config.strings("layer_types");
  const full = config.integer("max_window_layers", 28, 0);
  const slides = (layer: number) => (kinds ? kinds[layer] === "sliding_attention" : layer >= full);
  return (layer) => (slides(layer) ? window : undefined);
}

/** The decoder of a config of the Llama line; its kin change what differs. */
export function describeLlama(
  config: ConfigReader,
  prefix: string,
  head: string,
  bias: { query: boolean; out: boolean; ffn: boolean },
  windowOf: (layer: number) => number | undefined,
  defaultHeadSize?: number,
): DecoderDescription {
  const { width, layers, heads } = readSizes(config, {
    width: ["hidden_size"],
    layers: ["num_hidden_layers"],
    heads: ["num_attention_heads"],
  });
  if (config.boolean("rope_interleaved", false)) {
    throw config.fail("rope_interleaved is true; only half-split rotary positions are supported.");
  }
  const keyHeads = readKeyHeads(config, heads);
  const headSize = config.has("head_dim")
    ? config.integer("head_dim")
    : (defaultHeadSize ?? divideHeads(config, width, heads));
  const ffnWidth = config.integer("intermediate_size");
  const vocabulary = config.integer("vocab_size");
  const maxLength = config.integer("max_position_embeddings", 2048);
  const rotary = readRotary(config, {
    headSize,
    maxLength,
    theta: "rope_theta",
    share: "partial_rotary_factor",
    defaultShare: 1,
  });

  return {
    shape: {
      vocabulary,
      width,
      heads,
      keyHeads,
      headSize,
      ffnWidth,
      maxLength,
      norm: { kind: "rms", epsilon: config.number("rms_norm_eps", 1e-6) },
      activation: config.choice("hidden_act", activationNames, "silu"),
      residual: "before",
      positions: { kind: "rotary", rotaries: repeat(layers, () => rotary) },
      attentionScales: repeat(layers, () => headSize ** -0.5),
      windows: repeat(layers, windowOf),
    },
    tensors: {
      embedding: linear(`${prefix}embed_tokens`, vocabulary, width, false),
      blocks: repeat(layers, (layer) => {
        const block = `${prefix}layers.${layer}`;
        return {
          attentionNorm: norm(`${block}.input_layernorm`, width, false),
          projections: [
            linear(`${block}.self_attn.q_proj`, heads * headSize, width, bias.query),
            linear(`${block}.self_attn.k_proj`, keyHeads * headSize, width, bias.query),
            linear(`${block}.self_attn.v_proj`, keyHeads * headSize, width, bias.query),
          ],
          query: headsInRow(0, headSize),
          key: headsInRow(1, headSize),
          value: headsInRow(2, headSize),
          out: linear(`${block}.self_attn.o_proj`, width, heads * headSize, bias.out),
          ffnNorm: norm(`${block}.post_attention_layernorm`, width, false),
          gate: linear(`${block}.mlp.gate_proj`, ffnWidth, width, bias.ffn),
          up: linear(`${block}.mlp.up_proj`, ffnWidth, width, bias.ffn),
          down: linear(`${block}.mlp.down_proj`, width, ffnWidth, bias.ffn),
        };
      }),
      finalNorm: norm(`${prefix}norm`, width, false),
      head: config.boolean("tie_word_embeddings", false)
        ? undefined
        : { weight: head, rows: vocabulary, columns: width },
    },
  };
}
