// The table of architectures in GGUF files: one row each, from ggml's keys and tensor names to the config and the names
// that the original checkpoint had, and what the converter did to the weights, so that it can be undone.

import type { InputError } from "../../input-error.ts";
import { type Change, orderGroups, orderPairs } from "./changes.ts";
import type { GgufHeader, GgufValue } from "./header.ts";

/** A file's architecture, with its keys at hand. */
export interface GgufModel {
  readonly header: GgufHeader;
  /** Value of `ARCHITECTURE.key`. @throws InputError if it is not a number above 0 and there is no default */
  number(key: string, fallback?: number): number;
  /** The same, undefined where the key is missing. */
  optional(key: string): number | undefined;
  value(key: string): GgufValue | undefined;
  has(tensor: string): boolean;
  fail(sentence: string): InputError;
}

type Names = Readonly<Record<string, string>>;

/** A row of the table. */
export interface GgufArchitecture {
  readonly modelType: string;
  /** Original names of the tensors outside the blocks, and the path of block N, by ggml's names. */
  readonly names: Names;
  /** `BLOCK` in front of the names of a block's tensors stands for this, `N` for its number. */
  readonly block: string;
  /** Names inside a block. */
  readonly blockNames: Names | ((model: GgufModel) => Names);
  config(model: GgufModel): Record<string, unknown>;
  /** How a tensor (by ggml's name, without its block) was changed. */
  change?(part: string, model: GgufModel): Change | undefined;
}

/** Names of the Llama line. */
const llamaNames = { token_embd: "model.embed_tokens", output_norm: "model.norm", output: "lm_head" };
const llamaBlock = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const llamaLine = { names: llamaNames, block: "model.layers.N.", blockNames: llamaBlock };
const outNorms = { post_attention_norm: "post_attention_layernorm", post_ffw_norm: "post_feedforward_layernorm" };
const gemmaBlock = { ...llamaBlock, ...outNorms, ffn_norm: "pre_feedforward_layernorm" };
const bloomBlock = {
  attn_norm: "input_layernorm",
  attn_qkv: "self_attention.query_key_value",
  attn_output: "self_attention.dense",
  ffn_norm: "post_attention_layernorm",
  ffn_up: "mlp.dense_h_to_4h",
  ffn_down: "mlp.dense_4h_to_h",
};

/** Sizes that every architecture has. */
function readSizes(model: GgufModel): Record<string, unknown> {
  return {
    hidden_size: model.number("embedding_length"),
    num_hidden_layers: model.number("block_count"),
    num_attention_heads: model.number("attention.head_count"),
    max_position_embeddings: model.number("context_length"),
    vocab_size: model.header.tensors.get("token_embd.weight")?.shape[0],
    tie_word_embeddings: !model.has("output.weight"),
  };
}

/** Config of the Llama line and its kin. */
function readLlama(model: GgufModel): Record<string, unknown> {
  const heads = model.number("attention.head_count");
  const headSize = model.number("attention.key_length", model.number("embedding_length") / heads);
  if (model.number("attention.value_length", headSize) !== headSize) {
    throw model.fail("has heads of other sizes for values than for keys, which are not supported");
  }
  if ((model.optional("expert_count") ?? 0) > 0) throw model.fail("is a mixture of experts, which is not supported");
  return {
    ...readSizes(model),
    intermediate_size: model.number("feed_forward_length"),
    num_key_value_heads: model.number("attention.head_count_kv", heads),
    head_dim: headSize,
    rms_norm_eps: model.optional("attention.layer_norm_rms_epsilon"),
    layer_norm_eps: model.optional("attention.layer_norm_epsilon"),
    attention_bias: model.has("blk.0.attn_q.bias"),
    mlp_bias: model.has("blk.0.ffn_up.bias"),
    ...readRotary(model, headSize),
  };
}

