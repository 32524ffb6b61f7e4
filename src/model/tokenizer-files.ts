// The files that make a tokenizer, read into one definition: tokenizer.json, or the one equivalent to vocab.json and
// merges.txt; and what tokenizer_config.json, special_tokens_map.json and the configs say of special tokens.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";

/** A parsed `tokenizer.json`, as far as it is looked at here. */
export interface TokenizerDefinition {
  readonly added_tokens: readonly { id: number; content: string }[];
  readonly normalizer: object | null;
  readonly pre_tokenizer: { type?: string } | null;
  readonly post_processor: object | null;
  readonly decoder: object | null;
  readonly model: { readonly type?: string; readonly vocab: unknown };
}

/** Everything that is known of a tokenizer. */
export interface TokenizerFiles {
  /** Undefined: the checkpoint has no tokenizer that can be read; its tokens can be scored all the same. */
  readonly definition: TokenizerDefinition | undefined;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  /** Ids by the model's config, where the tokenizer's own files name no token. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** `add_bos_token`, `add_eos_token` of tokenizer_config.json; undefined: the template of tokenizer.json decides. */
  readonly addBos: boolean | undefined;
  readonly addEos: boolean | undefined;
  /** End-of-sequence ids of config.json and generation_config.json. */
  readonly stopIds: readonly number[];
}

type Json = Record<string, unknown>;

/** Special tokens of tokenizer classes that transformers knows without being told. */
const classTokens: Readonly<Record<string, { bos_token?: string; eos_token?: string }>> = {
  GPT2Tokenizer: { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" },
  GPTNeoXTokenizer: { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>" },
  LlamaTokenizer: { bos_token: "<s>", eos_token: "</s>" },
  BloomTokenizer: { bos_token: "<s>", eos_token: "</s>" },
  Qwen2Tokenizer: { eos_token: "<|endoftext|>" },
};

/** GPT-2's words. JavaScript's `\s` is not Rust's; in a Split the library translates it. */
const byteLevelWords = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Reads a checkpoint's tokenizer files. @throws InputError if a file is malformed */
export async function readTokenizerFiles(checkpoint: Checkpoint): Promise<TokenizerFiles> {
  const settings = (await readJson(checkpoint, "tokenizer_config.json")) ?? {};
  const specials = (await readJson(checkpoint, "special_tokens_map.json")) ?? {};
  const generation = (await readJson(checkpoint, "generation_config.json")) ?? {};
  const defaults = classTokens[String(settings["tokenizer_class"] ?? "").replace(/Fast$/, "")] ?? {};

  const tokenOf = (name: "bos_token" | "eos_token"): string | undefined => {
    if (name in settings) return contentOf(settings[name]);
    return contentOf(specials[name]) ?? defaults[name];
  };
  // A tokenizer that says it has no such token has none, whatever the model's config says.
  const idOf = (token: "bos_token" | "eos_token", id: "bos_token_id" | "eos_token_id") =>
    token in settings ? undefined : idsOf(checkpoint.config[id])[0];
  const flagOf = (name: string) => (typeof settings[name] === "boolean" ? (settings[name] as boolean) : undefined);

  const special = [...Object.entries(settings), ...Object.entries(specials)]
    .filter(([name]) => name.endsWith("_token"))
    .map(([, value]) => contentOf(value));
  const stored = await readJson(checkpoint, "tokenizer.json");
  const definition = stored
    ? checkDefinition(stored, `${checkpoint.source}/tokenizer.json`)
    : await buildDefinition(
        checkpoint,
        [...special, defaults.bos_token, defaults.eos_token],
        flagOf("add_prefix_space"),
      );

  return {
    definition: definition && withRustWords(definition),
    bosToken: tokenOf("bos_token"),
    eosToken: tokenOf("eos_token"),
    bosId: idOf("bos_token", "bos_token_id"),
    eosId: idOf("eos_token", "eos_token_id"),
    addBos: flagOf("add_bos_token"),
    addEos: flagOf("add_eos_token"),
    stopIds: [...idsOf(checkpoint.config["eos_token_id"]), ...idsOf(generation["eos_token_id"])],
  };
}

async function readJson(checkpoint: Checkpoint, fileName: string): Promise<Json | undefined> {
  const text = await checkpoint.readText(fileName);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${checkpoint.source}/${fileName} is not valid JSON: ${(error as Error).message}.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(`${checkpoint.source}/${fileName} is not a JSON object.`);
  }
  return value as Json;
}

/** A token is written as a string or as an object with its content. */
function contentOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

function idsOf(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id) => Number.isInteger(id) && id >= 0);
}

function checkDefinition(stored: Json, where: string): TokenizerDefinition {
  const model = stored["model"] as Json | null | undefined;
  if (typeof model !== "object" || model === null || typeof model["vocab"] !== "object" || model["vocab"] === null) {
    throw new InputError(`${where} has no model with a vocabulary.`);
  }
  const parts = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  // Files older than the field name BPE by its merges alone.
  return {
    ...parts,
    ...stored,
    model: { type: "merges" in model ? "BPE" : undefined, ...model },
  } as unknown as TokenizerDefinition;
}

/** The definition that transformers makes of `vocab.json` and `merges.txt`: byte-level BPE as in GPT-2. */
async function buildDefinition(
  checkpoint: Checkpoint,
  special: readonly (string | undefined)[],
  addPrefixSpace = false,
): Promise<TokenizerDefinition | undefined> {
  const vocab = (await readJson(checkpoint, "vocab.json")) as Record<string, number> | undefined;
  const merges = await checkpoint.readText("merges.txt");
  if (!vocab || merges === undefined) return undefined;
  const added = ((await readJson(checkpoint, "added_tokens.json")) ?? {}) as Record<string, number>;
  const tokens = new Set([...special.filter((token) => token !== undefined), ...Object.keys(added)]);
  return {
    added_tokens: [...tokens]
      .map((content) => ({ id: added[content] ?? vocab[content], content, special: true, normalized: false }))
      .filter(({ id }) => Number.isInteger(id)),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: addPrefixSpace, use_regex: true } as { type: string },
    post_processor: null,
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab,
      merges: merges.split("\n").filter((line) => line !== "" && !line.startsWith("#version")),
    } as { type: string; vocab: unknown },
  };
}

/** Replaces the words that ByteLevel finds itself by a Split of the same pattern. */
function withRustWords(definition: TokenizerDefinition): TokenizerDefinition {
  type Step = { type?: string; use_regex?: boolean; add_prefix_space?: boolean; pretokenizers?: Step[] };
  const replace = (step: Step): Step => {
    if (step.type === "Sequence" && Array.isArray(step.pretokenizers)) {
      return { ...step, pretokenizers: step.pretokenizers.map(replace) };
    }
    if (step.type !== "ByteLevel" || step.use_regex === false || step.add_prefix_space) return step;
    const split = { type: "Split", pattern: { Regex: byteLevelWords }, behavior: "Isolated", invert: false };
    return { type: "Sequence", pretokenizers: [split, { ...step, use_regex: false }] };
  };
  return { ...definition, pre_tokenizer: definition.pre_tokenizer && replace(definition.pre_tokenizer) };
}
