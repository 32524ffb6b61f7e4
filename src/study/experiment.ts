// One experiment, the whole line from left to right: a checkpoint, quantized, counted, loaded, evaluated, a result row.
// What several experiments share (open checkpoints, kernels, requests) comes in as resources.

import { createHash } from "node:crypto";
import { isAbsolute, relative, sep } from "node:path";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { parseDocuments } from "../evaluate/documents.ts";
import { listDocumentValues } from "../evaluate/metrics.ts";
import {
  listPerplexityDocuments,
  listPerplexityMetrics,
  type PreparedText,
  prepareText,
  scoreText,
} from "../evaluate/perplexity.ts";
import { countRead, findProfile } from "../evaluate/profiles.ts";
import { makePrompt, type PreparedTask, prepareTask, scoreTask, type TaskOptions } from "../evaluate/task.ts";
import { InputError } from "../input-error.ts";
import type { LanguageModel } from "../language-model.ts";
import { averageCodeBits, countBits, countParameters } from "../model/count.ts";
import type { Model } from "../model/model.ts";
import type { Metric, ResultKey, ResultRow } from "../result.ts";
import { nameTimer, type PlannedExperiment } from "./plan.ts";
import {
  isLatency,
  type LatencyChoice,
  type ModelChoice,
  type PerplexityChoice,
  type TaskChoice,
  type ZeroShotChoice,
} from "./study.ts";
import { resolveTask } from "./task-choice.ts";

/** A model that texts, tasks and the clock can measure. */
export type MeasurableModel = LanguageModel & Pick<Model, "measureLatency" | "close">;

/** A model on the kernels, and the view of its checkpoint that was loaded. */
export interface LoadedModel {
  readonly quantized: Checkpoint;
  readonly model: MeasurableModel;
}

/** What an experiment needs from outside; resources.ts makes the real ones. */
export interface Resources {
  /** Name of the kernel set, and the type in which it computes. */
  readonly kernels: string;
  readonly computeType: string;
  readonly threads: number;
  readonly machine: string;
  /** Version of kbit. */
  readonly kbit: string;
  /** Opens a checkpoint that must have the hashes of the key; it stays open for the experiments to come. */
  openCheckpoint(path: string, key: ResultKey): Promise<Checkpoint>;
  /**
   * Quantizes a model to the experiment's spec and loads it onto the kernels. It stays loaded for the next tasks of the
   * same model and spec.
   */
  loadModel(checkpoint: Checkpoint, experiment: PlannedExperiment): Promise<LoadedModel>;
  /** Text of a file whose bytes must have this SHA-256. */
  readData(path: string, hash: string): Promise<string>;
  /** What `make` gives, made once for all experiments of the same key as long as there is room. */
  prepare<T extends Prepared>(key: string, make: () => Promise<T>): Promise<T>;
}

/** A text or documents, encoded and cut into requests. */
export type Prepared = PreparedText | PreparedTask;

/**
 * Measures one model at one spec on one task.
 *
 * @param onProgress - called with the share that is done, 0 to 1
 * @throws InputError if the model, the spec or the data cannot be used
 */
export async function runExperiment(
  experiment: PlannedExperiment,
  resources: Resources,
  onProgress: (share: number) => void = () => {},
): Promise<ResultRow> {
  const started = performance.now();
  const { id, key, model: choice, task } = experiment;

  const checkpoint = await resources.openCheckpoint(choice.path, key);
  const { quantized, model } = await resources.loadModel(checkpoint, experiment);
  const bits = await countBits(quantized); // after loading: by then the view knows the size of every codebook
  const { metrics, documents, profile } = isLatency(task)
    ? await time(model, task, key, resources, onProgress)
    : await evaluate(model, task, key, resources, onProgress);
  checkPlanned(key, profile, resources.computeType);
  return {
    id,
    key,
    model: { ...named(choice), ...countParameters(quantized) },
    bitsPerWeight: averageCodeBits(quantized),
    bits,
    metrics: checkMetrics(metrics, experiment),
    ...(documents && { documents }),
    paths: { model: shortenPath(choice.path), data: task.data && shortenPath(task.data), ...ownTask(task) },
    kernels: resources.kernels,
    seconds: (performance.now() - started) / 1000,
    machine: resources.machine,
    kbit: resources.kbit,
    date: new Date().toISOString(),
  };
}

