// The contract of a checkpoint: a configuration, a tokenizer's files and named weights that are read when asked.
// safetensors.ts, torch-file.ts and packed.ts implement it; model/ reads it and knows what the names mean.

import type { QuantizedTensor } from "../quantize/quantized.ts";
import type { Spec } from "../quantize/spec.ts";
import type { Tensor, TensorHeader } from "../tensor/tensor.ts";

/** A model on disk, in the browser's memory, or on the Hub. */
export interface Checkpoint {
  /** Where it came from: a path or a Hub id, for messages. */
  readonly source: string;
  /** The parsed `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The spec that the weights were quantized to, for packed checkpoints; undefined: as stored. */
  readonly spec: Spec | undefined;
  /** Every tensor, by its original name: `(out, in)` shape and storage type; for a packed matrix the type it had. */
  readonly tensors: ReadonlyMap<string, TensorHeader>;
  /** Bytes of all files that hold tensors, headers included. */
  readonly fileBytes: number;
  /** The weight of that name. @throws InputError if there is none, or if the file does not hold what its header says. */
  read(name: string): Promise<Tensor | QuantizedTensor>;
  /** Text of a side file such as `tokenizer.json`; undefined if absent. */
  readText(fileName: string): Promise<string | undefined>;
  close(): Promise<void>;
}
