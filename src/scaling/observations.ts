// Rows as a law sees them: size, bits, block, the rest of the spec as a variant, and the loss.
// Stands between series and fit. What a law cannot use (unstable rows, losses that are not positive) is left out here.

import type { ResultRow } from "../result.ts";
import { isMix } from "./facets.ts";
import { type MetricFacts, readMetric } from "./metrics.ts";
import { groupBy, modelKey } from "./series.ts";

/** One measurement as a law sees it. */
export interface Observation {
  /** What tells this model from another. */
  readonly model: string;
  /** N: parameters without embeddings, as the laws of the literature count; all parameters where a row has no such count. */
  readonly size: number;
  /** k; 16 or more for a baseline. */
  readonly bits: number;
  /** Data type and every option but block and, where each width has one, exponent bits; empty for a baseline. */
  readonly variant: string;
  /** Tokens of training; null where they are not known. */
  readonly tokens: number | null;
  /** Weights that share one absmax; 64 where the spec has a row or the tensor, which its variant then says. */
  readonly block: number;
  /** Positive. */
  readonly loss: number;
  readonly standardError: number | null;
  readonly row: ResultRow;
}

/** The block size at which a law's factor for blocks is 1. */
export const referenceBlock = 64;

/**
 * Rows that a law can use, in their order; a mix has no precision of its own. Of a share of which more is better (accuracy) the loss is what it lacks, `1 - v`.
 */
export function observe(rows: readonly ResultRow[], metric: MetricFacts): Observation[] {
  const describe = describeSpecs(rows.map((row) => row.key.spec));
  return rows.flatMap((row): Observation[] => {
    if (isMix(row.key.spec)) return [];
    const reading = readMetric(row, metric);
    const { parameters, nonEmbeddingParameters, trainingTokens: tokens = null } = row.model;
    const size = nonEmbeddingParameters > 0 ? nonEmbeddingParameters : parameters;
    if (reading === undefined || !(size > 0)) return [];
    const { value, standardError } = reading;
    const loss = metric.better === "lower" ? value : 1 - value;
    if (!(loss > 0 && Number.isFinite(loss))) return [];
    const { variant, block } = describe(row.key.spec);
    return [{ model: modelKey(row), size, bits: row.bitsPerWeight, tokens, variant, block, loss, standardError, row }];
  });
}

/** What a spec is to a law. */
export interface SpecDescription {
  readonly variant: string;
  readonly block: number;
}

/**
 * A reader of canonical spec texts. Exponent bits are part of the variant only where some type and width of `specs`
 * comes with several: then they are a choice, not the consequence of the width.
 */
export function describeSpecs(specs: readonly string[]): (spec: string) => SpecDescription {
  const parsed = [...new Set(specs)].map(splitSpec);
  const several = new Set<string>();
  for (const same of groupBy(parsed, (one) => `${one.type}${one.bits}`).values()) {
    if (new Set(same.map((one) => one.exponent)).size > 1) several.add(same[0].type);
  }
  return (spec) => {
    const { type, exponent, form, block, rest } = splitSpec(spec);
    if (block === null) return { variant: "", block: referenceBlock };
    const own = [exponent !== "" && several.has(type) ? exponent : "", form].filter((word) => word !== "");
    const words = [type, ...own, ...rest];
    const size = Number(block);
    if (size > 0) return { variant: words.join(":"), block: size };
    return { variant: [...words, block].join(":"), block: referenceBlock };
  };
}

/** A canonical spec text in its parts. */
export interface SpecParts {
  readonly type: string;
  /** k as written; empty for a baseline. */
  readonly bits: string;
  /** `eN`, or empty. */
  readonly exponent: string;
  /** A size, `row` or `tensor`; null for a baseline. */
  readonly block: string | null;
  /** Options of the type that say which values it has, such as `bnb`, `sram` or a codebook's hash; the default `ieee` is none. */
  readonly form: string;
  /** All other options, in canonical order. */
  readonly rest: readonly string[];
}

const forms = /^(ieee|bnb|appendix|sram|eq6|[0-9a-f]{16})$/;

const baselines = new Set(["stored", "fp16", "bf16", "fp32"]);

/** The parts of a canonical spec text: `float4:e3:b64:dq` is float, 4, e3, 64 and `["dq"]`. */
export function splitSpec(spec: string): SpecParts {
  const [head, ...options] = spec.split(":");
  const [, type, bits] = /^([a-z]+)(\d)$/.exec(head) ?? [];
  if (type === undefined || baselines.has(head)) {
    return { type: head, bits: "", exponent: "", form: "", block: null, rest: options };
  }
  const exponent = options.find((option) => /^e\d$/.test(option)) ?? "";
  const block = options.find((option) => /^b(\d+|row)$/.test(option));
  const form = options.filter((option) => forms.test(option) && option !== "ieee").join(":");
  const rest = options.filter((option) => option !== exponent && option !== block && !forms.test(option));
  return { type, bits, exponent, form, block: block === undefined ? "tensor" : block.slice(1), rest };
}
