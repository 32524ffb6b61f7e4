// Rows from the result document of lm-evaluation-harness: a row for each task that it has numbers of.
// What the document does not know of the model (family, precision, size) comes from outside, and is never guessed.

import { z } from "zod";
import { InputError } from "../../input-error.ts";
import type { Metric, ResultKey, ResultRow } from "../../result.ts";
import { hashKey } from "../result-id.ts";
import { type ImportedModel, type ImportedRun, nameRun } from "./imported-models.ts";

const anyRecord = z.record(z.string(), z.unknown());

const schema = z.looseObject({
  results: z.record(z.string(), anyRecord),
  versions: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
  "n-shot": anyRecord.optional(),
  "n-samples": z.record(z.string(), z.looseObject({ effective: z.int().positive() })).optional(),
  group_subtasks: z.record(z.string(), z.array(z.string())).optional(),
  task_hashes: z.record(z.string(), z.string()).optional(),
  config: z
    .looseObject({
      model: z.string().optional(),
      model_args: z.union([z.string(), anyRecord]).nullish(),
      model_num_parameters: z.number().nullish(),
      model_dtype: z.string().nullish(),
      model_sha: z.string().nullish(),
      limit: z.number().nullish(),
    })
    .optional(),
  model_name: z.string().nullish(),
  lm_eval_version: z.string().nullish(),
  date: z.number().nullish(),
});
type LmEvalDocument = z.infer<typeof schema>;

/**
 * The JSON of a document as Python writes it: `NaN` and `Infinity` stand bare there, and are texts here.
 *
 * @throws InputError if it is not JSON, or not such a document
 */
