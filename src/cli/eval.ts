// kbit eval: perplexity of a text, or zero-shot tasks on local documents, of one model at one spec.

import type { Command } from "commander";
import { conventions } from "../evaluate/conventions.ts";
import { defaultProfile, profiles } from "../evaluate/profiles.ts";
import { tasks } from "../evaluate/tasks/index.ts";
import { InputError } from "../input-error.ts";
import type { EvalOptions } from "./eval-options.ts";
import { prepareTasks } from "./eval-tasks.ts";
import { prepareText } from "./eval-text.ts";
import { openModel, parseCompute, parseInputs, parseWhole } from "./open-model.ts";

/** Adds `kbit eval`. */
export function addEvalCommand(program: Command): void {
  program
    .command("eval")
    .description("Measure a model: perplexity of a text, or zero-shot tasks.")
    .argument("<model>", "a folder, a weight file, or a Hub id")
    .option("--spec <spec>", "quantize to this first, such as int4:b64 (default: the weights as stored)")
    .option("--text <file>", "perplexity of this text")
    .option("--column <name>", "the text is JSONL or Parquet (or hub:org/name#split): each row's field is a document")
    .option(
      "--window <tokens>",
      "tokens a window (default: the model's maximum length, at most 2048)",
      parseWhole("--window"),
    )
    .option("--stride <tokens>", "tokens from one window to the next (default: the window)", parseWhole("--stride"))
    .option("--convention <name>", `how to cut the text: ${conventions.join(", ")} (default: windows)`)
    .option("--tasks <names>", `comma-separated: ${Object.keys(tasks).join(", ")}, or a task file (.json, .ts)`)
    .option(
      "--data <path>",
      "folder of the tasks' documents, <task>.jsonl or .parquet; for one task also the file itself; hub: from the Hub",
    )
    .option("--profile <name>", `encode as ${Object.keys(profiles).join(", ")} (default: ${defaultProfile})`)
    .option("--limit <n>", "only the first n windows or documents", parseWhole("--limit"))
    .option("--kernels <name>", "kernel set (default: the fastest)")
    .option("--compute <type>", "type of the products: float32 (default) or bfloat16", parseCompute)
    .option("--inputs <type>", "round the inputs of products to float16, bfloat16, int8 or float8 first", parseInputs)
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--allow-nonfinite", "load weights that are NaN or infinite")
    .option("--output <file>", "also write the results of tasks as lm-eval writes them, in JSON")
    .option("--no-cache", "score everything again, and keep nothing (default: scores are kept in the user's cache)")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit eval models/books/books-0.4m --spec float4:e2:b64 --text models/books/heldout.txt --limit 100
  kbit eval MODEL --tasks lambada_openai,winogrande,hellaswag,piqa --data DIR
  kbit eval MODEL --tasks piqa --data hub:baber/piqa@main#validation
  kbit eval MODEL --text pile.parquet --column text --limit 100`,
    )
    .action(runEval);
}

async function runEval(path: string, options: EvalOptions): Promise<void> {
  if ((options.text === undefined) === (options.tasks === undefined)) {
    throw new InputError("kbit eval takes either --text FILE or --tasks NAMES; see kbit eval --help.");
  }
  if (options.column !== undefined && options.text === undefined) throw new InputError("--column goes with --text.");
  // Everything that can be wrong with the data is found before a model is loaded.
  const isText = options.text !== undefined && options.column === undefined;
  const run = isText ? await prepareText(options.text!, options) : await prepareTasks(options);
  const opened = await openModel(path, options);
  try {
    await run(opened);
  } finally {
    await opened.close();
  }
}
