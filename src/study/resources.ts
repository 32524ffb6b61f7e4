// What the experiments of one worker share: open checkpoints, one kernel set, texts and their tokens.

import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { type CheckpointHashes, hashCheckpoint } from "../checkpoint/hash-node.ts";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { decodeData } from "../evaluate/data-node.ts";
import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { LanguageModel } from "../language-model.ts";
import { loadModel } from "../model/load.ts";
import { quantizeCheckpoint, type ViewOptions } from "../model/quantized-view.ts";
import type { ResultKey } from "../result.ts";
import type { LoadedModel, Resources } from "./experiment.ts";
import { AbsentError, createFinder, type Finder, hasConfig, isNamed, type Roots } from "./roots.ts";

/** Tokens that a worker remembers: enough for the requests of every zero-shot task. */
const maxCachedTokens = 1e7;

/** What a worker may do. */
export interface ResourceOptions {
  /** Folders that alone are read; absent: every path and the Hub. */
  readonly roots?: Roots;
  /** Who quantizes; default: `quantize`. */
  readonly quantize?: ViewOptions["quantize"];
}

/** The resources of one worker, on its kernels. */
export function createResources(kernels: Kernels, { roots, quantize }: ResourceOptions = {}): Resources {
  const models = roots && createFinder(roots.models);
  const texts = roots && createFinder(roots.data);
  let last: { readonly name: string; readonly loaded: Promise<LoadedModel> } | undefined;
  const checkpoints = new Map<string, Promise<Checkpoint>>();
  const encodings = new Map<string, EncodingCache>();
  let data = { hash: "", text: "" };
  return {
    kernels: kernels.name,
    computeType: kernels.computeType,
    threads: kernels.threads,
    machine: describeMachine(),
    kbit: readVersion(),
    openCheckpoint(path, key) {
      const id = `${key.weightsHash} ${key.configHash} ${key.tokenizerHash} ${path}`;
      let checkpoint = checkpoints.get(id);
      if (!checkpoint) {
        checkpoint = models ? openBelow(models, path, key) : openChecked(path, key);
        checkpoint.catch(() => checkpoints.delete(id));
        checkpoints.set(id, checkpoint);
      }
      return checkpoint;
    },
    async loadModel(checkpoint, { key, spec, allowNonfinite = false }) {
      const name = `${key.weightsHash} ${key.configHash} ${key.tokenizerHash} ${spec.text} ${allowNonfinite}`;
      if (last?.name === name) return last.loaded;
      await last?.loaded.then(({ model }) => model.close()).catch(() => {}); // before the next, so that one takes room
      let cache = encodings.get(key.tokenizerHash);
      if (!cache) encodings.set(key.tokenizerHash, (cache = { texts: new Map(), tokens: 0 }));
      const quantized = quantizeCheckpoint(checkpoint, spec.spec, { allowNonfinite, quantize });
      const loaded = loadModel(quantized, kernels, { allowNonfinite }).then((model) => {
        return { quantized, model: rememberEncodings(model, cache) };
      });
      last = { name, loaded };
      loaded.catch(() => {
        if (last?.loaded === loaded) last = undefined;
      });
      return loaded;
    },
    async readData(path, hash) {
      if (data.hash !== hash) {
        data = { hash, text: texts ? await readBelow(texts, path, hash) : await readChecked(path, hash) };
      }
      return data.text;
    },
  };
}

/** The model of a key below the roots. @throws AbsentError if it is not there, or another is where it should be */
async function openBelow(finder: Finder, path: string, key: ResultKey): Promise<Checkpoint> {
  let last: unknown;
  for (const candidate of finder.candidates(path, (folder) => hasConfig(folder, key.configHash))) {
    try {
      return await openChecked(candidate, key);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      last ??= error;
    }
  }
  throw last instanceof AbsentError ? last : new AbsentError(explainAbsence("model", path, finder, last));
}

/** The text of a file of that hash below the roots. @throws as `openBelow` */
async function readBelow(finder: Finder, path: string, hash: string): Promise<string> {
  let last: unknown;
  for (const candidate of finder.candidates(path, (file) => isNamed(file, path))) {
    if (!statSync(candidate).isFile()) continue;
    try {
      return await readChecked(candidate, hash);
    } catch (error) {
      if (!(error instanceof AbsentError)) throw error;
      last ??= error;
    }
  }
  throw last ?? new AbsentError(explainAbsence("data file", path, finder, last));
}

function explainAbsence(what: string, path: string, { roots }: Finder, last: unknown): string {
  const reason = last instanceof InputError ? ` (${last.message})` : "";
  return `The ${what} ${path} is not below ${roots.join(" or ") || "any folder that may be read"}${reason}; copy it there, or start the worker with its folder.`;
}

async function openChecked(path: string, key: ResultKey): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(path);
  const hashes = await hashCheckpoint(checkpoint);
  if (Object.entries(hashes).every(([name, hash]) => key[name as keyof CheckpointHashes] === hash)) return checkpoint;
  await checkpoint.close();
  throw new AbsentError(`${path} was changed while the study ran; run the study again to measure the new model.`);
}

async function readChecked(path: string, hash: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new AbsentError(`The file ${path} cannot be read (${error.code}).`);
  });
  if (createHash("sha256").update(bytes).digest("hex") !== hash)
    throw new AbsentError(`${path} was changed while the study ran; run the study again to measure on the new file.`);
  return decodeData(bytes, path);
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
