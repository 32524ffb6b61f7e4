// Falcon: one projection for query, key and value. 7B has one key and value head behind the queries; 40B groups each key
// head with its queries, whose rows are put in order at load; the RW models are as BLOOM, with ALiBi.

import type { Architecture, BlockTensors, LinearLayer } from "../architecture.ts";
import type { ConfigReader } from "../config.ts";
import { readRotary } from "../rotary.ts";
import { computeSlopes } from "./bloom.ts";
import { activationNames, divideHeads, readSizes } from "./fields.ts";
import { headsInRow, headsInterleaved, linear, norm, repeat } from "./layers.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/falcon/modeling_falcon.py */
export const falcon: Architecture = {
  modelType: "falcon",
  embedding: "word_embeddings.weight",
  prefix: "transformer.",
  heads: ["lm_head.weight"],
  ignored: /\.rotary_emb\.inv_freq$/,

  describe(config, prefix, head) {
    const { width, layers, heads } = readSizes(config, {
      width: ["n_embed", "hidden_size"],
      layers: ["num_hidden_layers", "n_layer"],
      heads: ["num_attention_heads", "n_head"],
    });
    const headSize = divideHeads(config, width, heads);
    const ffnWidth = config.integer("ffn_hidden_size", 4 * width);
    const vocabulary = config.integer("vocab_size");
    const maxLength = config.integer("max_position_embeddings", 2048);
    const bias = config.boolean("bias", false);
    const grouped = config.boolean("new_decoder_architecture", false);
    const parallel = grouped || config.boolean("parallel_attn", true);
    const twoNorms = grouped && config.integer("num_ln_in_parallel_attn", 2) === 2;
    const keyHeads = readKeyHeads(config, heads, grouped);
    const fields = { headSize, maxLength, theta: "rope_theta", share: "partial_rotary_factor", defaultShare: 1 };
    const scale = headSize ** -0.5;
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
        norm: { kind: "layer", epsilon: config.number("layer_norm_epsilon", 1e-5) },
        activation: config.choice("activation", activationNames, "gelu"),
        residual: parallel ? "parallel" : "before",
        // The slopes are scaled as the scores are.
        positions: config.boolean("alibi", false)
          ? { kind: "alibi", slopes: computeSlopes(heads).map((slope) => slope * scale) }
          : { kind: "rotary", rotaries: repeat(layers, () => rotary) },
        attentionScales: repeat(layers, () => scale),
        windows: repeat(layers, () => undefined),
      },
      tensors: {
        embedding: linear(`${prefix}word_embeddings`, vocabulary, width, false),
        blocks: repeat(layers, (layer) => {
          const block = `${prefix}h.${layer}`;
          const rows = (heads + 2 * keyHeads) * headSize;
          const fused = linear(`${block}.self_attention.query_key_value`, rows, width, bias);
          return {
            attentionNorm: norm(`${block}.${twoNorms ? "ln_attn" : "input_layernorm"}`, width, true),
            ...placeHeads(fused, heads, keyHeads, headSize, grouped),
            out: linear(`${block}.self_attention.dense`, width, width, bias),
            ffnNorm: twoNorms
              ? norm(`${block}.ln_mlp`, width, true)
              : parallel
                ? undefined
                : norm(`${block}.post_attention_layernorm`, width, true),
            up: linear(`${block}.mlp.dense_h_to_4h`, ffnWidth, width, bias),
            down: linear(`${block}.mlp.dense_4h_to_h`, width, ffnWidth, bias),
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

function readKeyHeads(config: ConfigReader, heads: number, grouped: boolean): number {
  if (!grouped) return config.boolean("multi_query", true) ? 1 : heads;
  const keyHeads = config.integer(["num_kv_heads", "n_head_kv"], heads);
  if (heads % keyHeads !== 0) throw config.fail(`${heads} heads are not a multiple of ${keyHeads} key-value heads.`);
  return keyHeads;
}

/** Where query, key and value lie in the fused projection; grouped ones are put in order first. */
function placeHeads(
  fused: LinearLayer,
  heads: number,
  keyHeads: number,
  headSize: number,
  grouped: boolean,
): Pick<BlockTensors, "projections" | "query" | "key" | "value"> {
  if (!grouped && keyHeads > 1) return { projections: [fused], ...headsInterleaved(headSize) };
  const ordered = { ...fused, rowOrder: orderGroups(heads, keyHeads, headSize) };
  return {
    projections: [keyHeads === 1 ? fused : ordered],
    query: headsInRow(0, headSize),
    key: headsInRow(0, headSize, heads * headSize),
    value: headsInRow(0, headSize, (heads + keyHeads) * headSize),
  };
}

/** Stored: for each key head its queries, the key, the value. Computed: all queries, all keys, all values. */
function orderGroups(heads: number, keyHeads: number, headSize: number): Int32Array {
  const group = heads / keyHeads;
  const placeOf = (head: number) => {
    if (head < heads) return Math.floor(head / group) * (group + 2) + (head % group);
    const other = head - heads; // keys, then values
    return (other % keyHeads) * (group + 2) + group + Math.floor(other / keyHeads);
  };
  return Int32Array.from({ length: (heads + 2 * keyHeads) * headSize }, (_, row) => {
    return placeOf(Math.floor(row / headSize)) * headSize + (row % headSize);
  });
}
