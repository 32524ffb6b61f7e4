// Gemma 1 to 3: the Llama line with gains stored less 1, scaled embeddings, and from Gemma 2 on norms around both branches,
// alternating sliding windows and capped scores; Gemma 3 has norms of query and key and two rotary bases instead.
// It leaves out the vision tower of Gemma 3 from 4B on, which text does not need.

import type { Architecture, DecoderDescription, DecoderShape } from "../architecture.ts";
import type { ConfigReader } from "../config.ts";
import { readRotary } from "../rotary.ts";
import { activationNames } from "./fields.ts";
import { changeBlocks, norm, repeat } from "./layers.ts";
import { describeLlama, llamaNames } from "./llama.ts";

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma/modeling_gemma.py */
export const gemma: Architecture = {
  modelType: "gemma",
  ...llamaNames,
  describe: (config, prefix, head) => describeGemma(config, prefix, head),
};

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma2/modeling_gemma2.py */
export const gemma2: Architecture = {
  modelType: "gemma2",
  ...llamaNames,
  describe(config, prefix, head) {
    const { shape, tensors } = addOutNorms(describeGemma(config, prefix, head), prefix);
    return { shape: { ...shape, ...readScores(config, shape, 2, { score: 50, logit: 30 }) }, tensors };
  },
};

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/models/gemma3/modeling_gemma3.py */
export const gemma3: Architecture = {
  modelType: "gemma3_text",
  ...llamaNames,
  describe: describeGemma3,
};

/** Gemma 3 with its vision tower; its text config leaves out what is usual. */
export const gemma3Vision: Architecture = {
  modelType: "gemma3",
  ...llamaNames,
  prefix: "language_model.model.",
  ignored: /^(model\.)?(vision_tower|multi_modal_projector)\./,
  describe(config, prefix, head) {
    const usual = {
      vocab_size: 262_208,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      max_position_embeddings: 131_072,
    };
    const text = config.object("text_config", usual);
    if (!text) throw config.fail("text_config is missing; an object is expected.");
    return describeGemma3(text, prefix, head);
  },
};

function describeGemma3(config: ConfigReader, prefix: string, head: string): DecoderDescription {
  const { shape, tensors } = addOutNorms(describeGemma(config, prefix, head), prefix);
  const scores = readScores(config, shape, 6, {});
  const { headSize, maxLength } = shape;
  const fields = { headSize, maxLength, theta: "rope_theta", share: "partial_rotary_factor", defaultShare: 1 };
  const far = readRotary(config, { ...fields, defaultTheta: 1e6, layers: "full_attention" });
  const near = readRotary(config, {
    ...fields,
    theta: "rope_local_base_freq",
    layers: "sliding_attention",
  });
  return {
    shape: {
      ...shape,
      ...scores,
      positions: { kind: "rotary", rotaries: scores.windows.map((window) => (window ? near : far)) },
    },
    tensors: changeBlocks(tensors, (_, layer) => ({
      queryNorm: norm(`${prefix}layers.${layer}.self_attn.q_norm`, headSize, false),
      keyNorm: norm(`${prefix}layers.${layer}.self_attn.k_norm`, headSize, false),
    })),
  };
}

function describeGemma(config: ConfigReader, prefix: string, head: string): DecoderDescription {
  const bias = config.boolean("attention_bias", false);
  const biases = { query: bias, out: bias, ffn: false };
  const tied = config.boolean("tie_word_embeddings", true);
  const { shape, tensors } = describeLlama(config, prefix, head, biases, () => undefined, 256);
  return {
    shape: {
      ...shape,
      norm: { ...shape.norm, gainOffset: 1 },
      embeddingScale: Math.fround(Math.sqrt(shape.width)),
      activation: config.choice(["hidden_activation", "hidden_act"], geluNames, "gelu_pytorch_tanh"),
    },
    tensors: { ...tensors, head: tied ? undefined : { weight: head, rows: shape.vocabulary, columns: shape.width } },
  };
}

/** Old configs of Gemma say "gelu" and mean the tanh approximation. */
const geluNames = { ...activationNames, gelu: "geluTanh" } as const;

/** From Gemma 2 on, both branches have a norm before and one behind. */
function addOutNorms({ shape, tensors }: DecoderDescription, prefix: string): DecoderDescription {
  const add = changeBlocks(tensors, (_, layer) => {
    const place = (name: string) => norm(`${prefix}layers.${layer}.${name}_layernorm`, shape.width, false);
    return {
      attentionOutNorm: place("post_attention"),
      ffnNorm: place("pre_feedforward"),
      ffnOutNorm: place("post_feedforward"),
    };
  });
  return { shape, tensors: add };
}

/** Scales, caps and windows; every `period`-th block sees everything. */
function readScores(
  config: ConfigReader,
  shape: DecoderShape,
  period: number,
  caps: { score?: number; logit?: number },
): Pick<DecoderShape, "attentionScales" | "scoreCap" | "logitCap" | "windows"> {
  if (config.boolean("use_bidirectional_attention", false)) {
    throw config.fail("use_bidirectional_attention is true; only causal attention is supported.");
  }
  const layers = shape.windows.length;
  const window = config.isNull("sliding_window") ? undefined : config.integer("sliding_window", 4096);
  const kinds = config.strings("layer_types");
  const every = config.integer("sliding_window_pattern", period);
  const slides = (layer: number) => (kinds ? kinds[layer] === "sliding_attention" : (layer + 1) % every !== 0);
  const readCap = (name: string, fallback: number | undefined) =>
    config.has(name) || (fallback !== undefined && !config.isNull(name)) ? config.number(name, fallback) : undefined;
  const scale = config.number("query_pre_attn_scalar", 256) ** -0.5;
  return {
    attentionScales: repeat(layers, () => scale),
    windows: repeat(layers, (layer) => (slides(layer) ? window : undefined)),
    scoreCap: readCap("attn_logit_softcapping", caps.score),
    logitCap: readCap("final_logit_softcapping", caps.logit),
  };
}
