// OPT: learned positions from row 2, ReLU, separate query, key and value.
// OPT-350M puts its norms after the residual sum and has an embedding narrower than the residual stream.

import type { Architecture } from "../architecture.ts";
import { activationNames, divideHeads, readSizes } from "./fields.ts";
import { headsInRow, linear, norm, repeat } from "./layers.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/opt/modeling_opt.py */
export const opt: Architecture = {
  modelType: "opt",
  embedding: "embed_tokens.weight",
  prefix: "model.decoder.",
  heads: ["lm_head.weight"],

  describe(config, prefix, head) {
    const { width, layers, heads } = readSizes(config, {
      width: ["hidden_size"],
      layers: ["num_hidden_layers"],
      heads: ["num_attention_heads"],
    });
    const headSize = divideHeads(config, width, heads);
    const ffnWidth = config.integer("ffn_dim");
    const vocabulary = config.integer("vocab_size");
    const maxLength = config.integer("max_position_embeddings");
    const embeddingWidth = config.integer("word_embed_proj_dim", width);
    const normBefore = config.boolean("do_layer_norm_before", true);
    const finalNorm = normBefore && !config.boolean("_remove_final_layer_norm", false);
    const bias = config.boolean("enable_bias", true);
    const affine = config.boolean("layer_norm_elementwise_affine", true);
    const tied = config.boolean("tie_word_embeddings", true);
    const place = (name: string) => (affine ? norm(`${prefix}${name}`, width, true) : { width });
    const projected = embeddingWidth !== width;

    return {
      shape: {
        vocabulary,
        width,
        heads,
        keyHeads: heads,
        headSize,
        ffnWidth,
        maxLength,
        norm: { kind: "layer", epsilon: 1e-5 },
        activation: config.choice("activation_function", activationNames, "relu"),
        residual: normBefore ? "before" : "after",
        positions: { kind: "learned", offset: 2 },
        attentionScales: repeat(layers, () => headSize ** -0.5),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}embed_tokens`, vocabulary, embeddingWidth, false),
        positions: linear(`${prefix}embed_positions`, maxLength + 2, width, false),
        projectIn: projected ? linear(`${prefix}project_in`, width, embeddingWidth, false) : undefined,
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}layers.${layer}`;
          return {
            attentionNorm: place(`layers.${layer}.self_attn_layer_norm`),
            projections: ["q", "k", "v"].map((part) => linear(`${block}.self_attn.${part}_proj`, width, width, bias)),
            query: headsInRow(0, headSize),
            key: headsInRow(1, headSize),
            value: headsInRow(2, headSize),
            out: linear(`${block}.self_attn.out_proj`, width, width, bias),
            ffnNorm: place(`layers.${layer}.final_layer_norm`),
            up: linear(`${block}.fc1`, ffnWidth, width, bias),
            down: linear(`${block}.fc2`, width, ffnWidth, bias),
          };
        }),
        finalNorm: finalNorm ? place("final_layer_norm") : undefined,
        projectOut: projected ? linear(`${prefix}project_out`, embeddingWidth, width, false) : undefined,
        head: tied ? undefined : { weight: head, rows: vocabulary, columns: embeddingWidth },
      },
    };
  },
};
