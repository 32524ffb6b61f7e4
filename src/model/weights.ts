// The weights of a decoder in the memory of a kernel set: what load.ts makes and decoder.ts computes with.

import type { KernelBuffer, KernelWeight } from "../kernels/kernels.ts";
import type { HeadPlace } from "./architecture.ts";

/** A loaded linear layer. */
export interface Linear {
  /** The weight's tensor name. */
  readonly name: string;
  readonly weight: KernelWeight;
  readonly bias?: KernelBuffer;
}

/** A loaded norm. */
export interface Norm {
  readonly gain: KernelBuffer;
  readonly bias?: KernelBuffer;
}

/** A loaded block. */
export interface Block {
  readonly attentionNorm?: Norm;
  readonly projections: readonly Linear[];
  readonly query: HeadPlace;
  readonly key: HeadPlace;
  readonly value: HeadPlace;
  readonly queryNorm?: Norm;
  readonly keyNorm?: Norm;
  readonly out: Linear;
  readonly attentionOutNorm?: Norm;
  readonly ffnNorm?: Norm;
  readonly gate?: Linear;
  /** `up` holds the rows of gate, then those of up. */
  readonly gateInUp?: boolean;
  readonly up: Linear;
  readonly down: Linear;
  readonly ffnOutNorm?: Norm;
}

/** The loaded weights of a decoder; `head` is the embedding where it is tied. */
export interface DecoderWeights {
  readonly embedding: KernelWeight;
  readonly positions?: KernelWeight;
  readonly embeddingNorm?: Norm;
  readonly projectIn?: Linear;
  readonly blocks: readonly Block[];
  readonly finalNorm?: Norm;
  readonly projectOut?: Linear;
  readonly head: KernelWeight;
  readonly headBias?: KernelBuffer;
}