export function parseLmEval(text: string, fileName: string): unknown {
  const value = parseJson(text) ?? parseJson(text.replaceAll(/(:\s*)(NaN|-?Infinity)(?=\s*[,}\]])/g, '$1"$2"'));
  if (value === undefined) throw new InputError(`${fileName} is not JSON; it may be cut off.`);
  const isObject = typeof value === "object" && value !== null;
  if (isObject && "results" in value && ("versions" in value || "config" in value)) return value;
  throw new InputError(`${fileName} is no result of lm-eval: it has no "results" with their "config".`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The rows of a document.
 *
 * @param value - its JSON
 * @param fileName - its name without folder, which stands in every row
 * @param fallbackDate - of the file, where the document has none
 * @param describe - what is known of the model
 * @throws InputError if it is not such a document, holds no task, or something is missing that was not said either
 */
export function readLmEval(
  value: unknown,
  fileName: string,
  fallbackDate: Date,
  describe: (run: ImportedRun) => ImportedModel,
): ResultRow[] {
  const { data: document, error } = schema.safeParse(value);
  if (error) {
    const [issue] = error.issues;
    throw new InputError(`${fileName} is no result of lm-eval: ${issue.path.join(".")}: ${issue.message}.`);
  }
  const { config = {} } = document;
  const args = typeof config.model_args === "string" ? config.model_args : listArgs(config.model_args ?? {});
  const model = document.model_name || /(?:^|,)pretrained=([^,]+)/.exec(args)?.[1] || config.model || "";
  const run: ImportedRun = { model, args, file: fileName };
  const known = describe(run);
  const rows = Object.entries(document.results).flatMap(([task, values]) => {
    const isGroup = (document.group_subtasks?.[task]?.length ?? 0) > 0; // its tasks stand beside it
    const found = isGroup ? [] : readMetrics(values);
    return found.length === 0 ? [] : [buildRow(document, task, found, run, known, fallbackDate)];
  });
  if (rows.length === 0) throw new InputError(`${fileName} holds no task with a metric; nothing is imported.`);
  return rows;
}

function listArgs(args: Record<string, unknown>): string {
  return Object.entries(args)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(",");
}

/** `acc,none` with `acc_stderr,none`; the filter stays in the name unless it is `none`. */
function readMetrics(values: Record<string, unknown>): [name: string, metric: Omit<Metric, "n">][] {
  return Object.entries(values).flatMap(([key, value]) => {
    const [, name, filter] = /^([\w-]+?),([\w-]+)$/.exec(key) ?? [];
    const read = value === "Infinity" ? Number.POSITIVE_INFINITY : value; // a perplexity of what is ruined
    if (name === undefined || name.endsWith("_stderr") || typeof read !== "number") return [];
    const standardError = values[`${name}_stderr,${filter}`];
    const metric = typeof standardError === "number" ? { value: read, standardError } : { value: read };
    return [[filter === "none" ? name : `${name},${filter}`, metric]];
  });
}

/** Bits that a parameter may take in all: a model in 32 bits with room to spare, and what no quantization stays below. */
const sizeBounds = { least: 1, most: 40 };

/** @throws InputError if a model of so many parameters cannot have the size that is said */
function checkSize(known: ImportedModel, parameters: number): void {
  const each = known.totalBits / parameters;
  const { least, most } = sizeBounds;
  if (each >= least && each <= most) return;
  throw new InputError(
    `The size said of ${nameRun(known)}, ${known.totalBits / 8} bytes, is ${Number(each.toPrecision(3))} bits for each of its ${parameters} parameters; expected ${least} to ${most}. It is bytes of all weights as stored.`,
  );
}

function buildRow(
  document: LmEvalDocument,
  task: string,
  found: [string, Omit<Metric, "n">][],
  { model, file }: ImportedRun,
  known: ImportedModel,
  fallbackDate: Date,
): ResultRow {
  const { config = {}, lm_eval_version: version } = document;
  const n = document["n-samples"]?.[task]?.effective ?? known.documents?.[task];
  if (n === undefined)
    throw new InputError(
      `${file} does not say over how many documents ${task} is (lm-eval since 0.4.3 does); say documents: { ${task}: N } for ${nameRun(known)} in the file of --models.`,
    );
  const parameters = known.parameters ?? (config.model_num_parameters || undefined);
  if (parameters === undefined || parameters <= 0)
    throw new InputError(
      `${file} does not say how many parameters ${model} has; say parameters: N for ${nameRun(known)} (--parameters N).`,
    );
  checkSize(known, parameters);
  const shots = document["n-shot"]?.[task] ?? 0;
  const key: ResultKey = {
    weightsHash: `lm-eval:${model}${config.model_sha ? `@${config.model_sha}` : ""}`,
    configHash: "",
    tokenizerHash: "",
    spec: known.spec,
    task,
    taskVersion: String(document.versions?.[task] ?? ""),
    dataHash: document.task_hashes?.[task] ?? "",
    limit: config.limit ? n : null,
    profile: `lm-eval${version ? `-${version}` : ""}${shots === 0 ? "" : `-${shots}-shot`}`,
    computeType: config.model_dtype?.replace(/^torch\./, "") ?? "",
    versions: { quantizer: 0, model: 0, task: 0 },
  };
  return {
    id: hashKey(key),
    key,
    model: {
      name: known.name,
      family: known.family,
      parameters,
      nonEmbeddingParameters: known.nonEmbeddingParameters ?? Number.NaN,
      quantizedParameters: known.quantizedParameters ?? Number.NaN,
      ...(known.trainingTokens !== undefined && { trainingTokens: known.trainingTokens }),
    },
    bitsPerWeight: known.bits,
    bits: {
      total: known.totalBits,
      nonEmbedding: Number.NaN,
      quantized: Number.NaN,
      nominalPerParameter: Number.NaN,
    },
    metrics: Object.fromEntries(found.map(([name, metric]) => [name, { ...metric, n }])),
    kernels: "",
    seconds: Number.NaN,
    machine: "",
    kbit: "",
    date: (document.date ? new Date(document.date * 1000) : fallbackDate).toISOString(),
    imported: `lm-eval${version ? ` ${version}` : ""}, ${file}`,
  };
}
