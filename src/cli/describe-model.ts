// What commands say of the model that they measured.

import { formatCount, formatPlural, formatSize } from "../report/units.ts";
import type { OpenModel } from "./open-model.ts";

/** What stands in every JSON document: the model, at which spec, how large, computed on what. */
export function describe({ model, checkpoint, spec, bits, parameters }: OpenModel) {
  return {
    model: checkpoint.source,
    spec,
    totalModelBits: bits.total,
    bitsPerParameter: bits.total / parameters.parameters,
    bits,
    ...parameters,
    kernels: model.kernels.name,
    computeType: model.kernels.computeType,
  };
}

/** The same in a line. */
export function summarizeModel({ checkpoint, spec, bits, parameters }: OpenModel): string {
  const each = (bits.total / parameters.parameters).toFixed(3);
  return `${checkpoint.source} ${spec === "stored" ? "as stored" : `at ${spec}`}: ${formatCount(bits.total)} bits (${formatSize(bits.total)}) in all, ${each} a parameter`;
}

/** Fewer scored tokens than this say little of a model. */
export const fewTokens = 512;

/** A sentence about a perplexity over few tokens. */
export function describeFew(tokens: number): string {
  return `Only ${formatPlural(tokens, "token")} ${tokens === 1 ? "was" : "were"} scored, which says little of the model; use a longer text, or a higher limit.`;
}
