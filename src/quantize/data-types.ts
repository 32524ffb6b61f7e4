// THE table of data types: a row says all there is to know of one. Nothing else in kbit tells them apart.
// A data type is its codebook, at most 2^k values in [-1, 1]; the builders stand in codebooks/, one a file.

import { InputError } from "../input-error.ts";
import { buildBnbFloat } from "./codebooks/bnb-float.ts";
import { buildDynamic } from "./codebooks/dynamic.ts";
import { buildFloat, defaultExponentBits } from "./codebooks/float.ts";
import { buildInteger } from "./codebooks/integer.ts";
import { buildAbnormalFloat, buildNormalFloat } from "./codebooks/normal.ts";
import type { RankedValues } from "./codebooks/order-statistics.ts";
import { buildQuantile } from "./codebooks/quantile.ts";
import type { DataTypeName, QuantizedSpec } from "./spec.ts";

/** A row of the table. */
export interface DataType {
  readonly title: string;
  /** Legal k. */
  readonly bits: readonly number[];
  /** Words of the spec text that this type understands, in canonical order, and the fields they set. */
  readonly options: Readonly<Record<string, Partial<QuantizedSpec>>>;
  /** Fills in what the text left open and drops what makes no difference. @throws InputError for what does not go together */
  readonly complete?: (spec: QuantizedSpec) => QuantizedSpec;
  /** The values, in any order, repetitions allowed. `weights` are those to be coded. */
  readonly build: (spec: QuantizedSpec, weights?: Float32Array | RankedValues) => readonly number[];
  /** Whether the values depend on more than the spec text: rounded to float16, stored with each tensor and counted. */
  readonly stored: boolean;
  /** The values in one line. */
  readonly formula: string;
  readonly source: string;
}

const everyWidth = [2, 3, 4, 5, 6, 7, 8];

/** Every data type, by its name in spec text. */
export const dataTypes: Readonly<Record<DataTypeName, DataType>> = {
  int: {
    title: "Integer",
    bits: everyWidth,
    options: {},
    build: ({ bits }) => buildInteger(bits),
    stored: false,
    formula: "n / (2^(k-1) - 1), n = -(2^(k-1) - 1) .. 2^(k-1) - 1",
    source: "Dettmers and Zettlemoyer 2023 (arXiv 2212.09720), appendix A",
  },
  float: {
    title: "Float",
    bits: everyWidth,
    options: {
      e1: { exponentBits: 1 },
      e2: { exponentBits: 2 },
      e3: { exponentBits: 3 },
      e4: { exponentBits: 4 },
      e5: { exponentBits: 5 },
      e6: { exponentBits: 6 },
      e7: { exponentBits: 7 },
      ieee: { bias: "ieee" },
      bnb: { bias: "bnb" },
      appendix: { bias: "appendix" },
    },
    complete: completeFloat,
    build: ({ bits, exponentBits, bias }) => buildFloat(bits, exponentBits!, bias ?? "ieee"),
    stored: false,
    formula: "+-2^e (1 + m / 2^M), subnormals below, divided by the largest; M = k - 1 - E",
    source: "Dettmers and Zettlemoyer 2023 (arXiv 2212.09720), section 2.2 and appendix A",
  },
  dynamic: {
    title: "Dynamic exponent",
    bits: everyWidth,
    options: {},
    build: ({ bits }) => buildDynamic(bits),
    stored: false,
    formula: "+-10^-z times the centers of 2^(k-2-z) parts of [0.1, 1], z = 0 .. k - 2; 0; 1",
    source: "Dettmers 2016 (arXiv 1511.04561); create_dynamic_map of bitsandbytes",
  },
  quantile: {
    title: "Quantile",
    bits: everyWidth,
    options: { sram: { estimator: "sram" }, eq6: { estimator: "eq6" } },
    complete: (spec) => ({ ...spec, estimator: spec.estimator ?? "exact" }),
    build: ({ bits, estimator }, weights) => buildQuantile(bits, estimator ?? "exact", weights),
    stored: true,
    formula: "2^k - 1 quantiles of the tensor and 0, divided by the largest",
    source: "Dettmers and Zettlemoyer 2023 (arXiv 2212.09720), appendix A; create_quantile_map of bitsandbytes",
  },
  nf: {
    title: "NormalFloat",
    bits: everyWidth,
    options: {},
    build: ({ bits }) => buildNormalFloat(bits),
    stored: false,
    formula: "2^(k-1) - 1 negative, 2^(k-1) positive quantiles of N(0, 1) and 0, divided by the largest",
    source: "Dettmers et al. 2023, QLoRA (arXiv 2305.14314); create_normal_map of bitsandbytes",
  },
  af: {
    title: "AbnormalFloat",
    bits: [4],
    options: {},
    build: () => buildAbnormalFloat(),
    stored: false,
    formula: "least expected absolute error of normal weights in blocks of 64",
    source: "Yoshida 2023 (arXiv 2306.06965), AF4-64",
  },
  bnbfp: {
    title: "bitsandbytes FP4",
    bits: [4],
    options: {},
    build: () => buildBnbFloat(),
    stored: false,
    formula: "+-{0, 1/16, 2, 3, 4, 6, 8, 12} / 12",
    source: 'bitsandbytes, get_4bit_type("fp4")',
  },
  file: {
    title: "User codebook",
    bits: everyWidth,
    options: {},
    build: (spec) => valuesOfFile(spec),
    stored: true,
    formula: "the values of a JSON file",
    source: "the user",
  },
};

/**
 * The codebook of a spec: distinct values, ascending, at most `2^bits`.
 *
 * @param weights - the weights to be coded, for types that depend on them; without them `quantile` gives the quantiles of
 *   N(0, 1), not rounded to float16
 * @returns exact float32 values where the spec text determines them, values rounded to float16 where they are stored
 * @throws InputError if a user's codebook is known only by its hash
 */
export function buildCodebook(spec: QuantizedSpec, weights?: Float32Array | RankedValues): Float32Array {
  const { build, stored } = dataTypes[spec.type];
  const values = build(spec, weights);
  const rounded = stored && weights ? Float16Array.from(values) : Float32Array.from(values);
  return Float32Array.from(new Set(rounded)).sort();
}

function completeFloat(spec: QuantizedSpec): QuantizedSpec {
  const { bits, exponentBits = defaultExponentBits(bits), bias = "ieee" } = spec;
  if (exponentBits > bits - 1) {
    throw new InputError(
      `float${bits} has 1 to ${bits - 1} exponent bits beside its sign, not e${exponentBits}; write float${bits}:e${defaultExponentBits(bits)}`,
    );
  }
  // Without mantissa bits there are no subnormals, and so no difference between the biases.
  return { ...spec, exponentBits, bias: exponentBits === bits - 1 ? undefined : bias };
}

function valuesOfFile({ bits, file }: QuantizedSpec): readonly number[] {
  if (!file || file.codebook.length === 0) {
    throw new InputError(
      `the codebook file${bits}:${file?.hash} is known by its hash only; name its file, as in file:values.json`,
    );
  }
  return file.codebook;
}
