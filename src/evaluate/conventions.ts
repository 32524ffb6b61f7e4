// The named conventions of perplexity: which windows a text is cut into, and what their names say.
// Published perplexities differ by convention more than by quantization, so the name always goes with the number.

import { findNearest, InputError } from "../input-error.ts";
import type { LanguageModel } from "../language-model.ts";
import { createEncoder, findProfile, type TokenPair } from "./profiles.ts";
import { planBosWindows, planGptq, planLlamaCpp, planRolling, planWindows } from "./windows.ts";

/** The conventions; docs/evaluate.md compares them. */
export const conventions = ["windows", "windows-bos", "rolling", "gptq", "llama.cpp"] as const;

/** Name of a convention. */
export type Convention = (typeof conventions)[number];

/** A convention and its numbers, as far as they are not the usual ones. */
export interface ConventionOptions {
  /** Default `windows`. */
  readonly convention?: Convention;
  /** Tokens a window; by default the model's maximum length, at most 2048, or 512 (`llama.cpp`); of `rolling` without a limit. */
  readonly window?: number;
  /** `windows`, `windows-bos`: tokens from one window to the next; by default the window's tokens of text. */
  readonly stride?: number;
  /** Only the first so many windows. */
  readonly limit?: number;
  /** `rolling` only: which lm-eval's special tokens. */
  readonly profile?: string;
}

/** Windows of a text and how they were made. */
export interface Plan {
  readonly name: string;
  readonly windows: readonly TokenPair[];
  /** Whether the windows score all of the text. */
  readonly whole: boolean;
}

/** Most tokens of a window where none are said. */
const usualWindows: Readonly<Record<Convention, number>> = {
  windows: 2048,
  "windows-bos": 2048,
  gptq: 2048,
  "llama.cpp": 512,
  rolling: Number.POSITIVE_INFINITY,
};

/** Window, room for text in it, stride and name of a convention with its numbers, for a model of this maximum length. */
export function fitConvention(
  { convention = "windows", window, stride, profile }: Omit<ConventionOptions, "limit">,
  maxLength: number,
): { readonly size: number; readonly room: number; readonly stride: number; readonly name: string } {
  const size = window ?? Math.min(maxLength, usualWindows[convention]);
  const room = convention === "windows-bos" ? size - 1 : size;
  const step = stride ?? room;
  const end = {
    windows: `-stride-${step}`,
    "windows-bos": `-stride-${step}`,
    rolling: `-${findProfile(profile).name}`,
  };
  return {
    size,
    room,
    stride: step,
    name: `${convention}-${size}${(end as Record<string, string>)[convention] ?? ""}`,
  };
}

/** A convention with its numbers. */
export interface NamedConvention extends Pick<ConventionOptions, "stride" | "profile"> {
  readonly convention: Convention;
  readonly window: number;
}

/** What the name of a convention says, the inverse of `fitConvention`; null for any other name. */
export function parseConvention(name: string): NamedConvention | null {
  const found = /^(windows|windows-bos|gptq|llama\.cpp|rolling)-(\d+)(?:-stride-(\d+)|-(.+))?$/.exec(name);
  if (found === null) return null;
  const [, convention, window, stride, profile] = found;
  if ((stride !== undefined) !== convention.startsWith("windows")) return null;
  if ((profile !== undefined) !== (convention === "rolling")) return null;
  return {
    convention: convention as Convention,
    window: Number(window),
    ...(stride !== undefined && { stride: Number(stride) }),
    ...(profile !== undefined && { profile }),
  };
}

/** Cuts a text into windows under the chosen convention. */
export function planText(model: LanguageModel, text: string, options: ConventionOptions): Plan {
  const { convention = "windows", limit = Number.POSITIVE_INFINITY } = options;
  if (!conventions.includes(convention)) {
    const nearest = findNearest(convention, conventions);
    throw new InputError(
      `There is no convention "${convention}"${nearest ? `; did you mean "${nearest}"?` : ""} (conventions: ${conventions.join(", ")}).`,
    );
  }
  const { size, room, stride, name } = fitConvention(options, model.maxLength);
  checkWhole(
    "window",
    size,
    convention === "llama.cpp" ? 4 : 2,
    model.maxLength,
    `the maximum length of ${model.name}`,
  );
  if (limit !== Number.POSITIVE_INFINITY) checkWhole("limit", limit, 1, Number.MAX_SAFE_INTEGER, "that");
  if (options.stride !== undefined && !convention.startsWith("windows")) {
    throw new InputError(`The convention ${convention} has no stride; leave it out or take the convention "windows".`);
  }
  checkWhole("stride", stride, 1, room, "what a window holds, for tokens between windows would never be scored");

  const takeTokens = (count: number, encode: (text: string) => number[]) => encodeStart(text, count, encode);
  const own = (part: string) => model.encode(part, "default");
  const needed = (limit - 1) * stride + size;
  let windows: TokenPair[];
  switch (convention) {
    case "windows":
      windows = planWindows(takeTokens(needed, own), size, stride);
      break;
    case "windows-bos": {
      const { bosToken } = model;
      if (bosToken === undefined) throw new InputError(`${model.name} has no beginning-of-text token for windows-bos.`);
      windows = planBosWindows(takeTokens(needed, model.encode), bosToken, size, stride);
      break;
    }
    case "gptq":
      windows = planGptq(takeTokens(needed, own), size);
      break;
    case "llama.cpp": {
      const tokens = takeTokens(Math.max(needed, 2 * size), own);
      if (tokens.length < 2 * size) {
        throw new InputError(
          `The text has ${tokens.length} tokens; the convention llama.cpp needs at least two windows of ${size}.`,
        );
      }
      windows = planLlamaCpp(tokens, size, findAddedBos(model));
      break;
    }
    case "rolling": {
      const encoder = createEncoder(model, findProfile(options.profile));
      // One token more, so that the last of the windows is not taken for the end of the text.
      windows = planRolling(takeTokens(needed + 1, encoder.encode), encoder.findPrefix(), size);
      break;
    }
  }
  if (windows.length === 0) {
    throw new InputError(
      `The text is too short for the convention ${name}: it makes no window${convention === "gptq" ? ` of ${size} tokens` : " of two tokens"}.`,
    );
  }
  const whole = convention === "rolling" && windows.length <= limit;
  return { name, windows: windows.slice(0, limit), whole };
}

function checkWhole(name: string, value: number, least: number, most: number, of: string): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const reason = value > most ? `more than ${most}, ${of}` : `not a whole number of at least ${least}`;
  throw new InputError(`The ${name} ${value} is ${reason}.`);
}

/**
 * The first `count` tokens of a text, from no more of it than they need. A cut can only change the tokens next to it,
 * so the text taken reaches 256 tokens further.
 */
function encodeStart(text: string, count: number, encode: (text: string) => number[]): number[] {
  const margin = 256;
  for (let length = 4 * (count + margin); length < text.length; length *= 2) {
    const insidePair = text.codePointAt(length - 1)! > 0xffff;
    const tokens = encode(text.slice(0, insidePair ? length - 1 : length));
    if (tokens.length >= count + margin) return tokens.slice(0, count);
  }
  return encode(text);
}

/** The beginning-of-text token, if the tokenizer puts one before every text. */
export function findAddedBos(model: LanguageModel): number | undefined {
  return model.bosToken !== undefined && model.encode("a", "default")[0] === model.bosToken
    ? model.bosToken
    : undefined;
}