/** Times the model, on the machine, kernels and threads that the key stands for. */
async function time(
  model: MeasurableModel,
  { context, batch }: LatencyChoice,
  key: ResultKey,
  { machine, kernels, threads }: Resources,
  onProgress: (share: number) => void,
): Promise<Evaluation> {
  const here = createHash("sha256")
    .update(nameTimer(machine, kernels, threads))
    .digest("hex");
  if (here !== key.dataHash)
    throw new Error(`planned for another machine than ${nameTimer(machine, kernels, threads)}`);
  const { milliseconds: value, standardError, steps: n } = await model.measureLatency({ context, batch, onProgress });
  return { metrics: { msPerToken: { value, standardError, n } }, profile: key.profile };
}

/** Metrics, documents where there are any, and the convention under which they were measured. */
type Evaluation = Pick<ResultRow, "metrics" | "documents"> & { readonly profile: string };

/** Scores the model; the profile is the convention under which that was done. */
async function evaluate(
  model: LanguageModel,
  choice: Exclude<TaskChoice, LatencyChoice>,
  key: ResultKey,
  resources: Resources,
  report: (share: number) => void,
): Promise<Evaluation> {
  const limit = choice.limit ?? undefined;
  const prepare = <T extends Prepared>(make: (text: string) => T) =>
    resources.prepare(namePrepared(model, key), async () => make(await resources.readData(choice.data, key.dataHash)));
  if (choice.task === "perplexity") {
    const { convention, window, stride } = choice as PerplexityChoice;
    const prepared = await prepare((text) => prepareText(model, text, { convention, window, stride, limit }));
    const result = await scoreText(model, prepared, (done, total) => report(done / total));
    const { convention: profile } = result;
    return { metrics: listPerplexityMetrics(result), documents: listPerplexityDocuments(result), profile };
  }
  const { profile } = choice as ZeroShotChoice;
  const prepared = await prepare((text) => {
    const task = resolveTask(choice);
    const read = countRead(findProfile(profile), limit);
    const documents = parseDocuments(text, task.fields, choice.data, read, (document, where) => {
      makePrompt(task, document, where);
    });
    return prepareTask(model, task, documents, { profile, limit });
  });
  const onProgress: TaskOptions["onProgress"] = (phase, done, total) => phase === "score" && report(done / total);
  const result = await scoreTask(model, prepared, { onProgress });
  const metrics = addChance(result.metrics, result.chance);
  const documents = listDocumentValues(prepared.task.metrics, result.documents);
  return { metrics, documents, profile: result.profile };
}

/** Everything that tokens and requests depend on. */
function namePrepared({ maxLength, bosToken, eosToken }: LanguageModel, key: ResultKey): string {
  const { tokenizerHash, dataHash, task, taskVersion, profile, limit } = key;
  return JSON.stringify([tokenizerHash, maxLength, bosToken, eosToken, dataHash, task, taskVersion, profile, limit]);
}

/** What a row says of its model beside the counts. */
function named({ name, family, trainingTokens, seed }: ModelChoice) {
  return { name, family, ...(trainingTokens !== undefined && { trainingTokens }), ...(seed !== undefined && { seed }) };
}

/** Accuracies with what guessing scores beside them. */
function addChance(metrics: ResultRow["metrics"], chance: number | undefined): ResultRow["metrics"] {
  if (chance === undefined) return metrics;
  const add = ([name, metric]: [string, Metric]) => [name, name.startsWith("acc") ? { ...metric, chance } : metric];
  return Object.fromEntries(Object.entries(metrics).map(add));
}

/** A path as it can be given again from the same folder; one that leads out of it stays absolute, a Hub id as it is. */
function shortenPath(path: string): string {
  const short = isAbsolute(path) ? relative(process.cwd(), path) : path;
  return short === "" || short === ".." || short.startsWith(`..${sep}`) ? path : short;
}

/** The file of a task of the user's own. */
function ownTask(choice: TaskChoice): { task?: string } {
  return "definition" in choice && choice.definition ? { task: shortenPath(choice.definition.path) } : {};
}

/** What was planned and what was done are named apart, so that a change of one alone shows here. */
function checkPlanned(key: ResultKey, profile: string, computeType: string): void {
  if (profile !== key.profile) throw new Error(`planned for ${key.profile}, measured by ${profile}`);
  if (computeType !== key.computeType) throw new Error(`planned for ${key.computeType}, measured in ${computeType}`);
}

/** The metrics as they are. @throws InputError if one is not a number: such a row would poison every curve. */
function checkMetrics(metrics: ResultRow["metrics"], { model, spec, task }: PlannedExperiment) {
  const bad = Object.keys(metrics).find((name) => Number.isNaN(metrics[name].value));
  if (bad === undefined) return metrics;
  throw new InputError(`${model.name} at ${spec.text} on ${task.task} gives no number for ${bad}.`);
}
