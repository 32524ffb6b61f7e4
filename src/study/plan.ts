// Plans a study before anything runs: the key and so the id of every experiment, what it will cost, what cannot be done.
// Models and data are read once, for their hashes; a model that does not open fails its own experiments only.

import { createHash } from "node:crypto";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { hashCheckpoint } from "../checkpoint/hash-node.ts";
import { fitConvention } from "../evaluate/conventions.ts";
import { findProfile } from "../evaluate/profiles.ts";
import { InputError } from "../input-error.ts";
import { describeDecoder } from "../model/architectures/index.ts";
import { countParameters } from "../model/count.ts";
import { loadTokenizer, type TextTokenizer } from "../model/tokenizer.ts";
import { codeVersions, type FailureRow, type ResultKey } from "../result.ts";
import { type DataFacts, readDataFacts } from "./data-files.ts";
import { explainFailure } from "./failure.ts";
import { hashKey } from "./result-id.ts";
import {
  type Experiment,
  isLatency,
  type ModelChoice,
  type PerplexityChoice,
  type Study,
  type TaskChoice,
  type ZeroShotChoice,
} from "./study.ts";
import { nameVersion } from "./task-choice.ts";

/** An experiment whose result is known by its id before it is there. Plain JSON: it can be sent to a worker. */
export interface PlannedExperiment extends Experiment {
  /** SHA-256 of the canonical text of `key`. */
  readonly id: string;
  readonly key: ResultKey;
  /** Tokens that will be scored, estimated. */
  readonly tokens: number;
  /** What its time goes with: `parameters * (tokens + overhead)`, and a constant more for one that takes a time. */
  readonly cost: number;
  /** Bytes of the model's files. */
  readonly fileBytes: number;
  /** Whether weights that are NaN or infinite are measured too, quantized as 0. */
  readonly allowNonfinite?: boolean;
}

/** What a study comes to. */
export interface Plan {
  /** Distinct by id, the cheapest first. */
  readonly experiments: readonly PlannedExperiment[];
  /** Experiments that cannot be done, since their model does not open. */
  readonly failures: readonly FailureRow[];
  /** What a model cannot do, a sentence each: experiments that would run and fail, every one. */
  readonly notes: readonly string[];
  /** Bytes of the largest model's weights. */
  readonly largestModel: number;
}

/** Quantizing and loading a weight takes about as long as scoring this many tokens with it. */
const overheadTokens = 200;
/** What the time of an experiment goes with. */
export function costOf(parameters: number, tokens: number): number {
  return parameters * (tokens + overheadTokens);
}

/** Of taking a time, which lasts about a second whatever the model. */
const timingCost = 2e10;

/** Of English under the tokenizers of today, for models without a tokenizer; only estimates depend on it. */
const usualBytesPerToken = 4;

/** What a plan needs of a model. */
interface ModelFacts {
  readonly hashes: { readonly weightsHash: string; readonly configHash: string; readonly tokenizerHash: string };
  readonly parameters: number;
  readonly maxLength: number;
  readonly fileBytes: number;
  readonly tokenizer: TextTokenizer;
}

/** How a plan is made. */
export interface PlanOptions {
  readonly openCheckpoint: (path: string) => Promise<Checkpoint>;
  /** Compute type of the kernels that will be used. */
  readonly computeType: string;
  /** What times are measured on, of `nameTimer`; needed where a study measures latency. */
  readonly timer?: string;
  /** Called before each model is read. */
  readonly onModel?: (model: ModelChoice, index: number) => void;
}

/** Plans every experiment of a study. @throws InputError if a data file cannot be read */
export async function planStudy(study: Study, options: PlanOptions): Promise<Plan> {
  const data = new Map<string, DataFacts>();
  for (const { data: path } of study.tasks.filter((task) => !isLatency(task)))
    if (!data.has(path)) data.set(path, await readDataFacts(path));
  const timer = createHash("sha256")
    .update(options.timer ?? "")
    .digest("hex");

  const experiments = new Map<string, PlannedExperiment>();
  const failures: FailureRow[] = [];
  const notes: string[] = [];
  const measureTokenBytes = createTokenMeasure();
  const nonfinite = study.allowNonfinite && { allowNonfinite: true };
  let largestModel = 0;
  for (const [index, model] of study.models.entries()) {
    options.onModel?.(model, index);
    let facts: ModelFacts;
    try {
      facts = await readModelFacts(model, options.openCheckpoint);
    } catch (error) {
      const failure = { model: model.name, reason: explainFailure(error), date: new Date().toISOString() };
      for (const { text: spec } of study.specs)
        for (const { task } of study.tasks) failures.push({ ...failure, spec, task });
      continue;
    }
    largestModel = Math.max(largestModel, facts.fileBytes);
    const misfits = study.tasks.flatMap((task) => explainMisfit(task, facts.maxLength) ?? []);
    for (const misfit of new Set(misfits)) notes.push(`${model.name} will fail at ${misfit}`);
    for (const spec of study.specs) {
      for (const choice of study.tasks) {
        const dataFacts = data.get(choice.data) ?? { place: choice.data, hash: timer, bytes: 0, lines: 1, sample: "" };
        const task = { ...choice, data: dataFacts.place } as TaskChoice; // of a branch on the Hub, the commit
        const key = createKey(facts, spec.text, task, dataFacts, options.computeType);
        const id = hashKey(key);
        const tokens = estimateTokens(task, dataFacts, facts.maxLength, measureTokenBytes(facts, dataFacts));
        const cost = costOf(facts.parameters, tokens) + (isLatency(task) ? timingCost : 0);
        const { fileBytes } = facts;
        if (!experiments.has(id))
          experiments.set(id, { id, key, model, spec, task, tokens, cost, fileBytes, ...nonfinite });
      }
    }
  }
  const sorted = [...experiments.values()].sort((a, b) => a.cost - b.cost);
  return { experiments: sorted, failures, notes, largestModel };
}

