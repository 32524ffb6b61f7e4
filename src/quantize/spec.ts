// What to quantize to: the parsed form of a spec such as `float4:e3:b64:dq`.
// Parse and format stand in spec-text.ts, mixes in spec-mix.ts, the facts of each data type in data-types.ts.

/** A data type of the table, or `file` for a user's codebook. */
export type DataTypeName = "int" | "float" | "dynamic" | "quantile" | "nf" | "af" | "bnbfp" | "file";

/** A k-bit quantization, every choice made explicit. Equal specs have one text (`formatSpec`). */
export interface QuantizedSpec {
  readonly kind: "quantized";
  readonly type: DataTypeName;
  /** k, 2 to 8. */
  readonly bits: number;
  /** float only. */
  readonly exponentBits?: number;
  /** float only: where the subnormals lie (codebooks/float.ts). */
  readonly bias?: "ieee" | "bnb" | "appendix";
  /** quantile only: how the quantiles are estimated. */
  readonly estimator?: "exact" | "sram" | "eq6";
  /** file only: the JSON codebook's path, values (ascending) and hash, by which the canonical text names it. */
  readonly file?: { readonly path: string; readonly codebook: readonly number[]; readonly hash: string };
  /** Weights that share one absmax: 16 to 4096, a `row`, or the whole `tensor`. */
  readonly block: number | "row" | "tensor";
  /** Storage of absmax: float16 (2 bytes), float32, or double-quantized as in QLoRA. */
  readonly scales: "float16" | "float32" | "double";
  readonly center: "none" | "mean" | "median" | "block";
  /** Outlier-dependent quantization: `percent` of the input columns stay in float16. */
  readonly proxy?: { readonly percent: number; readonly rule: "previous" | "self" };
  /** Quantize the token embedding too. */
  readonly embed: boolean;
  /** Quantize the language-model head too. */
  readonly head: boolean;
}

/** Every floating-point weight stored at one width; `stored` leaves each as the checkpoint has it. */
export interface BaselineSpec {
  readonly kind: "baseline";
  readonly type: "fp16" | "bf16" | "fp32" | "stored";
}

/** Every weight as the checkpoint has it. */
export const asStored: BaselineSpec = { kind: "baseline", type: "stored" };

/** What one matrix can be at. */
export type MatrixSpec = QuantizedSpec | BaselineSpec;

/** Matrices at different specs, by their names. */
export interface MixSpec {
  readonly kind: "mix";
  /** In canonical order; none where only the hash is known. */
  readonly entries: readonly MixEntry[];
  /** Of the canonical JSON, 16 hexadecimal digits: the canonical text is `mix:HASH`. */
  readonly hash: string;
}

/** The spec of the matrices whose names fit a pattern. */
export interface MixEntry {
  /** A name in which `*` stands for any characters and `?` for one, or `default` for all that fit no other. */
  readonly pattern: string;
  readonly spec: MatrixSpec;
}

/** Any spec. */
export type Spec = MatrixSpec | MixSpec;
