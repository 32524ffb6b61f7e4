// What the experiments of one worker share: open checkpoints, one kernel set, texts and their tokens.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { type CheckpointHashes, hashCheckpoint } from "../checkpoint/hash-node.ts";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { LanguageModel } from "../language-model.ts";
import { loadModel } from "../model/load.ts";
import type { ResultKey } from "../result.ts";
import type { Resources } from "./experiment.ts";

/** Tokens that a worker remembers: enough for the requests of every zero-shot task. */
const maxCachedTokens = 1e7;

/** The resources of one worker, on its kernels. */
export function createResources(kernels: Kernels, options: { readonly allowNonfinite?: boolean } = {}): Resources {
  const { allowNonfinite = false } = options;
  const checkpoints = new Map<string, Promise<Checkpoint>>();
  const encodings = new Map<string, EncodingCache>();
  let data = { hash: "", text: "" };
  return {
    kernels: kernels.name,
    computeType: kernels.computeType,
    threads: kernels.threads,
    machine: describeMachine(),
    kbit: readVersion(),
    allowNonfinite,
    openCheckpoint(path, key) {
      const id = `${key.weightsHash} ${key.configHash} ${key.tokenizerHash} ${path}`;
      let checkpoint = checkpoints.get(id);
      if (!checkpoint) {
        checkpoint = openChecked(path, key);
        checkpoint.catch(() => checkpoints.delete(id));
        checkpoints.set(id, checkpoint);
      }
      return checkpoint;
    },
    async loadModel(checkpoint, tokenizerHash) {
      const model = await loadModel(checkpoint, kernels, { allowNonfinite });
      let cache = encodings.get(tokenizerHash);
      if (!cache) encodings.set(tokenizerHash, (cache = { texts: new Map(), tokens: 0 }));
      return rememberEncodings(model, cache);
    },
    async readData(path, hash) {
      if (data.hash !== hash) data = { hash, text: await readChecked(path, hash) };
      return data.text;
    },
  };
}

async function openChecked(path: string, key: ResultKey): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(path);
  const hashes = await hashCheckpoint(checkpoint);
  if (Object.entries(hashes).every(([name, hash]) => key[name as keyof CheckpointHashes] === hash)) return checkpoint;
  await checkpoint.close();
  throw new InputError(`${path} was changed while the study ran; run the study again to measure the new model.`);
}

async function readChecked(path: string, hash: string): Promise<string> {
  const bytes = await readFile(path);
  if (createHash("sha256").update(bytes).digest("hex") !== hash)
    throw new InputError(`${path} was changed while the study ran; run the study again to measure on the new file.`);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InputError(`${path} is not UTF-8 text; convert it.`);
  }
}

/** Token ids of the texts that were encoded with one tokenizer. */
interface EncodingCache {
  readonly texts: Map<string, number[]>;
  tokens: number;
}

/** The model, with every text encoded once for all models that share the cache. */
function rememberEncodings<M extends LanguageModel>(model: M, cache: EncodingCache): M {
  const encode: LanguageModel["encode"] = (text, special = "none") => {
    const key = `${special} ${text}`;
    const known = cache.texts.get(key);
    if (known) return known;
    const tokens = model.encode(text, special);
    if (cache.tokens + tokens.length <= maxCachedTokens) {
      cache.tokens += tokens.length;
      cache.texts.set(key, tokens);
    }
    return tokens;
  };
  return { ...model, encode };
}

/** Processor and number of cores, for result rows: times compare only on one machine. */
export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() || process.arch} x ${availableParallelism()}`;
}

function readVersion(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
