// Where a score is not what people think: what the tokenizer does to the texts, told before anyone compares numbers.

import type { LanguageModel } from "../language-model.ts";
import { findAddedBos } from "./conventions.ts";
import type { Profile } from "./profiles.ts";

/** Texts that are tried, and characters of each. */
const mostTexts = 20;
const mostCharacters = 2000;

/**
 * Sentences on a tokenizer that loses something of these texts, and on a profile without the beginning-of-text token that
 * the tokenizer itself would put before them.
 *
 * @param special - whether the tokenizer's own special tokens are added
 */
export function listTokenizerWarnings(
  model: LanguageModel,
  texts: readonly string[],
  special: Profile["special"],
): string[] {
  const warnings: string[] = [];
  const tried = texts.slice(0, mostTexts).map((text) => cut(text));
  const lost = tried.filter((text) => readBack(model, text) !== text);
  if (lost.length > 0) {
    const found =
      lost.length === 1 && tried.length === 1 ? "the text" : `${lost.length} of ${tried.length} texts tried`;
    warnings.push(
      `The tokenizer of ${model.name} does not give back ${found}, such as ${quote(lost[0], readBack(model, lost[0]))}; per-byte and per-word scores are of the text as it was given.`,
    );
  }
  if (special === "none" && findAddedBos(model) !== undefined) {
    warnings.push(
      `The tokenizer of ${model.name} puts a beginning-of-text token before every text, but this profile leaves it out; some models score far worse without.`,
    );
  }
  return warnings;
}

/** A sentence on windows that begin without the beginning-of-text token which the tokenizer puts before every text. */
export function listWindowWarnings(model: LanguageModel, convention: string, windows: number): string[] {
  if (windows < 2 || !/^(windows-\d|gptq)/.test(convention) || findAddedBos(model) === undefined) return [];
  return [
    `The tokenizer of ${model.name} puts a beginning-of-text token before every text, but under ${convention} only the first of ${windows} windows begins with it; some models, Gemma among them, score far worse without: see --convention windows-bos.`,
  ];
}

/** The text as its tokens spell it; a space that the tokenizer itself puts before a text does not count. */
function readBack(model: LanguageModel, text: string): string {
  const spelt = model.decode(model.encode(text, "none"));
  return spelt.startsWith(" ") && !text.startsWith(" ") ? spelt.slice(1) : spelt;
}

function cut(text: string): string {
  const part = text.slice(0, mostCharacters);
  return part.isWellFormed() ? part : part.slice(0, -1);
}

/** Where the two differ first, a few characters each. */
function quote(text: string, spelt: string): string {
  const a = [...text];
  const b = [...spelt];
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const show = (characters: readonly string[]) => JSON.stringify(characters.slice(at, at + 12).join(""));
  return `${show(a)} (read as ${show(b)})`;
}
