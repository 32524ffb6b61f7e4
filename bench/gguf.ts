// Writes the model of llama-shape.ts as llama.cpp reads it: GGUF version 3, matrices in F16 or Q4_0 (18 bytes for 32
// weights: a float16 scale and 32 codes of 4 bits).

import { closeSync, openSync, writeSync } from "node:fs";
import { countWeights, listTensors, llama, randomHalves, repeat } from "./llama-shape.ts";

const alignment = 32;
const valueTypes = { u32: 4, i32: 5, f32: 6, text: 8, list: 9 } as const;
const tensorTypes = { F32: 0, F16: 1, Q4_0: 2 } as const;

class Writer {
  readonly parts: Buffer[] = [];
  u32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    this.parts.push(bytes);
  }
  u64(value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    this.parts.push(bytes);
  }
  f32(value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value);
    this.parts.push(bytes);
  }
  text(value: string): void {
    this.u64(Buffer.byteLength(value));
    this.parts.push(Buffer.from(value));
  }
  list<T>(type: keyof typeof valueTypes, values: readonly T[], write: (value: T) => void): void {
    this.u32(valueTypes[type]);
    this.u64(values.length);
    values.forEach(write);
  }
}

/** Names of llama.cpp for those of the Hub. */
function renameTensor(name: string): string {
  const parts: Record<string, string> = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    input_layernorm: "attn_norm",
    post_attention_layernorm: "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
  };
  const whole: Record<string, string> = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
  };
  const match = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name);
  return match ? `blk.${match[1]}.${parts[match[2]]}.weight` : whole[name];
}

/** The million of Q4_0 blocks that is repeated. */
function randomBlocks(): Uint8Array {
  const blocks = randomHalves(9 * 2 ** 16); // bytes of some random numbers
  const view = new DataView(blocks.buffer);
  for (let i = 0; i < blocks.length; i += 18) view.setFloat16(i, 0.006, true);
  return blocks;
}

/** llama.cpp's types: 1 normal, 2 unknown, 3 control, 6 a byte. */
function tokenType(token: string): number {
  if (token === "<unk>") return 2;
  if (token.startsWith("<0x")) return 6;
  return token.startsWith("<") ? 3 : 1;
}

/** Bytes of all weights that llama.cpp reads for a token. */
export function ggufBytesPerToken(type: "F16" | "Q4_0"): number {
  const sizes = listTensors().filter(({ name }) => name !== "model.embed_tokens.weight");
  return sizes.reduce((sum, { shape }) => sum + bytesOf(shape, type), 0);
}

function bytesOf(shape: readonly number[], type: "F16" | "Q4_0"): number {
  const count = countWeights(shape);
  if (shape.length === 1) return 4 * count;
  return type === "F16" ? 2 * count : (count / 32) * 18;
}

/** Writes the model; its values are random. */
export function writeGguf(path: string, type: "F16" | "Q4_0"): void {
  const { layers, width, ffn, heads, keyHeads, vocabulary, context } = llama;
  const tensors = listTensors();
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const words = Array.from({ length: vocabulary - 3 - bytes.length }, (_, i) => `w${i}`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...words];
  const writer = new Writer();
  const facts: [string, "u32" | "f32" | "text", number | string][] = [
    ["general.architecture", "text", "llama"],
    ["general.name", "text", "random"],
    ["llama.context_length", "u32", context],
    ["llama.embedding_length", "u32", width],
    ["llama.block_count", "u32", layers],
    ["llama.feed_forward_length", "u32", ffn],
    ["llama.attention.head_count", "u32", heads],
    ["llama.attention.head_count_kv", "u32", keyHeads],
    ["llama.rope.dimension_count", "u32", width / heads],
    ["llama.rope.freq_base", "f32", 10000],
    ["llama.attention.layer_norm_rms_epsilon", "f32", 1e-5],
    ["llama.vocab_size", "u32", vocabulary],
    ["general.file_type", "u32", type === "F16" ? 1 : 2],
    ["tokenizer.ggml.model", "text", "llama"],
    ["tokenizer.ggml.bos_token_id", "u32", 1],
    ["tokenizer.ggml.eos_token_id", "u32", 2],
    ["tokenizer.ggml.unknown_token_id", "u32", 0],
  ];
  writer.parts.push(Buffer.from("GGUF"));
  writer.u32(3);
  writer.u64(tensors.length);
  writer.u64(facts.length + 3);
  for (const [key, kind, value] of facts) {
    writer.text(key);
    writer.u32(valueTypes[kind]);
    (writer[kind] as (value: number | string) => void).call(writer, value);
  }
  writer.text("tokenizer.ggml.tokens");
  writer.u32(valueTypes.list);
  writer.list("text", tokens, (token) => writer.text(token));
  writer.text("tokenizer.ggml.scores");
  writer.u32(valueTypes.list);
  writer.list("f32", tokens, (_token) => writer.f32(0));
  writer.text("tokenizer.ggml.token_type");
  writer.u32(valueTypes.list);
  writer.list("i32", tokens, (token) => writer.u32(tokenType(token)));

  let offset = 0;
  for (const { name, shape } of tensors) {
    writer.text(renameTensor(name));
    writer.u32(shape.length);
    for (const size of shape.toReversed()) writer.u64(size);
    writer.u32(shape.length === 1 ? tensorTypes.F32 : tensorTypes[type]);
    writer.u64(offset);
    offset += Math.ceil(bytesOf(shape, type) / alignment) * alignment;
  }
  const header = Buffer.concat(writer.parts);
  const blocks = randomBlocks();
  const file = openSync(path, "w");
  try {
    writeSync(file, header);
    let position = Math.ceil(header.length / alignment) * alignment;
    for (const { shape } of tensors) {
      const bytes =
        shape.length === 1
          ? new Uint8Array(new Float32Array(shape[0]).fill(1).buffer)
          : type === "F16"
            ? randomHalves(countWeights(shape))
            : repeat(blocks, bytesOf(shape, type));
      writeSync(file, bytes, 0, bytes.length, position);
      position += Math.ceil(bytes.length / alignment) * alignment;
    }
  } finally {
    closeSync(file);
  }
}
