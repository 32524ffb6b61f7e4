// How each generation of lm-evaluation-harness orders documents, and turns a context and a continuation into tokens: one row a
// generation.
// For byte-level BPE without special tokens all rows agree; OPT, Llama and Gemma differ, and a score names its row.

import { findNearest, InputError } from "../input-error.ts";
import type { LanguageModel } from "../language-model.ts";
import { shuffleAsPython } from "./mersenne.ts";
import { stripEnd } from "./python-text.ts";

/** The conventions of one generation. */
export interface Profile {
  readonly name: string;
  /** `joint`: context + continuation encoded as one text and cut at the context's length; `separate`: each by itself. */
  readonly encoding: "joint" | "separate";
  /** White space at the end of a context is moved to the continuation. */
  readonly moveSpaces: boolean;
  /** Special tokens of an encoded text: never any, or the tokenizer's own. */
  readonly special: "none" | "default";
  /** What stands before a text without context; a model without that token uses the other. */
  readonly prefix: "bos" | "eos";
  /** A continuation without context that begins with the prefix token is not given a second one. */
  readonly splitPrefix: boolean;
  /** Documents are shuffled before the first of them are taken, always in the same way. */
  readonly shuffles: boolean;
}

/** By name; the last is the default. */
export const profiles = {
  "lm-eval-0.3": {
    name: "lm-eval-0.3",
    encoding: "separate",
    moveSpaces: false,
    special: "none",
    prefix: "eos",
    splitPrefix: false,
    shuffles: true,
  },
  "lm-eval-0.4.0": {
    name: "lm-eval-0.4.0",
    encoding: "joint",
    moveSpaces: true,
    special: "none",
    prefix: "eos",
    splitPrefix: false,
    shuffles: false,
  },
  "lm-eval-0.4.9.2": {
    name: "lm-eval-0.4.9.2",
    encoding: "joint",
    moveSpaces: true,
    special: "default",
    prefix: "bos",
    splitPrefix: true,
    shuffles: false,
  },
} as const satisfies Record<string, Profile>;

/** Name of a profile. */
export type ProfileName = keyof typeof profiles;

/** The newest conventions. */
export const defaultProfile: ProfileName = "lm-eval-0.4.9.2";

/** The profile of that name, with or without `lm-eval-`. @throws InputError if there is none */
export function findProfile(name: string = defaultProfile): Profile {
  const key = name.startsWith("lm-eval-") ? name : `lm-eval-${name}`;
  if (Object.hasOwn(profiles, key)) return profiles[key as ProfileName];
  const names = Object.keys(profiles);
  const nearest = findNearest(key, names);
  throw new InputError(
    `There is no profile "${name}"${nearest ? `; did you mean "${nearest}"?` : ""} (profiles: ${names.join(", ")}).`,
  );
}

/** The numbers from 0 of documents in the order in which a profile takes them: `(count)`. */
export function orderDocuments({ shuffles }: Profile, count: number): number[] {
  return shuffles ? shuffleAsPython(count, 42) : Array.from({ length: count }, (_, i) => i);
}

/** How many documents at the beginning of a file must be read for the first `limit` of a profile; undefined: all. */
export function countRead({ shuffles }: Profile, limit: number | undefined): number | undefined {
  return shuffles ? undefined : limit;
}

/** Token ids of a context, at least one, and of the continuation to score. */
export interface TokenPair {
  readonly context: readonly number[];
  readonly continuation: readonly number[];
}

function findPrefixToken(model: LanguageModel, profile: Profile): number {
  const prefix = profile.prefix === "bos" ? (model.bosToken ?? model.eosToken) : (model.eosToken ?? model.bosToken);
  if (prefix === undefined) {
    throw new InputError(
      `${model.name} has neither a beginning-of-text nor an end-of-text token, so a text without context cannot be scored; give its tokenizer a bos_token or an eos_token.`,
    );
  }
  return prefix;
}

/** Encodes whole texts and pairs of context and continuation as `profile` does. */
export interface Encoder {
  encode(text: string): number[];
  encodePair(context: string, continuation: string): TokenPair;
  /** The token that stands before a text without context. @throws InputError if the model has none */
  findPrefix(): number;
}

/** An encoder for one model; it remembers the last context, since the choices of a question share one. */
export function createEncoder(model: LanguageModel, profile: Profile): Encoder {
  let prefixText: string | undefined;
  let lastText: string | undefined;
  let lastTokens: number[] = [];

  const encode = (text: string): number[] => {
    if (profile.special === "none") return model.encode(text, "none");
    prefixText ??= decodePrefix(model, profile);
    return model.encode(text, prefixText !== "" && text.startsWith(prefixText) ? "none" : "default");
  };

  const encodeContext = (text: string): number[] => {
    if (text !== lastText) {
      lastTokens = encode(text);
      lastText = text;
    }
    return lastTokens;
  };

  const encodePair = (context: string, continuation: string): TokenPair => {
    if (context === "") {
      const prefix = findPrefixToken(model, profile);
      const tokens = model.encode(continuation, "none");
      if (profile.splitPrefix && tokens[0] === prefix) return { context: [prefix], continuation: tokens.slice(1) };
      return { context: [prefix], continuation: tokens };
    }
    if (profile.encoding === "separate") return { context: encodeContext(context), continuation: encode(continuation) };
    const cut = profile.moveSpaces ? stripEnd(context).length : context.length;
    const tokens = encodeContext(context.slice(0, cut));
    return { context: tokens, continuation: encode(context + continuation).slice(tokens.length) };
  };

  return { encode, encodePair, findPrefix: () => findPrefixToken(model, profile) };
}

/** The text of the prefix token: a text that already begins with it is given no special tokens. */
function decodePrefix(model: LanguageModel, profile: Profile): string {
  const token = model.bosToken ?? model.eosToken;
  return profile.special === "default" && token !== undefined ? model.decode([token]) : "";
}
