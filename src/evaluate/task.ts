// A task scored on a model: documents -> prompts -> token pairs -> log-likelihoods -> metrics with standard errors.
// A task is data: which fields a document has, how it becomes a prompt, which metrics are reported.
// Encoding stands in profiles.ts, the model call in pairs.ts, the arithmetic of metrics in metrics.ts.

import { InputError } from "../input-error.ts";
import type { LanguageModel } from "../language-model.ts";
import type { Metric } from "../result.ts";
import type { Document, Fields } from "./documents.ts";
import {
  type DocumentScore,
  type MetricName,
  scoreChoices,
  scoreContinuation,
  scoreRolling,
  summarize,
} from "./metrics.ts";
import { isCut, isOverlong, type PairScore, type PreparedPairs, preparePairs, scorePairs } from "./pairs.ts";
import { createEncoder, type Encoder, findProfile, orderDocuments, type TokenPair } from "./profiles.ts";
import { mean } from "./sum.ts";
import { planRolling } from "./windows.ts";

/** A text to condition on and the text to score; no space is put between them. */
export interface TextPair {
  readonly context: string;
  readonly continuation: string;
}

/** Several pairs of which the `gold`-th is right; `choices` are the texts whose lengths normalize. */
export interface ChoicePrompt {
  readonly pairs: readonly TextPair[];
  readonly choices: readonly string[];
  /** Index from 0. */
  readonly gold: number;
}

/** A whole text, and the number of words and bytes that its perplexities are taken over. */
export interface RollingPrompt {
  readonly text: string;
  readonly words: number;
  readonly bytes: number;
}

/** What a document becomes. */
export type Prompt = TextPair | ChoicePrompt | RollingPrompt;

interface TaskShape<F extends Fields, Kind extends string, P> {
  readonly name: string;
  readonly version: string;
  /** File names in a data folder, the first that exists is read. */
  readonly files: readonly string[];
  /** Its documents on the Hugging Face Hub. */
  readonly hub?: { readonly name: string; readonly config?: string; readonly split: string };
  readonly kind: Kind;
  readonly fields: F;
  readonly metrics: readonly MetricName[];
  /** @throws InputError with half a sentence on what is wrong with the document; file and line are added */
  prompt(document: Document<F>): P;
}

/** A task over documents with the fields `F`. */
export type Task<F extends Fields = Fields> =
  | TaskShape<F, "continuation", TextPair>
  | TaskShape<F, "choice", ChoicePrompt>
  | TaskShape<F, "rolling", RollingPrompt>;

/** Types a task's prompt by its fields; the document that it is given has been checked against them. */
export function defineTask<const F extends Fields>(task: Task<F>): Task {
  return task as unknown as Task;
}

/** How to evaluate. */
export interface TaskOptions {
  /** Conventions of encoding, such as `lm-eval-0.4.9.2` (default) or `0.3`. */
  readonly profile?: string;
  /** Only the first so many documents, in the order of the profile. */
  readonly limit?: number;
  /** Resamples for the standard error of a perplexity, 100000 if absent; 0: none. */
  readonly bootstrapIterations?: number;
  /** Called while texts are encoded (documents), scored (tokens) and resampled (resamples). */
  readonly onProgress?: (phase: "encode" | "score" | "bootstrap", done: number, total: number) => void;
}

/** A task's scores. */
export interface TaskResult {
  readonly task: string;
  readonly version: string;
  /** Name of the profile. */
  readonly profile: string;
  readonly metrics: Readonly<Record<string, Metric>>;
  /** Accuracy of guessing: the mean of 1 / choices; 0 for a free continuation, absent without accuracy. */
  readonly chance?: number;
  /** Continuations longer than the model's window, which lm-eval refuses; they are scored in rolling windows. */
  readonly overlong: number;
  /** Documents of which the model does not see the beginning, since they are longer than its window; not of rolling tasks. */
  readonly cut: number;
  /** One for each document, in the order of the profile, for paired comparisons. */
  readonly documents: readonly DocumentScore[];
}

/** Documents made ready to score: what depends on tokenizer, documents and profile, but not on weights. */
export interface PreparedTask {
  readonly task: Task;
  readonly profile: string;
  /** Numbers of the documents from 0, in the order in which they are scored. */
  readonly order: readonly number[];
  readonly prompts: readonly Prompt[];
  readonly pairs: PreparedPairs;
  /** Pairs up to and including those of each document. */
  readonly ends: readonly number[];
  readonly overlong: number;
  readonly cut: number;
}

