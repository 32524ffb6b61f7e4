// Spec texts made short for tables: what all of them share is said once below.

import { readFacets } from "../scaling/facets.ts";
import { cleanText } from "./text.ts";

/** How the specs of one answer are written. */
export interface SpecNames {
  /** A spec without what all share. */
  shorten(spec: string): string;
  /** What the short texts leave out, as a sentence; empty where they leave out nothing. */
  readonly note: string;
}

/** Texts up to this long are left as they are. */
const longEnough = 10;

/**
 * Leaves out the options that every quantized spec has, if the texts are long: of `nf3:b64:embed:head` and
 * `nf4:b64:embed:head` remain `nf3` and `nf4`. Two specs never become one, for they still differ in the rest.
 */
export function nameSpecs(specs: readonly string[]): SpecNames {
  const quantized = [...new Set(specs)].filter((spec) => !/^(baseline|mix)$/.test(readFacets(spec).type));
  const options = (spec: string) => spec.split(":").slice(1);
  const longest = quantized.reduce((length, spec) => Math.max(length, spec.length), 0);
  const [first] = quantized;
  const shared = new Set(
    quantized.length < 2 || longest <= longEnough
      ? []
      : options(first).filter((option) => quantized.every((spec) => options(spec).includes(option))),
  );
  const shorten = (spec: string) => {
    const [type, ...rest] = spec.split(":");
    return [type, ...rest.filter((option) => !shared.has(option))].join(":");
  };
  const note = shared.size === 0 ? "" : `${shorten(first)} stands for ${first}, and so on.`;
  return { shorten: (spec) => cleanText(shorten(spec), 24), note: cleanText(note, 90) };
}
