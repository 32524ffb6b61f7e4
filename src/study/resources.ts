// What the experiments of one worker share: open checkpoints and their weights, one kernel set, requests.

import { readFileSync, statSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { type CheckpointHashes, hashCheckpoint } from "../checkpoint/hash-node.ts";
import { isOfDataset, isOnHub, parseDatasetPlace } from "../checkpoint/hub-dataset-node.ts";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { loadModel } from "../model/load.ts";
import { quantizeCheckpoint, type ViewOptions } from "../model/quantized-view.ts";
import { loadTokenizer, type TextTokenizer } from "../model/tokenizer.ts";
import { isQuantized } from "../quantize/quantized.ts";
import type { ResultKey } from "../result.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { findDataFiles, readCheckedText } from "./data-files.ts";
import type { LoadedModel, Prepared, Resources } from "./experiment.ts";
import { reuseBuffers } from "./reuse.ts";
import { AbsentError, createFinder, type Finder, hasConfig, isNamed, type Roots } from "./roots.ts";

/** Tokens of requests that a worker keeps: enough for every zero-shot task. */
const maxPreparedTokens = 3e6;
/** Bytes of weights that a worker keeps; checkpoints that alone have more are read for each spec. */
const maxKeptBytes = 32e6;

/** What a worker may do. */
export interface ResourceOptions {
  /** Folders that alone are read; absent: every path and the Hub. */
  readonly roots?: Roots;
  /** Who quantizes; default: `quantize`. */
  readonly quantize?: ViewOptions["quantize"];
}

/** The resources of one worker, on its kernels. */
export function createResources(own: Kernels, { roots, quantize }: ResourceOptions = {}): Resources {
  const kernels = reuseBuffers(own);
  const models = roots && createFinder(roots.models);
  const texts = roots && createFinder(roots.data);
  let last: { readonly name: string; readonly loaded: Promise<LoadedModel> } | undefined;
  const checkpoints = new Map<string, Promise<Checkpoint>>();
  const kept: KeptWeights = { weights: new Map(), bytes: 0 };
  const tokenizers = new Map<string, Promise<TextTokenizer>>();
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
        checkpoint = (models ? openBelow(models, path, key) : openChecked(path, key)).then((opened) =>
          keepWeights(opened, kept),
        );
        checkpoint.catch(() => checkpoints.delete(id));
        checkpoints.set(id, checkpoint);
      }
      return checkpoint;
    },
    async loadModel(checkpoint, { key, spec, allowNonfinite = false }) {
      const name = `${key.weightsHash} ${key.configHash} ${key.tokenizerHash} ${spec.text} ${allowNonfinite}`;
      if (last?.name === name) return last.loaded;
      await last?.loaded.then(({ model }) => model.close()).catch(() => {}); // before the next, so that one takes room
      const { bos_token_id, eos_token_id } = checkpoint.config;
      const files = JSON.stringify([key.tokenizerHash, bos_token_id, eos_token_id]);
      let tokenizer = tokenizers.get(files);
      if (!tokenizer) {
        tokenizers.set(files, (tokenizer = loadTokenizer(checkpoint)));
        tokenizer.catch(() => tokenizers.delete(files));
      }
      const quantized = quantizeCheckpoint(checkpoint, spec.spec, { allowNonfinite, quantize });
      const loaded = tokenizer
        .then((own) => loadModel(quantized, kernels, { allowNonfinite, tokenizer: own }))
        .then((model) => ({ quantized, model }));
      last = { name, loaded };
      loaded.catch(() => {
        if (last?.loaded === loaded) last = undefined;
      });
      return loaded;
    },
    async readData(path, hash) {
      if (data.hash !== hash) {
        data = { hash, text: texts ? await readBelow(texts, path, hash) : await readAnywhere(path, hash) };
      }
      return data.text;
    },
    prepare: createPreparations(),
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

/** The text of a file, or of the files of a split on the Hub. @throws AbsentError as `readCheckedText` */
async function readAnywhere(place: string, hash: string): Promise<string> {
  return readCheckedText(await findDataFiles(place), hash);
}

/** The text of a file of that hash below the roots, which may hold the Hub's cache. @throws as `openBelow` */
async function readBelow(finder: Finder, path: string, hash: string): Promise<string> {
  let last: unknown;
  const isLike = isOnHub(path) ? isOfDataset(parseDatasetPlace(path)) : (file: string) => isNamed(file, path);
  for (const candidate of finder.candidates(path, isLike)) {
    if (!statSync(candidate).isFile()) continue;
    try {
      return await readCheckedText({ place: candidate, files: [candidate] }, hash);
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

/** A cache of what was prepared; what was made first goes first. */
function createPreparations(): Resources["prepare"] {
  const known = new Map<string, { readonly made: Promise<Prepared>; tokens: number }>();
  let tokens = 0;
  return async <T extends Prepared>(key: string, make: () => Promise<T>): Promise<T> => {
    const entry = known.get(key);
    if (entry) return entry.made as Promise<T>;
    const made = make();
    const added = { made, tokens: 0 };
    known.set(key, added);
    made.catch(() => known.delete(key));
    added.tokens = countTokens(await made);
    tokens += added.tokens;
    for (const [first, { tokens: freed }] of known) {
      if (tokens <= maxPreparedTokens || first === key) break;
      known.delete(first);
      tokens -= freed;
    }
    return made;
  };
}

function countTokens(prepared: Prepared): number {
  const requests = "pairs" in prepared ? prepared.pairs.requests : prepared.requests;
  return requests.reduce(
    (sum, { context, continuations }) =>
      continuations.reduce((count, { length }) => count + length, sum + context.length),
    0,
  );
}

/** The checkpoint with its weights kept in memory once they are read, so that the next spec need not read them. */
function keepWeights(checkpoint: Checkpoint, kept: KeptWeights): Checkpoint {
  if (checkpoint.fileBytes > maxKeptBytes) return checkpoint;
  return {
    ...checkpoint,
    async read(name) {
      const known = kept.weights.get(checkpoint)?.get(name);
      if (known) return known;
      const weight = await checkpoint.read(name);
      if (isQuantized(weight)) return weight;
      if (kept.bytes + weight.bytes.length > maxKeptBytes) {
        kept.weights.clear();
        kept.bytes = 0;
      }
      let own = kept.weights.get(checkpoint);
      if (!own) kept.weights.set(checkpoint, (own = new Map()));
      own.set(name, weight);
      kept.bytes += weight.bytes.length;
      return weight;
    },
  };
}

interface KeptWeights {
  readonly weights: Map<Checkpoint, Map<string, Tensor>>;
  bytes: number;
}

/** Processor and number of cores, for result rows: times compare only on one machine. */
export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() || process.arch} x ${availableParallelism()}`;
}

function readVersion(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