/**
 * Scores every document.
 *
 * @throws InputError if there are no documents or one cannot be scored, naming it by its number from 1
 */
export async function evaluateTask(
  model: LanguageModel,
  task: Task,
  documents: readonly Document[],
  options: TaskOptions = {},
): Promise<TaskResult> {
  return scoreTask(model, prepareTask(model, task, documents, options), options);
}

/** The first half of `evaluateTask`: models of one tokenizer and one maximum length share it. */
export function prepareTask(
  model: LanguageModel,
  task: Task,
  documents: readonly Document[],
  { profile: profileName, limit, onProgress }: TaskOptions = {},
): PreparedTask {
  const profile = findProfile(profileName);
  const order = orderDocuments(profile, documents.length).slice(0, limit);
  const chosen = order.map((number) => documents[number]);
  if (chosen.length === 0) throw new InputError(`There are no documents to evaluate ${task.name} on.`);

  const encoder = createEncoder(model, profile);
  const pairs: TokenPair[] = [];
  const ends: number[] = [];
  const prompts = chosen.map((document, index) => {
    const prompt = makePrompt(task, document, nameDocument(task, order[index]));
    pairs.push(...encodePrompt(prompt, encoder, model));
    ends.push(pairs.length);
    onProgress?.("encode", index + 1, chosen.length);
    return prompt;
  });
  const loses = (end: number, i: number) => pairs.slice(ends[i - 1] ?? 0, end).some((pair) => isCut(pair, model));
  return {
    task,
    profile: profile.name,
    prompts,
    pairs: preparePairs(model, pairs, (pair) => nameOwner(task, order, ends, pair)),
    order,
    ends,
    overlong: pairs.filter((pair) => isOverlong(pair, model)).length,
    cut: task.kind === "rolling" ? 0 : ends.filter(loses).length,
  };
}

/** The second half of `evaluateTask`. */
export async function scoreTask(
  model: LanguageModel,
  { task, profile, order, prompts, pairs, ends, overlong, cut }: PreparedTask,
  { onProgress, bootstrapIterations = 100000 }: TaskOptions = {},
): Promise<TaskResult> {
  const scores = await scorePairs(
    model,
    pairs,
    (pair) => nameOwner(task, order, ends, pair),
    onProgress && ((done, total) => onProgress("score", done, total)),
  );
  const documents = prompts.map((prompt, i) => scorePrompt(prompt, scores.slice(ends[i - 1] ?? 0, ends[i])));
  const metrics = await summarize(task.metrics, documents, bootstrapIterations, (done, total) =>
    onProgress?.("bootstrap", done, total),
  );
  const chance = task.kind === "rolling" ? undefined : mean(documents.map((document) => document.chance!));
  return { task: task.name, version: task.version, profile, metrics, chance, overlong, cut, documents };
}

function nameDocument(task: Task, index: number): string {
  return `document ${index + 1} of ${task.name}`;
}

/** The document of a pair. */
function nameOwner(task: Task, order: readonly number[], ends: readonly number[], pair: number): string {
  return nameDocument(task, order[ends.findIndex((end) => pair < end)]);
}

function encodePrompt(prompt: Prompt, encoder: Encoder, model: LanguageModel): TokenPair[] {
  if ("text" in prompt) return planRolling(encoder.encode(prompt.text), encoder.findPrefix(), model.maxLength);
  const pairs = "pairs" in prompt ? prompt.pairs : [prompt];
  return pairs.map(({ context, continuation }) => encoder.encodePair(context, continuation));
}

function scorePrompt(prompt: Prompt, scores: readonly PairScore[]): DocumentScore {
  if ("text" in prompt) return scoreRolling(scores, prompt.words, prompt.bytes);
  if ("pairs" in prompt) return scoreChoices(scores, prompt.choices, prompt.gold);
  return scoreContinuation(scores);
}

/**
 * The prompt of a document, checked.
 *
 * @param where - names the document in messages: "piqa.jsonl, line 3"
 * @throws InputError if the document makes no prompt
 */
export function makePrompt(task: Task, document: Document, where: string): Prompt {
  try {
    const prompt = task.prompt(document);
    if ("gold" in prompt && prompt.gold >= prompt.choices.length) {
      throw new InputError(`its answer is number ${prompt.gold} from 0, but it has ${prompt.choices.length} choices`);
    }
    return prompt;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const start = where.replace(/^document /, "Document ");
    throw new InputError(`${start} cannot be used: ${error.message}.`);
  }
}
