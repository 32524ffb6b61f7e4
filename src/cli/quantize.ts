// kbit quantize: a checkpoint to a packed one at a spec, tensor by tensor, on every core.

import { basename } from "node:path";
import type { Command } from "commander";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { writePackedCheckpoint } from "../checkpoint/write-packed-node.ts";
import { InputError } from "../input-error.ts";
import { selectQuantizer } from "../kernels/quantizer-node.ts";
import { countBits, countParameters } from "../model/count.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import { readTokenizerFiles } from "../model/tokenizer-files.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import { formatSize } from "../report/units.ts";
import { parseWhole } from "./open-model.ts";
import { readSpec } from "./read-spec.ts";
import { createProgress, formatSeconds, printJson, printLine, printNote } from "./terminal.ts";
import { describeWideRest } from "./wide-note.ts";

interface QuantizeCommandOptions {
  readonly spec: string;
  readonly out: string;
  readonly threads?: number;
  readonly force?: boolean;
  readonly allowNonfinite?: boolean;
  readonly json?: boolean;
}

/** Adds `kbit quantize`. */
export function addQuantizeCommand(program: Command): void {
  program
    .command("quantize")
    .description("Write a model at a spec: a packed checkpoint of exactly k bits a weight.")
    .argument("<model>", "a folder, a weight file, or a Hub id org/name[@revision]")
    .requiredOption("--spec <spec>", "what to quantize to, such as int4:b64")
    .requiredOption("--out <folder>", "where to write; must be empty or not there")
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--force", "replace the model in a folder that is not empty")
    .option("--allow-nonfinite", "quantize NaN and infinite weights as 0")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit quantize models/books/books-0.4m --spec float4:e2:b64 --out books-4bit
  kbit quantize facebook/opt-1.3b --spec nf4:b64:dq --out opt-1.3b-nf4`,
    )
    .action(runQuantize);
}

async function runQuantize(model: string, options: QuantizeCommandOptions): Promise<void> {
  const spec = readSpec(options.spec);
  const progress = createProgress(`Quantizing ${basename(model)}`);
  const checkpoint = await openCheckpoint(model, {
    onDownload: (fileName, done, total) => progress.update(done, total, fileName),
  });
  const threads = await selectQuantizer({ threads: options.threads, name: process.env["KBIT_KERNELS"] });
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const view = quantizeCheckpoint(checkpoint, spec, {
      allowNonfinite: options.allowNonfinite,
      quantize: threads.quantize,
    });
    const started = performance.now();
    const written = await writePackedCheckpoint(view, options.out, {
      force: options.force,
      signal: interruption.signal,
      readAhead: threads.threads,
      onProgress: (name, done, total) => progress.update(done, total, name),
    });
    const seconds = (performance.now() - started) / 1000;
    progress.finish();
    const parameters = countParameters(view);
    const bits = await countBits(view);
    const summary = {
      model,
      spec: formatSpec(spec),
      out: options.out,
      ...parameters,
      bits,
      totalModelBits: bits.total,
      bitsPerParameter: bits.total / parameters.parameters,
      ...written,
      warnings: [describeWideRest(view, bits, parameters), await describeTokenizer(checkpoint)].filter(
        (warning) => warning !== undefined,
      ),
      seconds,
      weightsPerSecond: parameters.quantizedParameters / seconds,
    };
    if (options.json) printJson(summary);
    else printSummary(summary);
  } catch (error) {
    progress.finish();
    if (!interruption.signal.aborted) throw error;
    process.exitCode = 130;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await threads.close();
    await checkpoint.close();
  }
}

/** A sentence if a checkpoint has no tokenizer that could be read later. */
async function describeTokenizer(checkpoint: Checkpoint): Promise<string | undefined> {
  try {
    if ((await readTokenizerFiles(checkpoint)).definition !== undefined) return undefined;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.message;
  }
  return "The model has no tokenizer that can be read; eval, generate and studies need its tokenizer.json in the folder.";
}

interface Summary {
  readonly warnings: readonly string[];
  readonly out: string;
  readonly spec: string;
  readonly parameters: number;
  readonly quantizedParameters: number;
  readonly bits: { readonly quantized: number; readonly nominalPerParameter: number };
  readonly totalModelBits: number;
  readonly bitsPerParameter: number;
  readonly files: readonly string[];
  readonly fileBytes: number;
  readonly seconds: number;
}

function printSummary(summary: Summary): void {
  const { out, spec, parameters, quantizedParameters, bits, files, fileBytes } = summary;
  printLine(
    `${out}: ${spec}, ${formatSize(8 * fileBytes)} in ${files.length === 1 ? "one file" : `${files.length} files`}`,
  );
  printLine(
    `${summary.bitsPerParameter.toFixed(3)} bits a parameter over all ${parameters.toLocaleString("en")} parameters` +
      (quantizedParameters === 0
        ? ""
        : `; ${(bits.quantized / quantizedParameters).toFixed(3)} over the ${quantizedParameters.toLocaleString("en")} ` +
          `quantized (nominal ${bits.nominalPerParameter.toFixed(3)})`),
  );
  printLine(`written in ${summary.seconds < 10 ? `${summary.seconds.toFixed(1)} s` : formatSeconds(summary.seconds)}`);
  for (const warning of summary.warnings) printNote(`Note: ${warning}`);
}
