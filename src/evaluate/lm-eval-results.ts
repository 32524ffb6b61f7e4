// Results in the shape of lm-eval's result JSON, which many programs parse: the same keys wherever kbit knows the value.
// It leaves out what describes the harness's own environment (git hash, torch, pretty_env_info, task YAML).

import { metricDirections } from "./metrics.ts";
import type { Task, TaskResult } from "./task.ts";

/** What the document says about the run besides its results. */
export interface RunFacts {
  /** Model, as named on the command line, and its spec. */
  readonly model: string;
  readonly modelArgs: string;
  readonly parameters: number;
  readonly computeType: string;
  readonly weightsHash?: string;
  readonly maxLength: number;
  readonly limit: number | undefined;
  readonly bootstrapIterations: number;
  readonly profile: string;
  /** Version of kbit. */
  readonly kbit: string;
  readonly started: Date;
  readonly seconds: number;
}

const outputTypes = { continuation: "loglikelihood", choice: "multiple_choice", rolling: "loglikelihood_rolling" };

/** The document; a standard error that is not defined is `"N/A"`, as there. */
export function listLmEvalResults(
  results: readonly {
    readonly task: Task;
    readonly result: TaskResult;
    readonly documentsInFile: number;
    /** The files of the documents. */
    readonly sources?: readonly { readonly file: string; readonly sha256: string }[];
  }[],
  facts: RunFacts,
): Record<string, unknown> {
  const byTask = <T>(value: (entry: (typeof results)[number]) => T) =>
    Object.fromEntries(results.map((entry) => [entry.task.name, value(entry)]));
  const seconds = facts.started.getTime() / 1000;
  return {
    results: byTask(({ task, result }) => ({
      name: task.name,
      alias: task.name,
      sample_len: result.documents.length,
      ...Object.fromEntries(
        Object.entries(result.metrics).flatMap(([name, { value, standardError }]) => [
          [`${name},none`, value],
          [`${name}_stderr,none`, standardError ?? "N/A"],
        ]),
      ),
    })),
    group_subtasks: {},
    configs: byTask(({ task }) => ({
      task: task.name,
      output_type: outputTypes[task.kind],
      num_fewshot: 0,
      metric_list: task.metrics.map((metric) => ({
        metric,
        higher_is_better: metricDirections[metric] === "up",
      })),
      metadata: { version: readVersion(task.version) },
    })),
    versions: byTask(({ task }) => readVersion(task.version)),
    "n-shot": byTask(() => 0),
    higher_is_better: byTask(({ task }) =>
      Object.fromEntries(task.metrics.map((metric) => [metric, metricDirections[metric] === "up"])),
    ),
    "n-samples": byTask(({ result, documentsInFile }) => ({
      original: documentsInFile,
      effective: result.documents.length,
    })),
    config: {
      model: "kbit",
      model_args: facts.modelArgs,
      model_num_parameters: facts.parameters,
      model_dtype: facts.computeType,
      model_sha: facts.weightsHash ?? "",
      batch_size: null,
      batch_sizes: [],
      device: "cpu",
      use_cache: null,
      limit: facts.limit ?? null,
      bootstrap_iters: facts.bootstrapIterations,
      gen_kwargs: null,
    },
    date: seconds,
    max_length: facts.maxLength,
    model_source: "kbit",
    model_name: facts.model,
    model_name_sanitized: facts.model.replaceAll(/["<>:/|\\?*[\]]+/g, "__"),
    start_time: seconds,
    end_time: seconds + facts.seconds,
    total_evaluation_time_seconds: String(facts.seconds),
    kbit: { version: facts.kbit, profile: facts.profile, data: byTask(({ sources }) => sources ?? []) },
  };
}

/** A version is a number there, if it is one. */
function readVersion(version: string): number | string {
  const value = Number(version);
  return version.trim() !== "" && Number.isFinite(value) ? value : version;
}
