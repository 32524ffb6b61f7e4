// GPT-J: attention and feed-forward in parallel behind one norm, a bias of the head, and rotary positions that turn
// neighbouring values together. Rows of query and key are put in another order at load, so that they are half-split.

import type { Architecture } from "../architecture.ts";
import { fixedRotary } from "../rotary.ts";
import { activationNames, divideHeads, readSizes } from "./fields.ts";
import { headsInRow, linear, norm, repeat } from "./layers.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/gptj/modeling_gptj.py */
export const gptj: Architecture = {
  modelType: "gptj",
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
    const turned = config.integer("rotary_dim", 64);
    if (turned % 2 !== 0 || turned > headSize) {
      throw config.fail(`rotary_dim is ${turned}; an even number of at most ${headSize} is expected.`);
    }
    const rotary = fixedRotary(10000, turned);
    const rowOrder = orderHalfSplit(heads, headSize, turned);
    if (config.boolean("tie_word_embeddings", false)) {
      throw config.fail("tie_word_embeddings is true; a head of its own is expected.");
    }

    return {
      shape: {
        vocabulary,
        width,
        heads,
        keyHeads: heads,
        headSize,
        ffnWidth,
        maxLength: config.integer(["n_positions", "max_position_embeddings"], 2048),
        norm: { kind: "layer", epsilon: config.number("layer_norm_epsilon", 1e-5) },
        activation: config.choice("activation_function", activationNames, "gelu_new"),
        residual: "parallel",
        positions: { kind: "rotary", rotaries: repeat(layers, () => rotary) },
        attentionScales: repeat(layers, () => headSize ** -0.5),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}wte`, vocabulary, width, false),
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}h.${layer}`;
          return {
            attentionNorm: norm(`${block}.ln_1`, width, true),
            projections: [
              { ...linear(`${block}.attn.q_proj`, width, width, false), rowOrder },
              { ...linear(`${block}.attn.k_proj`, width, width, false), rowOrder },
              linear(`${block}.attn.v_proj`, width, width, false),
            ],
            query: headsInRow(0, headSize),
            key: headsInRow(1, headSize),
            value: headsInRow(2, headSize),
            out: linear(`${block}.attn.out_proj`, width, width, false),
            up: linear(`${block}.mlp.fc_in`, ffnWidth, width, true),
            down: linear(`${block}.mlp.fc_out`, width, ffnWidth, true),
          };
        }),
        finalNorm: norm(`${prefix}ln_f`, width, true),
        head: linear(head.replace(/\.weight$/, ""), vocabulary, width, true),
      },
    };
  },
};

/** Pairs (2i, 2i + 1) of the first `size` rows of each head become rows i and i + size / 2. */
function orderHalfSplit(heads: number, headSize: number, size: number): Int32Array {
  return Int32Array.from({ length: heads * headSize }, (_, row) => {
    const place = row % headSize;
    if (place >= size) return row;
    const half = size / 2;
    return row - place + (place < half ? 2 * place : 2 * (place - half) + 1);
  });
}
