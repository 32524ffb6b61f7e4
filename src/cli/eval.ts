// kbit eval: perplexity of a text, or zero-shot tasks on local documents, of one model at one spec.

import { basename } from "node:path";
import type { Command } from "commander";
import { type Convention, conventions, measurePerplexity } from "../evaluate/perplexity.ts";
import { defaultProfile, findProfile, profiles } from "../evaluate/profiles.ts";
import { summarizeAccuracy } from "../evaluate/summary.ts";
import { formatTaskTable } from "../evaluate/table.ts";
import { evaluateTask, type TaskResult } from "../evaluate/task.ts";
import { tasks } from "../evaluate/tasks/index.ts";
import { InputError } from "../input-error.ts";
import { type ModelOptions, type OpenModel, openModel, parseWhole } from "./open-model.ts";
import { readTasks } from "./read-tasks.ts";
import { readTextFile } from "./read-text.ts";
import { createProgress, formatTable, printJson, printLine } from "./terminal.ts";

interface EvalOptions extends ModelOptions {
  readonly text?: string;
  readonly window?: number;
  readonly stride?: number;
  readonly convention?: string;
  readonly tasks?: string;
  readonly data?: string;
  readonly profile?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

/** Adds `kbit eval`. */
export function addEvalCommand(program: Command): void {
  program
    .command("eval")
    .description("Measure a model: perplexity of a text, or zero-shot tasks.")
    .argument("<model>", "a folder, a weight file, or a Hub id")
    .option("--spec <spec>", "quantize to this first, such as int4:b64 (default: the weights as stored)")
    .option("--text <file>", "perplexity of this text")
    .option(
      "--window <tokens>",
      "tokens a window (default: the model's maximum length, at most 2048)",
      parseWhole("--window"),
    )
    .option("--stride <tokens>", "tokens from one window to the next (default: the window)", parseWhole("--stride"))
    .option("--convention <name>", `how to cut the text: ${conventions.join(", ")} (default: windows)`)
    .option("--tasks <names>", `comma-separated: ${Object.keys(tasks).join(", ")}, or a task file .json`)
    .option("--data <path>", "folder of the tasks' documents, <task>.jsonl; for one task also the file itself")
    .option("--profile <name>", `encode as ${Object.keys(profiles).join(", ")} (default: ${defaultProfile})`)
    .option("--limit <n>", "only the first n windows or documents", parseWhole("--limit"))
    .option("--kernels <name>", "kernel set (default: the fastest)")
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--allow-nonfinite", "load weights that are NaN or infinite")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit eval models/books/books-0.4m --spec float4:e2:b64 --text models/books/heldout.txt --limit 100
  kbit eval MODEL --tasks lambada_openai,winogrande,hellaswag,piqa --data DIR`,
    )
    .action(runEval);
}

async function runEval(path: string, options: EvalOptions): Promise<void> {
  if ((options.text === undefined) === (options.tasks === undefined)) {
    throw new InputError("kbit eval takes either --text FILE or --tasks NAMES; see kbit eval --help.");
  }
  // Everything that can be wrong with the data is found before a model is loaded.
  const run = options.text === undefined ? await prepareTasks(options) : await prepareText(options.text, options);
  const opened = await openModel(path, options);
  try {
    await run(opened);
  } finally {
    await opened.close();
  }
}

async function prepareText(file: string, options: EvalOptions): Promise<(opened: OpenModel) => Promise<void>> {
  if (options.data !== undefined) throw new InputError("--data goes with --tasks, not with --text.");
  if (options.profile !== undefined && options.convention !== "rolling") {
    throw new InputError("--profile goes with --tasks, or with --text and --convention rolling.");
  }
  const text = await readTextFile(file);
  return async (opened) => {
    const progress = createProgress(`Perplexity of ${basename(file)}`);
    const started = performance.now();
    const { window, stride, limit, profile } = options;
    const result = await measurePerplexity(opened.model, text, {
      convention: options.convention as Convention | undefined,
      window,
      stride,
      limit,
      profile,
      onProgress: (done, total) => progress.update(done, total, `${done} of ${total} tokens`),
    }).finally(() => progress.finish());
    const seconds = (performance.now() - started) / 1000;
    if (options.json) {
      printJson({ ...describe(opened), text: file, limit: limit ?? null, ...result, seconds });
      return;
    }
    const { perplexity, nll, bitsPerByte, standardError } = result;
    const row = (name: string, value: number, slope: number) => [
      name,
      value.toFixed(4),
      standardError === undefined ? "" : `± ${(standardError * slope).toFixed(4)}`,
    ];
    const rows = [
      row("perplexity", perplexity, perplexity),
      row("nats a token", nll, 1),
      row("bits a byte", bitsPerByte, bitsPerByte / nll),
      ...(result.wordPerplexity === undefined ? [] : [["word perplexity", result.wordPerplexity.toFixed(4), ""]]),
      ...(result.bytePerplexity === undefined ? [] : [["byte perplexity", result.bytePerplexity.toFixed(4), ""]]),
    ];
    printLine(
      formatTable([{ title: "metric" }, { title: "value", align: "right" }, { title: "standard error" }], rows),
    );
    printLine(
      `\n${result.convention}, ${result.tokens} tokens scored, ${Math.round(result.tokens / seconds)} a second`,
    );
    printLine(summarizeModel(opened));
  };
}

async function prepareTasks(options: EvalOptions): Promise<(opened: OpenModel) => Promise<void>> {
  for (const name of ["window", "stride", "convention"] as const) {
    if (options[name] !== undefined) throw new InputError(`--${name} goes with --text, not with --tasks.`);
  }
  const profile = findProfile(options.profile);
  const chosen = await readTasks(options.tasks!, options.data, options.limit);
  return async (opened) => {
    const results: TaskResult[] = [];
    const started = performance.now();
    for (const { task, documents } of chosen) {
      const progress = createProgress(task.name);
      const result = await evaluateTask(opened.model, task, documents, {
        profile: profile.name,
        onProgress: (phase, done, total) => progress.update(done, total, phases[phase]),
      }).finally(() => progress.finish());
      results.push(result);
    }
    const summary = summarizeAccuracy(results);
    if (options.json) {
      printJson({
        ...describe(opened),
        profile: profile.name,
        limit: options.limit ?? null,
        results: Object.fromEntries(
          results.map(({ task, documents, profile: _, ...rest }) => [task, { ...rest, documents: documents.length }]),
        ),
        ...summary,
        seconds: (performance.now() - started) / 1000,
      });
      return;
    }
    printLine(formatTaskTable(results));
    if (summary) {
      const show = ({ value, standardError }: { value: number; standardError?: number }) =>
        `${value.toFixed(4)}${standardError === undefined ? "" : ` ± ${standardError.toFixed(4)}`}`;
      const { meanAccuracy, aboveChance } = summary;
      const count = meanAccuracy.n === 1 ? "1 task" : `${meanAccuracy.n} tasks`;
      printLine(
        `\nmean acc ${show(meanAccuracy)} over ${count}, ${show(aboveChance)} of the way from guessing to perfect`,
      );
    }
    for (const { task, overlong } of results.filter((result) => result.overlong > 0)) {
      const what = overlong === 1 ? "1 continuation is" : `${overlong} continuations are`;
      printLine(
        `${task}: ${what} longer than ${opened.model.maxLength} tokens and scored in windows; lm-eval refuses these`,
      );
    }
    printLine(`${profile.name}, ${summarizeModel(opened)}`);
  };
}

const phases = { encode: "encoding", score: "scoring", bootstrap: "resampling" };

/** What stands in every JSON document: the model, at which spec, how large, computed on what. */
export function describe({ model, checkpoint, spec, bits, parameters }: OpenModel) {
  return {
    model: checkpoint.source,
    spec,
    totalModelBits: bits.total,
    bitsPerParameter: bits.total / parameters.parameters,
    bits,
    ...parameters,
    kernels: model.kernels.name,
    computeType: model.kernels.computeType,
  };
}

function summarizeModel({ checkpoint, spec, bits, parameters }: OpenModel): string {
  const each = (bits.total / parameters.parameters).toFixed(3);
  return `${checkpoint.source} at ${spec}: ${bits.total} bits in all, ${each} a parameter`;
}
