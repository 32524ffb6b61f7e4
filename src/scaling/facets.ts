// What a spec's text says about its type and block size, for grouping and filtering rows.
// Reads the canonical text only; checking and meaning of specs belong to quantize.

/** Facts of a spec text that rows are grouped by. */
export interface SpecFacets {
  /** Data type, such as `float`; `baseline` for unquantized weights, `mix` for matrices at different specs. */
  readonly type: string;
  /** Weights that share one absmax: a number, `row` or `tensor`; empty for a baseline and a mix. */
  readonly block: string;
}

const baselines = new Set(["stored", "fp16", "bf16", "fp32"]);

/** Type and block size of a canonical spec text: `float4:e3:b64` is `{ type: "float", block: "64" }`. */
export function readFacets(spec: string): SpecFacets {
  if (baselines.has(spec)) return { type: "baseline", block: "" };
  if (isMix(spec)) return { type: "mix", block: "" };
  const [head, ...options] = spec.split(":");
  const block = options.find((option) => /^b(\d+|row)$/.test(option));
  return { type: head.replace(/\d+$/, ""), block: block ? block.slice(1) : "tensor" };
}

/**
 * Whether a spec is a mix. Its model is a point of its own, at a mean number of bits: it belongs to the curve of no precision,
 * and no law has a place for it.
 */
export function isMix(spec: string): boolean {
  return spec.startsWith("mix:");
}

/** Which specs take part; a list that is absent or empty lets everything through, baselines always pass. */
export interface SpecFilter {
  readonly types?: readonly string[];
  readonly blocks?: readonly string[];
}

/** Whether a spec passes the filter. */
export function passesFilter(spec: string, filter: SpecFilter): boolean {
  const { type, block } = readFacets(spec);
  if (type === "baseline") return true;
  const { types = [], blocks = [] } = filter;
  return (types.length === 0 || types.includes(type)) && (blocks.length === 0 || blocks.includes(block));
}
