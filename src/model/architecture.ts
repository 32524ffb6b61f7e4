// What a decoder is, in numbers and in tensor names: the types that a row of the table of architectures fills in.
// decoder.ts computes by it, load.ts checks and loads by it, matrices.ts tells quantization by it what each matrix is for.

import type { Activation } from "../kernels/kernels.ts";
import type { ConfigReader } from "./config.ts";

/** The numbers of a decoder. */
export interface DecoderShape {
  /** Rows of the token embedding and of the head. */
  readonly vocabulary: number;
  /** Width of the residual stream. */
  readonly width: number;
  readonly heads: number;
  /** Key and value heads; each serves `heads / keyHeads` query heads. */
  readonly keyHeads: number;
  readonly headSize: number;
  /** Units of the feed-forward layer. */
  readonly ffnWidth: number;
  /** The longest input in tokens. */
  readonly maxLength: number;
  /** `gainOffset` is added to every gain: Gemma stores them less 1. */
  readonly norm: { readonly kind: "layer" | "rms"; readonly epsilon: number; readonly gainOffset?: number };
  /** Factor on the embedded tokens; absent: 1. */
  readonly embeddingScale?: number;
  readonly activation: Activation;
  /**
   * How attention A and feed-forward F stand around the residual stream x, with norms N:
   * `before`: x += M A(N x), x += M' F(N' x), where M and M' are the norms of what comes out, if any;
   * `after`: x = N(x + A x), x = N'(x + F x); `normed`: n = N x, y = n + A n, m = N' y, x = m + F m;
   * `parallel`: x += A(N x) + F(N' x), where an absent N' is N.
   */
  readonly residual: "before" | "after" | "normed" | "parallel";
  readonly positions: Positions;
  /** Factor on the scores of each block, `(blocks)`. */
  readonly attentionScales: readonly number[];
  /** Sliding window of each block: keys that a query sees, itself included; undefined: all before it. `(blocks)` */
  readonly windows: readonly (number | undefined)[];
  /** Scores s of attention become `cap * tanh(s / cap)`; absent: they stay. */
  readonly scoreCap?: number;
  /** The same for the logits. */
  readonly logitCap?: number;
}

/** How positions enter. */
export type Positions =
  /** A learned embedding, whose row for position p is `p + offset`. */
  | { readonly kind: "learned"; readonly offset: number }
  /** Of each block, `(blocks)`. */
  | { readonly kind: "rotary"; readonly rotaries: readonly Rotary[] }
  /** Scores fall linearly with distance, `(heads)`. */
  | { readonly kind: "alibi"; readonly slopes: Float32Array };

/** Rotary positions of the first `size` values of each head, half-split. */
export interface Rotary {
  readonly size: number;
  /** Factor on sine and cosine. */
  readonly magnitude: number;
  /** Radians a position for a sequence of `length` tokens, `(size / 2)`; only dynamic scaling looks at the length. */
  frequencies(length: number): Float32Array;
}

/** A linear layer, `y = W x + b`, `W (rows, columns)` = (out, in). */
export interface LinearLayer {
  readonly weight: string;
  readonly bias?: string;
  readonly rows: number;
  readonly columns: number;
  /** Stored as (in, out). */
  readonly transposed?: boolean;
  /** Row (and bias) r is stored as row `rowOrder[r]`, `(rows)`; absent: the identity. */
  readonly rowOrder?: Int32Array;
}

/** A norm over rows of `width`; without a weight its gain is 1. */
export interface NormLayer {
  readonly weight?: string;
  readonly bias?: string;
  readonly width: number;
}

/** Where query, key or value lies in the output rows of a (fused) projection: head h begins at `offset + h * stride`. */
export interface HeadPlace {
  /** Which of `projections`. */
  readonly projection: number;
  readonly offset: number;
  readonly stride: number;
}

/** The tensors of one block. */
export interface BlockTensors {
  /** Absent: attention reads the residual stream itself. */
  readonly attentionNorm?: NormLayer;
  /** One fused projection, or query, key and value. */
  readonly projections: readonly LinearLayer[];
  readonly query: HeadPlace;
  readonly key: HeadPlace;
  readonly value: HeadPlace;
  /** Norms of query and key before they turn, over each head or over all heads together, by their width. */
  readonly queryNorm?: NormLayer;
  readonly keyNorm?: NormLayer;
  readonly out: LinearLayer;
  /** Norm of what attention gives. */
  readonly attentionOutNorm?: NormLayer;
  readonly ffnNorm?: NormLayer;
  /** Gated: `down(activation(gate x) * up x)`; otherwise `down(activation(up x))`. */
  readonly gate?: LinearLayer;
  /** `up` holds the rows of gate, then those of up. */
  readonly gateInUp?: boolean;
  readonly up: LinearLayer;
  readonly down: LinearLayer;
  /** Norm of what the feed-forward layer gives. */
  readonly ffnOutNorm?: NormLayer;
}

/** All tensors of a decoder, by their names in the checkpoint. */
export interface DecoderTensors {
  readonly embedding: LinearLayer;
  readonly positions?: LinearLayer;
  readonly embeddingNorm?: NormLayer;
  /** Between an embedding of another width and the residual stream (OPT-350M). */
  readonly projectIn?: LinearLayer;
  readonly blocks: readonly BlockTensors[];
  readonly finalNorm?: NormLayer;
  readonly projectOut?: LinearLayer;
  /** Absent: the head is the embedding (tied). */
  readonly head?: LinearLayer;
}

/** A decoder as its config describes it. */
export interface DecoderDescription {
  readonly shape: DecoderShape;
  readonly tensors: DecoderTensors;
}

/** A row of the table of architectures. */
export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** Name of the token embedding without prefix: what stands before it in a checkpoint is the prefix of all names. */
  readonly embedding: string;
  /** Prefix in checkpoints that transformers writes. */
  readonly prefix: string;
  /** Names that the head may have; they take no prefix. */
  readonly heads: readonly string[];
  /** Tensors that old checkpoints hold and no computation needs. */
  readonly ignored?: RegExp;
  /**
   * Reads the config.
   * @param prefix - what stands before every name but the head's
   * @param head - name of the head where it is not tied
   */
  describe(config: ConfigReader, prefix: string, head: string): DecoderDescription;
}