function readRotary(model: GgufModel, headSize: number): Record<string, unknown> {
  const kind = model.value("rope.scaling.type") ?? "none";
  const factor = model.optional("rope.scaling.factor") ?? model.optional("rope.scale_linear");
  const trained = model.optional("rope.scaling.original_context_length");
  const share = { partial_rotary_factor: model.number("rope.dimension_count", headSize) / headSize };
  const fields = { rope_theta: model.number("rope.freq_base", 10000), ...share };
  if (trained !== undefined) Object.assign(fields, { original_max_position_embeddings: trained });
  if (factor === undefined || factor === 1 || kind === "none") return fields;
  if (kind === "linear") return { ...fields, rope_scaling: { rope_type: "linear", factor } };
  if (kind === "yarn") return { ...fields, rope_scaling: { rope_type: "yarn", factor } };
  throw model.fail(`scales its rotary positions by ${JSON.stringify(kind)}; linear and yarn are read`);
}

function changeFused(part: string, model: GgufModel, keyHeadsOf: (heads: number) => number): Change | undefined {
  if (!part.startsWith("attn_qkv.")) return undefined;
  const heads = model.number("attention.head_count");
  return orderGroups(heads, keyHeadsOf(heads), model.number("embedding_length") / heads);
}

const addedOne = (part: string): Change | undefined => (part.endsWith("norm.weight") ? { kind: "plus1" } : undefined);

/** Scores are scaled by the head size, in the 27B models by width / heads. */
function readGemma(model: GgufModel, largeLayers: number): Record<string, unknown> {
  const config = readLlama(model);
  const isLarge = model.number("block_count") === largeLayers;
  const scalar = isLarge ? model.number("embedding_length") / model.number("attention.head_count") : config["head_dim"];
  return { ...config, query_pre_attn_scalar: scalar, hidden_activation: "gelu_pytorch_tanh" };
}

