// The contract of a checkpoint: a configuration, a tokenizer's files and named weights that are read when asked.
// open.ts and packed.ts implement it on files, model/quantized-view.ts on another checkpoint; model/ knows what the names mean.

import type { QuantizedTensor } from "../quantize/quantized.ts";
import type { Spec } from "../quantize/spec.ts";
import type { Tensor, TensorHeader } from "../tensor/tensor.ts";

/** A model on disk, in the browser's memory, or on the Hub. */
export interface Checkpoint {
  /** Where it came from: a path or a Hub id, for messages. */
  readonly source: string;
  /** The parsed `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /**
   * The spec that the weights were quantized to, for packed checkpoints and quantized views; undefined: as the original
   * file has them. Where there is a spec, every matrix is `(out, in)`: what `MatrixRole.transposed` marks has been turned.
   */
  readonly spec: Spec | undefined;
  /** Every tensor, by its original name: its shape and storage type; for a packed matrix the type it had. */
  readonly tensors: ReadonlyMap<string, TensorHeader>;
  /** Bytes of all files that hold tensors, headers included. */
  readonly fileBytes: number;
  /** Paths of those files, where they are on disk. */
  readonly files?: readonly string[];
  /** The weight of that name. @throws InputError if there is none, or if the file does not hold what its header says. */
  read(name: string): Promise<Tensor | QuantizedTensor>;
  /** How the weight of that name is stored, without reading it. Absent: `read` it and measure. */
  storedAs?(name: string): StoredParts;
  /** Text of a side file such as `tokenizer.json`; undefined if absent. */
  readText(fileName: string): Promise<string | undefined>;
  close(): Promise<void>;
}

/** The tensors that one weight is stored as: itself, or the codes, scales, .. of a packed matrix. */
export interface StoredParts {
  readonly parts: readonly TensorHeader[];
  /** False: the codebook may turn out smaller, which is known once the weight has been read. */
  readonly isExact: boolean;
}

/** The files beside the weights that a model needs, in the order in which they are hashed. */
export const sideFiles = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
] as const;
