// Fields of config.json that several architectures share.

import type { Activation } from "../../kernels/kernels.ts";
import type { ConfigReader } from "../config.ts";

/** Names of activations in configs, and the function that each means. */
export const activationNames: Readonly<Record<string, Activation>> = {
  relu: "relu",
  gelu: "gelu",
  gelu_new: "geluTanh",
  gelu_fast: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  silu: "silu",
  swish: "silu",
};

/** Layers and heads, with the head size that follows from the width. */
export function readSizes(config: ConfigReader, names: { width: string[]; layers: string[]; heads: string[] }) {
  const width = config.integer(names.width);
  const layers = config.integer(names.layers);
  const heads = config.integer(names.heads);
  if (layers > 10_000) throw config.fail(`${names.layers[0]} is ${layers}; at most 10000 is expected.`);
  return { width, layers, heads };
}

/** `width / heads`, which must be whole. */
export function divideHeads(config: ConfigReader, width: number, heads: number): number {
  if (width % heads !== 0) throw config.fail(`a width of ${width} is not a multiple of ${heads} heads.`);
  return width / heads;
}

/** Key and value heads, as many as heads where the config does not say. */
export function readKeyHeads(config: ConfigReader, heads: number): number {
  const keyHeads = config.integer("num_key_value_heads", heads);
  if (heads % keyHeads !== 0) throw config.fail(`${heads} heads are not a multiple of ${keyHeads} key-value heads.`);
  return keyHeads;
}