async function readModelFacts(model: ModelChoice, openCheckpoint: PlanOptions["openCheckpoint"]): Promise<ModelFacts> {
  const checkpoint = await openCheckpoint(model.path);
  try {
    const { config, tensors, source, fileBytes } = checkpoint;
    return {
      maxLength: describeDecoder(config, tensors, source).shape.maxLength,
      parameters: countParameters(checkpoint).parameters,
      hashes: await hashCheckpoint(checkpoint),
      fileBytes,
      tokenizer: await loadTokenizer(checkpoint),
    };
  } finally {
    await checkpoint.close();
  }
}

function createKey(
  { hashes: { weightsHash, configHash, tokenizerHash }, maxLength }: ModelFacts,
  spec: string,
  choice: TaskChoice,
  data: DataFacts,
  computeType: string,
): ResultKey {
  const { task, limit } = choice;
  const isPerplexity = task === "perplexity";
  return {
    weightsHash,
    configHash,
    tokenizerHash,
    spec,
    task,
    taskVersion: isPerplexity || isLatency(choice) ? "1" : nameVersion(choice),
    dataHash: data.hash,
    limit,
    profile: nameProfile(choice, maxLength),
    computeType,
    versions: codeVersions,
  };
}

/** Why a task fails with every model of this maximum length, as far as its numbers say; undefined: they do not. */
function explainMisfit(choice: TaskChoice, maxLength: number): string | undefined {
  if (isLatency(choice)) {
    if (choice.context + 1 <= maxLength) return undefined;
    return `latency: a context of ${choice.context} tokens and one more are above its maximum length of ${maxLength}.`;
  }
  if (choice.task !== "perplexity") return undefined;
  const { window } = choice as PerplexityChoice;
  const { size, room, stride } = fitConvention(choice as PerplexityChoice, maxLength);
  if (size > maxLength) return `perplexity: the window ${size} is above its maximum length of ${maxLength}.`;
  if (stride > room)
    return `perplexity: the stride ${stride} is above the ${room} tokens of a window${window === undefined ? " of its maximum length" : ""}.`;
  return undefined;
}

/** What times depend on beside the model: where `machine`, `kernels` and `threads` differ, a time is another result. */
export function nameTimer(machine: string, kernels: string, threads: number): string {
  return `${machine}\n${kernels}\n${threads} threads`;
}

function nameProfile(choice: TaskChoice, maxLength: number): string {
  if (isLatency(choice)) return `batch-${choice.batch}-context-${choice.context}`;
  if (choice.task === "perplexity") return fitConvention(choice as PerplexityChoice, maxLength).name;
  return findProfile((choice as ZeroShotChoice).profile).name;
}

/** Bytes a token of a text under a model's tokenizer, by its beginning; each pair is measured once. */
function createTokenMeasure(): (model: ModelFacts, data: DataFacts) => number {
  const known = new Map<string, number>();
  return ({ tokenizer, hashes }, { hash, sample }) => {
    const key = `${hashes.tokenizerHash} ${hash}`;
    let size = known.get(key);
    if (size === undefined) known.set(key, (size = measure(tokenizer, sample)));
    return size;
  };
}

function measure(tokenizer: TextTokenizer, sample: string): number {
  if (sample === "") return usualBytesPerToken;
  try {
    const tokens = tokenizer.encode(sample, "none").length;
    return tokens === 0 ? usualBytesPerToken : Buffer.byteLength(sample) / tokens;
  } catch (error) {
    if (error instanceof InputError) return usualBytesPerToken; // there is no tokenizer; the experiment itself says so
    throw error;
  }
}

function estimateTokens(
  choice: TaskChoice,
  { bytes, lines }: DataFacts,
  maxLength: number,
  bytesPerToken: number,
): number {
  if (isLatency(choice)) return choice.batch;
  const all = bytes / bytesPerToken;
  if (choice.task !== "perplexity") return all * Math.min(1, (choice.limit ?? lines) / lines);
  const { size, stride } = fitConvention(choice as PerplexityChoice, maxLength);
  return Math.min(all / stride, choice.limit ?? Number.POSITIVE_INFINITY) * size;
}
