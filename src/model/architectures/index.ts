// The table of architectures: one row a family of checkpoints. A new family is a new file and a line here.

import { findNearest, InputError } from "../../input-error.ts";
import type { TensorHeader } from "../../tensor/tensor.ts";
import type { Architecture, DecoderDescription } from "../architecture.ts";
import { createConfigReader } from "../config.ts";
import { listMatrices } from "../matrices.ts";
import type { MatrixRole } from "../roles.ts";
import { bloom } from "./bloom.ts";
import { falcon } from "./falcon.ts";
import { gemma, gemma2, gemma3, gemma3Vision } from "./gemma.ts";
import { gptNeox } from "./gpt-neox.ts";
import { gpt2 } from "./gpt2.ts";
import { gptj } from "./gptj.ts";
import { llama, mistral, olmo2, qwen2, qwen3 } from "./llama.ts";
import { opt } from "./opt.ts";
import { phi, phi3 } from "./phi.ts";
import { stablelm } from "./stablelm.ts";

/** Every architecture by the `model_type` of its config. */
export const architectures: ReadonlyMap<string, Architecture> = new Map(
  [
    ...[opt, bloom, gpt2, gptNeox, gptj],
    ...[llama, mistral, qwen2, qwen3, olmo2, stablelm],
    ...[gemma, gemma2, gemma3, gemma3Vision, phi, phi3, falcon],
  ].map((row) => [row.modelType, row]),
);

/** The decoder that a config describes, and the tensors of the checkpoint that it does not need. */
export interface FoundDecoder extends DecoderDescription {
  /** Copies of a tied head, causal masks and the like. */
  readonly unused: ReadonlySet<string>;
}

/**
 * Reads a config by its row of the table; names follow the prefix that the checkpoint uses
 * (`model.`, `transformer.`, none, ..).
 *
 * @throws InputError if the architecture is unknown or a field of the config is wrong
 */
export function describeDecoder(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, TensorHeader>,
  source = "the model",
): FoundDecoder {
  const where = `config.json of ${source}`;
  const architecture = findArchitecture(config["model_type"], where);
  if (config["quantization_config"] != null) {
    throw new InputError(
      `${where}: quantization_config says that the weights are quantized by another tool; a checkpoint in 16 or 32 bits is expected.`,
    );
  }
  const prefix = findPrefix(architecture, tensors);
  const headName = architecture.heads.find((name) => tensors.has(name)) ?? architecture.heads[0];
  const description = architecture.describe(createConfigReader(config, where), prefix, headName);
  const tiedCopy = description.tensors.head ? undefined : headName;
  const unused = [...tensors.keys()].filter((name) => name === tiedCopy || architecture.ignored?.test(name));
  return { ...description, unused: new Set(unused) };
}

/** What each matrix of a checkpoint is for, in the order of computation: what quantization plans by. */
export function describeMatrices(
  config: Readonly<Record<string, unknown>>,
  tensors: ReadonlyMap<string, TensorHeader>,
  source?: string,
): MatrixRole[] {
  return listMatrices(describeDecoder(config, tensors, source));
}

function findArchitecture(modelType: unknown, where: string): Architecture {
  if (typeof modelType !== "string") {
    throw new InputError(
      `${where}: model_type is missing; one of ${[...architectures.keys()].join(", ")} is expected.`,
    );
  }
  const architecture = architectures.get(modelType);
  if (architecture) return architecture;
  const nearest = findNearest(modelType, architectures.keys());
  const hint = nearest ? ` Did you mean ${nearest}?` : "";
  throw new InputError(
    `${where}: architecture ${modelType} is not supported; ${[...architectures.keys()].join(", ")} are.${hint}`,
  );
}

function findPrefix(architecture: Architecture, tensors: ReadonlyMap<string, TensorHeader>): string {
  const { embedding } = architecture;
  const ends = [...tensors.keys()]
    .filter((name) => name === embedding || name.endsWith(`.${embedding}`))
    .map((name) => name.slice(0, -embedding.length))
    .sort((a, b) => a.length - b.length);
  return ends[0] ?? architecture.prefix;
}
