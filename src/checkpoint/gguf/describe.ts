// What a GGUF file is in the terms of the original checkpoint: its config, and for each original tensor name the tensor of
// the file and what to undo.

import { findNearest, InputError } from "../../input-error.ts";
import { type GgufArchitecture, type GgufModel, ggufArchitectures } from "./architectures.ts";
import type { Change } from "./changes.ts";
import type { GgufHeader, GgufTensor } from "./header.ts";

/** A tensor of the file under its original name. */
export interface GgufSource {
  readonly tensor: GgufTensor;
  readonly change: Change | undefined;
}

/** What `describeGguf` finds. */
export interface GgufDescription {
  readonly config: Record<string, unknown>;
  readonly tensors: ReadonlyMap<string, GgufSource>;
  /** Divisors of the rotary frequencies, which belong to the config. */
  readonly rotaryDivisors: GgufTensor | undefined;
}

/** Names of tensors that hold divisors of rotary frequencies; the long ones are for contexts beyond the trained length. */
const divisorNames = ["rope_freqs.weight", "rope_factors_short.weight"];
const ignoredNames = new Set([...divisorNames, "rope_factors_long.weight"]);

/** @throws InputError if the architecture is not one that is read, or a key or a tensor of it is missing */
export function describeGguf(header: GgufHeader, source: string): GgufDescription {
  const { name, architecture } = findArchitecture(header, source);
  const model = createModel(header, name, source);
  if (model.header.values.get("split.count") !== undefined && model.header.values.get("split.count") !== 1) {
    throw model.fail("is one of several parts; join them into one file first (llama-gguf-split --merge)");
  }
  const tensors = new Map<string, GgufSource>();
  for (const tensor of header.tensors.values()) {
    if (ignoredNames.has(tensor.name)) continue;
    const { original, part } = findOriginal(architecture, model, tensor.name);
    if (tensors.has(original)) throw model.fail(`has two tensors for ${original}`);
    const change = architecture.change?.(part, model);
    if (change?.kind === "rows" && change.order.length !== tensor.shape[0]) {
      throw model.fail(`has ${tensor.shape[0]} rows in ${tensor.name}; its keys ask for ${change.order.length}`);
    }
    tensors.set(original, { tensor, change });
  }
  const rotaryDivisors = divisorNames.map((divisors) => header.tensors.get(divisors)).find((tensor) => tensor);
  return { config: { model_type: architecture.modelType, ...architecture.config(model) }, tensors, rotaryDivisors };
}

function findArchitecture(header: GgufHeader, source: string): { name: string; architecture: GgufArchitecture } {
  const name = header.values.get("general.architecture");
  if (typeof name === "string" && Object.hasOwn(ggufArchitectures, name)) {
    return { name, architecture: ggufArchitectures[name] };
  }
  const names = Object.keys(ggufArchitectures);
  const nearest = typeof name === "string" ? findNearest(name, names) : undefined;
  throw new InputError(
    `${source}: the GGUF architecture ${JSON.stringify(name)} is not supported; ${names.join(", ")} are.` +
      (nearest ? ` Did you mean ${nearest}?` : ""),
  );
}

function createModel(header: GgufHeader, architecture: string, source: string): GgufModel {
  const fail = (sentence: string) => new InputError(`${source} ${sentence}.`);
  const value = (key: string) => header.values.get(`${architecture}.${key}`);
  const optional = (key: string): number | undefined => {
    const found = value(key);
    if (found === undefined) return undefined;
    if (typeof found === "number" && Number.isFinite(found) && found >= 0) return found;
    throw fail(`has ${JSON.stringify(found).slice(0, 80)} for ${architecture}.${key}; a number is expected`);
  };
  return {
    header,
    value,
    optional,
    number(key, fallback) {
      const found = optional(key) ?? fallback;
      if (found !== undefined && found > 0) return found;
      throw fail(`has no ${architecture}.${key} above 0`);
    },
    has: (tensor) => header.tensors.has(tensor),
    fail,
  };
}

/** The original name of a tensor, and its name without its block. */
function findOriginal(
  architecture: GgufArchitecture,
  model: GgufModel,
  name: string,
): { original: string; part: string } {
  const match = /^(?:blk\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name);
  const [, layer, stem, end] = match ?? [];
  const { blockNames } = architecture;
  const inBlock = typeof blockNames === "function" ? blockNames(model) : blockNames;
  const names = layer === undefined ? architecture.names : inBlock;
  const found = match && Object.hasOwn(names, stem) ? names[stem] : undefined;
  if (found === undefined) {
    throw model.fail(`has the tensor ${name}, which does not belong to ${architecture.modelType}`);
  }
  const block = layer === undefined ? "" : architecture.block.replace("N", layer);
  return { original: `${block}${found}.${end}`, part: `${stem}.${end}` };
}
