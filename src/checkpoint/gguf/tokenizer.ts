// The tokenizer in a GGUF file as the files that other checkpoints have: tokenizer.json, tokenizer_config.json and
// generation_config.json. Byte-level BPE keeps its merges; a SentencePiece vocabulary has scores, from which merges follow.

import { InputError } from "../../input-error.ts";
import type { GgufValue } from "./header.ts";

/** Kinds of tokens, as in SentencePiece. */
const kinds = { unknown: 2, control: 3, userDefined: 4 } as const;

type Values = ReadonlyMap<string, GgufValue>;

/**
 * Text of the tokenizer's files by their names; empty if the file has no tokenizer.
 *
 * @throws InputError if it is of a kind that is not read, or its lists do not fit together
 */
export function writeTokenizerFiles(values: Values, source: string): Map<string, string> {
  const model = values.get("tokenizer.ggml.model");
  if (model === undefined || model === "none") return new Map();
  if (model !== "gpt2" && model !== "llama") {
    throw new InputError(`${source} has a tokenizer of the kind ${JSON.stringify(model)}; gpt2 and llama are read.`);
  }
  const tokens = readTexts(values, "tokenizer.ggml.tokens", source);
  const types = readNumbers(values, "tokenizer.ggml.token_type", source);
  if (types && types.length !== tokens.length) {
    throw new InputError(`${source} has ${tokens.length} tokens, but types of ${types.length}.`);
  }
  const special = listSpecialTokens(values, tokens);
  const vocab: Record<string, number> = Object.create(null);
  tokens.forEach((token, id) => {
    vocab[token] = id; // the last of equals counts, as in llama.cpp
  });
  const added = tokens.flatMap((content, id) => {
    const isSpecial = types?.[id] === kinds.control || types?.[id] === kinds.unknown;
    if (!isSpecial && types?.[id] !== kinds.userDefined) return [];
    return [{ id, content, special: isSpecial, normalized: false, lstrip: false, rstrip: false, single_word: false }];
  });
  const parts =
    model === "gpt2" ? describeBytePairs(values, vocab, source) : describeSentencePieces(values, tokens, vocab, source);
  const definition = { version: "1.0", added_tokens: added, post_processor: null, ...parts };
  const settings = {
    bos_token: special.bos ?? null,
    eos_token: special.eos ?? null,
    add_bos_token: readFlag(values, "tokenizer.ggml.add_bos_token") ?? (model === "llama" || isLlama3(values)),
    add_eos_token: readFlag(values, "tokenizer.ggml.add_eos_token") ?? false,
    chat_template: values.get("tokenizer.chat_template"),
  };
  return new Map([
    ["tokenizer.json", JSON.stringify(definition)],
    ["tokenizer_config.json", JSON.stringify(settings)],
    ["generation_config.json", JSON.stringify({ eos_token_id: special.ends })],
  ]);
}

