// The page of a spec: its codebook and where that comes from, what a weight costs, how far normal weights move.

import { buildCodebook, dataTypes } from "../quantize/data-types.ts";
import { measureError } from "../quantize/error.ts";
import { quantize } from "../quantize/quantize.ts";
import { nominalBits } from "../quantize/size.ts";
import type { MixSpec, QuantizedSpec, Spec } from "../quantize/spec.ts";
import { formatMix, formatSpec } from "../quantize/spec-text.ts";
import { createRandom } from "../tensor/random.ts";
import { drawNumberLine } from "./number-line.ts";
import { formatTable } from "./terminal.ts";

/** What `kbit inspect SPEC --json` prints. */
export interface SpecPage {
  /** Canonical text. */
  readonly spec: string;
  readonly kind: Spec["kind"];
  /** k, or the width of a baseline; null: as each weight is stored, or as its entry of a mix says. */
  readonly bits: number | null;
  readonly title: string;
  /** Of a mix: canonical spec text by pattern. */
  readonly entries?: Readonly<Record<string, string>>;
  /** Quantized specs only, as all that follows. */
  readonly codebook?: readonly number[];
  /** `N(0, 1)` where the values are only an example, since they depend on the weights. */
  readonly codebookOf?: string;
  readonly formula?: string;
  readonly source?: string;
  /** Nominal bits a weight, by what they hold. */
  readonly bitsPerWeight?: {
    readonly codes: number;
    readonly scales: number;
    readonly outliers: number;
    readonly total: number;
  };
  /** Bits that each tensor stores its codebook in. */
  readonly codebookBits?: number;
  /** Of 65,536 weights from N(0, 1). */
  readonly normalMse?: number;
}

/** Describes a spec without a model. */
export function describeSpec(spec: Spec): SpecPage {
  const text = formatSpec(spec);
  if (spec.kind === "baseline") {
    const bits = { fp16: 16, bf16: 16, fp32: 32, stored: null }[spec.type];
    return {
      spec: text,
      kind: spec.kind,
      bits,
      title: bits ? `every floating-point weight in ${spec.type}` : "weights as they are stored",
    };
  }
  if (spec.kind === "mix") return describeMix(spec, text);
  const row = dataTypes[spec.type];
  const codebook = Array.from(buildCodebook(spec));
  const outliers = ((spec.proxy?.percent ?? 0) / 100) * (16 - spec.bits);
  const total = nominalBits(spec);
  return {
    spec: text,
    kind: spec.kind,
    bits: spec.bits,
    title: row.title,
    codebook,
    ...(spec.type === "quantile" && { codebookOf: "N(0, 1)" }),
    formula: row.formula,
    source: row.source,
    bitsPerWeight: { codes: spec.bits, scales: total - spec.bits - outliers, outliers, total },
    codebookBits: row.stored ? 16 * codebook.length : 0,
    normalMse: measureNormalMse(spec),
  };
}

function describeMix(mix: MixSpec, text: string): SpecPage {
  const entries: Record<string, string> = JSON.parse(formatMix(mix));
  return { spec: text, kind: mix.kind, bits: null, title: "matrices at different specs, by their names", entries };
}

function measureNormalMse(spec: QuantizedSpec): number {
  const random = createRandom(1);
  const weights = Float32Array.from({ length: 256 * 256 }, () => random.normal());
  return measureError(weights, quantize(weights, [256, 256], spec)).normalizedMse;
}

/** The page as text. */
export function formatSpecPage(page: SpecPage): string {
  const { spec, title, bits, codebook, bitsPerWeight } = page;
  if (page.entries) {
    const rows = Object.entries(page.entries);
    return `${spec}: ${title}\n\n${formatTable([{ title: "pattern" }, { title: "spec" }], rows)}`;
  }
  if (!codebook || !bitsPerWeight || bits === null) return `${spec}: ${title}`;
  const unused = 2 ** bits - codebook.length;
  const lines = [
    `${spec}: ${title}, ${bits} bits, ${codebook.length} values${unused > 0 ? ` (${unused} of ${2 ** bits} codes unused)` : ""}`,
    "",
    drawNumberLine(codebook),
    "",
    formatValues(codebook),
    "",
    ...(page.codebookOf ? [`values    of ${page.codebookOf}; each tensor has its own`] : []),
    `formula   ${page.formula}`,
    `source    ${page.source}`,
    `bits      ${formatBits(page)}`,
    `error     ${page.normalMse!.toPrecision(4)} normalized MSE on N(0, 1)`,
  ];
  return lines.join("\n");
}

function formatBits({ bitsPerWeight, codebookBits }: SpecPage): string {
  const { codes, scales, outliers, total } = bitsPerWeight!;
  const parts = [`${codes} code`];
  if (scales > 0) parts.push(`${round(scales)} scales`);
  if (outliers > 0) parts.push(`${round(outliers)} outliers`);
  const codebook = codebookBits ? `, and ${codebookBits} bits a tensor for its codebook` : "";
  return `${parts.join(" + ")} = ${round(total)} a weight (nominal)${codebook}`;
}

function round(value: number): number {
  return Number(value.toFixed(4));
}

/** Eight values a line, right-aligned. */
function formatValues(values: readonly number[]): string {
  const texts = values.map((value) => String(Number(value.toPrecision(6))));
  const width = Math.max(...texts.map((text) => text.length));
  const lines: string[] = [];
  for (let i = 0; i < texts.length; i += 8) {
    lines.push(
      texts
        .slice(i, i + 8)
        .map((text) => text.padStart(width))
        .join("  "),
    );
  }
  return lines.join("\n");
}
