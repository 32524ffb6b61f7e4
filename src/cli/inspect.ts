// kbit inspect: what a spec is, or what a model holds and what a spec makes of it.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { InputError } from "../input-error.ts";
import { selectQuantizer } from "../kernels/quantizer-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import type { Spec } from "../quantize/spec.ts";
import { describeMachine, formatMachine } from "./inspect-machine.ts";
import { describeModel } from "./inspect-model.ts";
import { describeOutliers, formatOutliers } from "./inspect-outliers.ts";
import { formatModel } from "./inspect-page.ts";
import { describeSpec, formatSpecPage } from "./inspect-spec.ts";
import { parseWhole } from "./open-model.ts";
import { readSpec } from "./read-spec.ts";
import { readTextFile } from "./read-text.ts";
import { createProgress, printJson, printLine } from "./terminal.ts";

interface InspectOptions {
  readonly spec?: string;
  readonly machine?: boolean;
  readonly all?: boolean;
  readonly outliers?: boolean;
  readonly text?: string;
  readonly window?: number;
  readonly limit?: number;
  readonly kernels?: string;
  readonly threads?: number;
  readonly allowNonfinite?: boolean;
  readonly json?: boolean;
}

/** Adds `kbit inspect`. */
export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description(
      "Show a spec (codebook, bits), a model (tensors, bits, and with --spec their errors), or this machine.",
    )
    .argument("[model or spec]", "a folder, a weight file, a Hub id, or a spec such as float4:e2:b64")
    .option("--spec <spec>", "what the model would be quantized to")
    .option("--machine", "which kernels run here, why others do not, and how fast memory and arithmetic are")
    .option("--all", "every tensor in a line of its own")
    .option("--outliers", "whether wide weights write large hidden states, with --text: the paper's Table 2")
    .option("--text <file>", "with --outliers: the text over which they are measured")
    .option(
      "--window <tokens>",
      "with --text: tokens a window (default: the model's, at most 2048)",
      parseWhole("--window"),
    )
    .option("--limit <n>", "with --text: only the first n windows (default: 16)", parseWhole("--limit"))
    .option("--kernels <name>", "with --outliers: kernel set (default: the fastest)")
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--allow-nonfinite", "quantize NaN and infinite weights as 0")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit inspect float4:e3
  kbit inspect --machine
  kbit inspect models/books/books-0.4m --spec int4:b64
  kbit inspect models/books/books-0.8m --outliers --text models/books/heldout.txt`,
    )
    .action(runInspect);
}

async function runInspect(target: string | undefined, options: InspectOptions): Promise<void> {
  if (options.outliers) return inspectOutliers(target, options);
  const misplaced = (["text", "window", "limit", "kernels"] as const).find((name) => options[name] !== undefined);
  if (misplaced) throw new InputError(`--${misplaced} goes with --outliers.`);
  if (options.machine) {
    if (target !== undefined) throw new InputError(`--machine shows this machine; leave out ${target}.`);
    const page = await describeMachine(options.threads);
    if (options.json) printJson(page);
    else printLine(formatMachine(page));
    return;
  }
  if (target === undefined) throw new InputError("Give a model or a spec to inspect, or --machine.");
  const spec = existsSync(target) ? undefined : trySpec(target);
  if (!spec) return inspectModel(target, options);
  if (options.spec !== undefined) throw new InputError(`--spec goes with a model, but ${target} is a spec.`);
  const page = describeSpec(spec);
  if (options.json) printJson(page);
  else printLine(formatSpecPage(page));
}

/** The spec that a text is; undefined if it is a Hub id. @throws InputError if it is neither */
function trySpec(text: string): Spec | undefined {
  try {
    return readSpec(text);
  } catch (error) {
    if (!(error instanceof InputError) || (text.includes("/") && !/^(file|mix):/.test(text))) return undefined;
    throw new InputError(`There is no file or folder ${text}, and as a ${error.message}`);
  }
}

async function inspectOutliers(model: string | undefined, options: InspectOptions): Promise<void> {
  const { text: file, window, limit = 16, threads, allowNonfinite } = options;
  if (model === undefined) throw new InputError("--outliers needs a model.");
  if (file === undefined) throw new InputError("--outliers needs the text that the model is to read; say --text FILE.");
  if (options.spec !== undefined) throw new InputError("--outliers looks at the model as stored; leave out --spec.");
  if (options.machine) throw new InputError("--machine shows this machine, --outliers a model; give one of them.");
  const text = await readTextFile(file);
  const progress = createProgress("Reading");
  const checkpoint = await openCheckpoint(model, {
    onDownload: (name, done, total) => progress.update(done, total, name),
  });
  const kernels = await selectKernels({ name: options.kernels ?? process.env["KBIT_KERNELS"], threads });
  try {
    const onProgress = (done: number, total: number) => progress.update(done, total, `${done} of ${total} windows`);
    const page = await describeOutliers(checkpoint, kernels, { file, text, window, limit, allowNonfinite, onProgress });
    progress.finish();
    if (options.json) printJson(page);
    else printLine(formatOutliers(page, options.all ?? false));
  } finally {
    progress.finish();
    await kernels.close();
    await checkpoint.close();
  }
}

async function inspectModel(model: string, options: InspectOptions): Promise<void> {
  const spec = options.spec === undefined ? undefined : readSpec(options.spec);
  const progress = createProgress("Inspecting");
  const checkpoint = await openCheckpoint(model, {
    onDownload: (name, done, total) => progress.update(done, total, name),
  });
  const threads = await selectQuantizer({ threads: options.threads, name: process.env["KBIT_KERNELS"] });
  try {
    const page = await describeModel(checkpoint, spec, {
      allowNonfinite: options.allowNonfinite,
      quantize: threads.quantize,
      onProgress: (name, done, total) => progress.update(done, total, name),
    });
    progress.finish();
    if (options.json) printJson(page);
    else printLine(formatModel(page, options.all ?? false, Math.min(process.stdout.columns ?? 100, 100)));
  } finally {
    progress.finish();
    await threads.close();
    await checkpoint.close();
  }
}