const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const wordsWithDigits = (digits: string) =>
  `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Expressions that cut a text into words, one after another, by `tokenizer.ggml.pre`. */
const wordExpressions: Readonly<Record<string, readonly string[]>> = {
  default: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2Words, "\\p{N}+", "[0-9][0-9][0-9]"],
  gpt2: [gpt2Words],
  llama3: [wordsWithDigits("\\p{N}{1,3}")],
  qwen2: [wordsWithDigits("\\p{N}")],
  smollm: ["\\p{N}", gpt2Words],
  falcon: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Words, "[0-9][0-9][0-9]"],
  bloom: [" ?[^(\\s|.,!?…。，、।۔،)]+"],
};

/** Other names of the same. */
const wordNames: Readonly<Record<string, string>> = {
  "gpt-2": "gpt2",
  "phi-2": "gpt2",
  olmo: "gpt2",
  mpt: "gpt2",
  jais: "gpt2",
  "llama-bpe": "llama3",
  "llama-v3": "llama3",
  dbrx: "llama3",
  smaug: "llama3",
  "smaug-bpe": "llama3",
  stablelm2: "qwen2",
  "deepseek-r1-qwen": "qwen2",
  starcoder: "smollm",
  refact: "smollm",
  "command-r": "smollm",
  codeshell: "smollm",
};

function findWords(values: Values): string | undefined {
  const name = values.get("tokenizer.ggml.pre") ?? "default";
  const found = typeof name === "string" && Object.hasOwn(wordNames, name) ? wordNames[name] : name;
  return typeof found === "string" && Object.hasOwn(wordExpressions, found) ? found : undefined;
}

const isLlama3 = (values: Values) => findWords(values) === "llama3";

function describeBytePairs(values: Values, vocab: object, source: string) {
  const words = findWords(values);
  if (!words) {
    const known = [...Object.keys(wordExpressions), ...Object.keys(wordNames)].join(", ");
    const name = JSON.stringify(values.get("tokenizer.ggml.pre"));
    throw new InputError(`${source} cuts words as ${name}, which is not known; ${known} are.`);
  }
  const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };
  return {
    normalizer: null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...wordExpressions[words].map(split), byteLevel] },
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab,
      merges: readTexts(values, "tokenizer.ggml.merges", source),
      ignore_merges: words === "llama3",
    },
  };
}

function describeSentencePieces(
  values: Values,
  tokens: readonly string[],
  vocab: Readonly<Record<string, number>>,
  source: string,
) {
  const scores = readNumbers(values, "tokenizer.ggml.scores", source);
  if (scores?.length !== tokens.length) {
    throw new InputError(`${source} has ${tokens.length} tokens, but scores of ${scores?.length ?? 0}.`);
  }
  const prefix = readFlag(values, "tokenizer.ggml.add_space_prefix") ?? true;
  const unknown = values.get("tokenizer.ggml.unknown_token_id") ?? 0;
  const replace = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return {
    normalizer: { type: "Sequence", normalizers: [...(prefix ? [{ type: "Prepend", prepend: "▁" }] : []), replace] },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [strip] : []),
      ],
    },
    model: {
      type: "BPE",
      vocab,
      merges: listMerges(tokens, scores, vocab),
      unk_token: tokens[Number(unknown)],
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

/**
 * SentencePiece joins the two neighbours whose token has the highest score: merges of every token into two others, by
 * falling score.
 */
function listMerges(
  tokens: readonly string[],
  scores: readonly number[],
  vocab: Readonly<Record<string, number>>,
): [string, string][] {
  const merges: { left: string; right: string; score: number }[] = [];
  tokens.forEach((token, id) => {
    if (vocab[token] !== id) return;
    for (let at = 1; at < token.length; at++) {
      const left = token.slice(0, at);
      if (!(left in vocab)) continue;
      const right = token.slice(at);
      if (right in vocab) merges.push({ left, right, score: scores[id] });
    }
  });
  merges.sort((a, b) => b.score - a.score || b.left.length - a.left.length || b.right.length - a.right.length);
  return merges.map(({ left, right }) => [left, right]);
}

/** Texts that end a turn or a document, whatever the keys say. */
const endTexts = new Set([
  ...["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>", "_<EOT>"],
  ...["<|end_of_text|>", "<end_of_utterance>", "<eos>", "</s>"],
]);

function listSpecialTokens(values: Values, tokens: readonly string[]) {
  const idOf = (name: string): number | undefined => {
    const id = values.get(`tokenizer.ggml.${name}_token_id`);
    return typeof id === "number" && Number.isInteger(id) && id >= 0 && id < tokens.length ? id : undefined;
  };
  const types = values.get("tokenizer.ggml.token_type") as readonly number[] | undefined;
  const ends = [idOf("eos"), idOf("eot"), idOf("eom")].filter((id) => id !== undefined);
  tokens.forEach((token, id) => {
    if (endTexts.has(token) && types?.[id] === kinds.control) ends.push(id);
  });
  const textOf = (id: number | undefined) => (id === undefined ? undefined : tokens[id]);
  return { bos: textOf(idOf("bos")), eos: textOf(idOf("eos")), ends: [...new Set(ends)] };
}

function readTexts(values: Values, key: string, source: string): readonly string[] {
  const list = values.get(key);
  if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
  throw new InputError(`${source} has no ${key}, a list of texts.`);
}

function readNumbers(values: Values, key: string, source: string): readonly number[] | undefined {
  const list = values.get(key);
  if (list === undefined) return undefined;
  if (Array.isArray(list) && list.every((item) => typeof item === "number")) return list;
  throw new InputError(`${source}: ${key} is not a list of numbers.`);
}

function readFlag(values: Values, key: string): boolean | undefined {
  const value = values.get(key);
  return typeof value === "boolean" ? value : undefined;
}
