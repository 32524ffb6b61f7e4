// Text to token ids and back, as the model's own tokenizer does it (through @huggingface/tokenizers), with its special
// tokens. It leaves out chat templates, truncation and padding.

import { Tokenizer } from "@huggingface/tokenizers";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { InputError } from "../input-error.ts";
import { readTokenizerFiles, type TokenizerDefinition, type TokenizerFiles } from "./tokenizer-files.ts";

/** A tokenizer with the special tokens of its model. */
export interface TextTokenizer {
  readonly bosToken: number | undefined;
  readonly eosToken: number | undefined;
  /** Tokens that end a text: eos, and those that config and generation config name. */
  readonly stopTokens: ReadonlySet<number>;
  /** @param special - "none": no special token is added; "default": as the tokenizer itself would add them */
  encode(text: string, special: "none" | "default"): number[];
  /** The text of the tokens, special ones included. */
  decode(tokens: readonly number[]): string;
}

/**
 * The tokenizer of a checkpoint: `tokenizer.json`, or `vocab.json` and `merges.txt`.
 *
 * @throws InputError if it is not one that can be used; where there is none, only when a text is encoded or decoded
 */
export async function loadTokenizer(checkpoint: Checkpoint): Promise<TextTokenizer> {
  const files = await readTokenizerFiles(checkpoint);
  return files.definition
    ? createTokenizer(files, files.definition, checkpoint.source)
    : createMissingTokenizer(files, checkpoint.source);
}

function createMissingTokenizer({ bosId, eosId, stopIds }: TokenizerFiles, source: string): TextTokenizer {
  const fail = () => {
    throw new InputError(
      `${source} has no tokenizer that can be read; expected tokenizer.json (transformers' save_pretrained writes one), or vocab.json and merges.txt.`,
    );
  };
  return { bosToken: bosId, eosToken: eosId, stopTokens: new Set(stopIds), encode: fail, decode: fail };
}

function createTokenizer(files: TokenizerFiles, definition: TokenizerDefinition, source: string): TextTokenizer {
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(definition, {});
  } catch (error) {
    throw new InputError(`${source}: the tokenizer cannot be used: ${(error as Error).message}.`);
  }
  if (definition.model.type === "BPE" && !splitsWords(definition.pre_tokenizer)) {
    // The library calls its pre-tokenizer as a function.
    const inner = tokenizer.pre_tokenizer as PreTokenize | null;
    const cut = createCut(Object.keys(definition.model.vocab as Record<string, number>));
    const split: PreTokenize = (text, options) => (inner ? inner(text, options) : [text]).flatMap(cut);
    tokenizer.pre_tokenizer = split as unknown as typeof tokenizer.pre_tokenizer;
  }

  keepByteOrderMarks(tokenizer.decoder as Decoder | null);

  const idOf = (token: string | undefined) => (token === undefined ? undefined : tokenizer.token_to_id(token));
  const bosToken = idOf(files.bosToken) ?? files.bosId;
  const eosToken = idOf(files.eosToken) ?? files.eosId;

  function encode(text: string, special: "none" | "default"): number[] {
    if (text === "" && special === "none") return [];
    const byTemplate = special === "default" && files.addBos === undefined && files.addEos === undefined;
    const { ids } = tokenizer.encode(text, { add_special_tokens: byTemplate });
    if (special === "none" || byTemplate) return ids;
    // What tokenizer_config.json says outright counts more than the template of tokenizer.json, as in transformers.
    const before = files.addBos && bosToken !== undefined ? [bosToken] : [];
    const after = files.addEos && eosToken !== undefined ? [eosToken] : [];
    return [...before, ...ids, ...after];
  }

  return {
    bosToken,
    eosToken,
    stopTokens: new Set([...files.stopIds, ...(eosToken === undefined ? [] : [eosToken])]),
    encode,
    decode: (tokens) =>
      tokens.length === 0 ? "" : tokenizer.decode([...tokens], { clean_up_tokenization_spaces: false }),
  };
}

/** Whether a pre-tokenizer cuts text into words; those of SentencePiece models leave it whole. */
function splitsWords(preTokenizer: { type?: string } | null): boolean {
  return preTokenizer !== null && preTokenizer.type !== "Metaspace";
}

interface Decoder {
  text_decoder?: TextDecoder;
  decoders?: readonly Decoder[];
}

/** The library's byte fallback decodes with a TextDecoder that swallows U+FEFF; the reference keeps it. */
function keepByteOrderMarks(decoder: Decoder | null): void {
  if (decoder?.text_decoder) decoder.text_decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const step of decoder?.decoders ?? []) keepByteOrderMarks(step);
}

type PreTokenize = (text: string, options?: object) => string[];

/**
 * Cuts a text wherever no merge can ever reach across: between two characters that stand side by side in no token.
 * The merges of byte-pair encoding only ever make tokens, so the pieces give the same ids as the whole; but a text
 * without words, which would be merged as one string of megabytes, becomes short pieces that are cached.
 */
function createCut(tokens: readonly string[]): (text: string) => string[] {
  const pairs = new Set<string>();
  for (const token of tokens) {
    const characters = Array.from(token);
    for (let i = 1; i < characters.length; i++) pairs.add(characters[i - 1] + characters[i]);
  }
  return (text) => {
    const pieces: string[] = [];
    let start = 0;
    let at = 0;
    let before = "";
    for (const character of text) {
      if (at > start && !pairs.has(before + character)) {
        pieces.push(text.slice(start, at));
        start = at;
      }
      before = character;
      at += character.length;
    }
    if (start < text.length) pieces.push(text.slice(start));
    return pieces;
  };
}
