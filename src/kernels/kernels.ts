// The contract of a kernel set: what a decoder needs, on opaque buffers so that a GPU can implement it too.
// reference.ts is its meaning in plain loops; this file imports no implementation.
//
// Rules that every set keeps and that the conformance tests hold:
// - each output element has one fixed order of summation, whatever the number of tokens in the call and of threads;
// - k-bit weights are decoded where they are multiplied, and no dequantized matrix is written to memory;
// - calls take effect in the order they are made; only `read` and `scoreTargets` wait for results.

import type { QuantizedTensor } from "../quantize/quantized.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The type in which products are formed and summed; named in every result row. */
export type ComputeType = "float32" | "bfloat16";

/** What the inputs of every product may be rounded to first (inputs.ts): experiments, never a default. */
export const inputTypes = ["float16", "bfloat16", "int8", "float8"] as const;

/** Name of one of these. */
export type InputType = (typeof inputTypes)[number];

/** A compute type as it stands in results. */
export type ComputeName = ComputeType | `${ComputeType}, inputs ${InputType}`;

/** float32 values in the memory of the kernel set, `(length)`. */
export interface KernelBuffer {
  readonly length: number;
}

/** A weight matrix `(rows, columns)` = (out, in), dense or k-bit, in the memory of the kernel set. */
export interface KernelWeight {
  readonly rows: number;
  readonly columns: number;
}

/** Elementwise functions: `gelu` is exact (erf), `geluTanh` the tanh approximation. */
export type Activation = "relu" | "gelu" | "geluTanh" | "silu";

/** How one projection's heads lie in a fused row, and where they go. */
export interface HeadLayout {
  readonly tokens: number;
  readonly heads: number;
  readonly headSize: number;
  /** Width of an input row. */
  readonly width: number;
  /** Position of head 0 in an input row, and the distance from a head to the next. */
  readonly offset: number;
  readonly stride: number;
  /** Output row of each token: a slot of the cache, or 0, 1, 2, .. `(tokens)`. */
  readonly slots: Int32Array;
  /** Rotary embedding of the first `size` values of each head, half-split (value i turns with i + size / 2). */
  readonly rotary?: {
    readonly size: number;
    /** Position of each token, `(tokens)`. */
    readonly positions: Int32Array;
    /** Radians a position, `(size / 2)`. */
    readonly frequencies: Float32Array;
    /** Factor on sine and cosine (rope scaling such as yarn); 1 if none. */
    readonly magnitude: number;
  };
}

/** What each query attends to: a shared prefix, then its own sequence, both as ranges of cache slots. */
export interface AttentionSpans {
  readonly tokens: number;
  readonly heads: number;
  readonly keyHeads: number; // heads % keyHeads = 0
  readonly headSize: number;
  readonly scale: number;
  /** Row t: prefixStart, prefixLength, ownStart, ownLength; the last slot of own is the query's. `(tokens, 4)` */
  readonly spans: Int32Array;
  /** ALiBi: the score of a key `d` places before the query loses `slope * d`. `(heads)` */
  readonly slopes?: Float32Array;
  /** A scaled score s becomes `cap * tanh(s / cap)`. */
  readonly cap?: number;
}

/** Result of `scoreTargets`. */
export interface TargetScores {
  /** log softmax of each row's logits at its target, `(rows)`. */
  readonly logProbs: Float32Array;
  /** The arg max of each row's logits (the first of equals), `(rows)`. */
  readonly best: Int32Array;
}

/** Which matrix product: few tokens at a time while generating, many while scoring. They agree to 1e-4. */
export type Path = "generation" | "scoring";

/** A set of kernels. Sizes that do not fit together are programming errors and throw. */
export interface Kernels {
  /** `reference`, `wasm`, .. */
  readonly name: string;
  readonly computeType: ComputeName;
  readonly threads: number;

  /** A buffer of zeros. */
  createBuffer(length: number): KernelBuffer;
  write(buffer: KernelBuffer, values: Float32Array, offset?: number): void;
  read(buffer: KernelBuffer, offset?: number, length?: number): Promise<Float32Array>;
  /** The buffer itself, until anything is created or released; absent where buffers are not in memory that JavaScript sees. */
  view?(buffer: KernelBuffer): Float32Array;
  /** Takes a matrix in the width it is stored in. */
  loadWeight(weight: Tensor | QuantizedTensor): KernelWeight;
  release(handle: KernelBuffer | KernelWeight): void;
  /** Frees everything and stops the threads. */
  close(): Promise<void>;

  /** `out[t] = weight[ids[t]]`, `(tokens, columns)`. */
  embed(out: KernelBuffer, weight: KernelWeight, ids: Int32Array): void;
  /** `out[t] = weight . x[t] + bias`, `(tokens, rows)` from `(tokens, columns)`. */
  matmul(
    out: KernelBuffer,
    x: KernelBuffer,
    weight: KernelWeight,
    tokens: number,
    path: Path,
    bias?: KernelBuffer,
  ): void;
  /** `out[t] = (x[t] - mean) / sqrt(variance + epsilon) * gain + bias`, rows of `gain.length`. */
  layerNorm(
    out: KernelBuffer,
    x: KernelBuffer,
    tokens: number,
    gain: KernelBuffer,
    bias: KernelBuffer | undefined,
    epsilon: number,
  ): void;
  /** `out[t] = x[t] / sqrt(mean(x[t]^2) + epsilon) * gain`. */
  rmsNorm(out: KernelBuffer, x: KernelBuffer, tokens: number, gain: KernelBuffer, epsilon: number): void;
  /** Takes one of query, key, value out of a (fused) projection, turns it, and puts it at its slots: `(slots, heads * headSize)`. */
  placeHeads(out: KernelBuffer, x: KernelBuffer, layout: HeadLayout): void;
  /** Softmax attention, `out (tokens, heads * headSize)`. */
  attend(out: KernelBuffer, query: KernelBuffer, keys: KernelBuffer, values: KernelBuffer, spans: AttentionSpans): void;
  /** In place on the first `length` values. */
  activate(x: KernelBuffer, activation: Activation, length: number): void;
  /** `out[i] = a[i] + b[i]`; out may be a or b. */
  add(out: KernelBuffer, a: KernelBuffer, b: KernelBuffer, length: number): void;
  /** `out[i] = a[i] * b[i]`; out may be a or b. */
  multiply(out: KernelBuffer, a: KernelBuffer, b: KernelBuffer, length: number): void;
  /** `out[i] = x[rows[i]]`, rows of `width`. */
  gather(out: KernelBuffer, x: KernelBuffer, rows: Int32Array, width: number): void;
  /**
   * log softmax of `head . x[i] + bias` at `targets[i]`; the logits of all rows are never in memory at once.
   * With a cap a logit l becomes `cap * tanh(l / cap)` first.
   */
  scoreTargets(
    x: KernelBuffer,
    head: KernelWeight,
    targets: Int32Array,
    bias?: KernelBuffer,
    cap?: number,
  ): Promise<TargetScores>;
}