/** Every architecture that is read, by `general.architecture`. */
export const ggufArchitectures: Readonly<Record<string, GgufArchitecture>> = {
  llama: {
    modelType: "llama",
    ...llamaLine,
    config: readLlama,
    change(part, model) {
      const heads = model.number("attention.head_count");
      const headSize = model.number("attention.key_length", model.number("embedding_length") / heads);
      if (part.startsWith("attn_q.")) return orderPairs(heads, headSize);
      if (part.startsWith("attn_k.")) return orderPairs(model.number("attention.head_count_kv", heads), headSize);
      return undefined;
    },
  },
  qwen2: { modelType: "qwen2", ...llamaLine, config: readLlama },
  qwen3: { modelType: "qwen3", ...llamaLine, config: readLlama },
  olmo2: { modelType: "olmo2", ...llamaLine, blockNames: { ...llamaBlock, ...outNorms }, config: readLlama },
  stablelm: {
    modelType: "stablelm",
    ...llamaLine,
    config: (model) => ({
      ...readLlama(model),
      use_qkv_bias: model.has("blk.0.attn_q.bias"),
      qk_layernorm: model.has("blk.0.attn_q_norm.weight"),
      use_parallel_residual: !model.has("blk.0.ffn_norm.weight"),
    }),
  },
  gemma: {
    modelType: "gemma",
    ...llamaLine,
    config: (model) => ({ ...readLlama(model), hidden_activation: "gelu_pytorch_tanh" }),
    change: addedOne,
  },
  gemma2: {
    modelType: "gemma2",
    ...llamaLine,
    blockNames: gemmaBlock,
    config: (model) => ({
      ...readGemma(model, 46),
      sliding_window: model.number("attention.sliding_window", 4096),
      attn_logit_softcapping: model.optional("attn_logit_softcapping") ?? 50,
      final_logit_softcapping: model.optional("final_logit_softcapping") ?? 30,
    }),
    change: addedOne,
  },
  gemma3: {
    modelType: "gemma3_text",
    ...llamaLine,
    blockNames: gemmaBlock,
    config: (model) => ({
      ...readGemma(model, 62),
      sliding_window: model.number("attention.sliding_window"),
      rope_theta: model.number("rope.freq_base", 1e6),
      rope_local_base_freq: model.number("rope.freq_base_swa", 10000),
      final_logit_softcapping: model.optional("final_logit_softcapping"),
    }),
    change: addedOne,
  },
  phi2: {
    modelType: "phi",
    names: { ...llamaNames, output_norm: "model.final_layernorm" },
    block: "model.layers.N.",
    blockNames: { ...llamaBlock, attn_output: "self_attn.dense", ffn_up: "mlp.fc1", ffn_down: "mlp.fc2" },
    config: (model) => ({ ...readLlama(model), hidden_act: "gelu_new" }),
  },
  phi3: {
    modelType: "phi3",
    ...llamaLine,
    blockNames: { ...llamaBlock, attn_qkv: "self_attn.qkv_proj", ffn_up: "mlp.gate_up_proj" },
    config: (model) => ({ ...readLlama(model), sliding_window: model.optional("attention.sliding_window") || null }),
  },
  gpt2: {
    modelType: "gpt2",
    names: {
      token_embd: "transformer.wte",
      position_embd: "transformer.wpe",
      output_norm: "transformer.ln_f",
      output: "lm_head",
    },
    block: "transformer.h.N.",
    blockNames: {
      attn_norm: "ln_1",
      attn_qkv: "attn.c_attn",
      attn_output: "attn.c_proj",
      ffn_norm: "ln_2",
      ffn_up: "mlp.c_fc",
      ffn_down: "mlp.c_proj",
    },
    config: (model) => ({
      ...readSizes(model),
      n_inner: model.number("feed_forward_length"),
      layer_norm_epsilon: model.number("attention.layer_norm_epsilon", 1e-5),
    }),
    change: (part) =>
      /^(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(part) ? { kind: "transposed" } : undefined,
  },
  gptneox: {
    modelType: "gpt_neox",
    names: { token_embd: "gpt_neox.embed_in", output_norm: "gpt_neox.final_layer_norm", output: "embed_out" },
    block: "gpt_neox.layers.N.",
    blockNames: { ...bloomBlock, attn_qkv: "attention.query_key_value", attn_output: "attention.dense" },
    config(model) {
      const sizes = readSizes(model);
      const headSize = model.number("embedding_length") / model.number("attention.head_count");
      return {
        ...sizes,
        intermediate_size: model.number("feed_forward_length"),
        layer_norm_eps: model.number("attention.layer_norm_epsilon", 1e-5),
        use_parallel_residual: model.value("use_parallel_residual") ?? true,
        rotary_pct: model.number("rope.dimension_count", headSize) / headSize,
        rotary_emb_base: model.number("rope.freq_base", 10000),
      };
    },
    change: (part, model) => changeFused(part, model, (heads) => heads),
  },
  bloom: {
    modelType: "bloom",
    names: {
      token_embd: "transformer.word_embeddings",
      token_embd_norm: "transformer.word_embeddings_layernorm",
      output_norm: "transformer.ln_f",
      output: "lm_head",
    },
    block: "transformer.h.N.",
    blockNames: bloomBlock,
    config: (model) => ({
      ...readSizes(model),
      layer_norm_epsilon: model.number("attention.layer_norm_epsilon", 1e-5),
    }),
    change: (part, model) => changeFused(part, model, (heads) => heads),
  },
  falcon: {
    modelType: "falcon",
    names: { token_embd: "transformer.word_embeddings", output_norm: "transformer.ln_f", output: "lm_head" },
    block: "transformer.h.N.",
    blockNames: (model) =>
      model.has("blk.0.attn_norm_2.weight")
        ? { ...bloomBlock, attn_norm: "ln_mlp", attn_norm_2: "ln_attn" }
        : bloomBlock,
    config: (model) => ({
      ...readSizes(model),
      ffn_hidden_size: model.number("feed_forward_length", 4 * model.number("embedding_length")),
      num_kv_heads: model.number("attention.head_count_kv", 1),
      new_decoder_architecture: model.number("attention.head_count_kv", 1) > 1,
      num_ln_in_parallel_attn: model.has("blk.0.attn_norm_2.weight") ? 2 : 1,
      layer_norm_epsilon: model.number("attention.layer_norm_epsilon", 1e-5),
      rope_theta: model.number("rope.freq_base", 10000),
    }),
    change: (part, model) => changeFused(part, model, () => model.number("attention.head_count_kv", 1)),
  },
};
