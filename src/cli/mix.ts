// kbit mix: which matrix of a model at which spec, within a budget. Every choice is measured alone, the best assignment is
// solved for, and the model it makes is measured against the best that has one spec throughout.

import { existsSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Command } from "commander";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { planText } from "../evaluate/conventions.ts";
import { InputError } from "../input-error.ts";
import { mapFile } from "../kernels/native/addon-node.ts";
import { selectQuantizer } from "../kernels/quantizer-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import type { LanguageModel } from "../language-model.ts";
import { loadModel } from "../model/load.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import { asStored, type MatrixSpec, type Spec } from "../quantize/spec.ts";
import { expandSpecs } from "../study/grid.ts";
import { checkBudget, countFileBytes, findMix } from "./mix-find.ts";
import { type Grouping, groupings, listGroups } from "./mix-groups.ts";
import { openMeasurements } from "./mix-measure.ts";
import { describeStored, formatMixPage } from "./mix-page.ts";
import { parseWhole } from "./open-model.ts";
import { readSpec, readSpecFile } from "./read-spec.ts";
import { readTextFile } from "./read-text.ts";
import { parseBytes } from "./size.ts";
import { printJson, printLine, printNote } from "./terminal.ts";

interface MixOptions {
  readonly text: string;
  readonly specs: string;
  readonly budget: string;
  readonly out: string;
  readonly by: string;
  readonly cost: string;
  readonly windows: number;
  readonly window?: number;
  readonly check?: string;
  readonly checkWindows: number;
  readonly measurements?: string;
  readonly threads?: number;
  readonly kernels?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Adds `kbit mix`. */
export function addMixCommand(program: Command): void {
  program
    .command("mix")
    .description("Find which matrix to keep at which spec within a budget, from what each costs alone.")
    .argument("<model>", "a folder, a weight file, or a Hub id")
    .requiredOption("--text <file>", "text on which the choices are measured")
    .requiredOption("--specs <list>", "what a matrix can be at, such as nf2-8:b64; :embed and :head put those up too")
    .requiredOption("--budget <size>", "bytes of the weights' file, such as 2MB, or a spec: as much as that takes")
    .requiredOption("--out <file>", "where to write the mix, such as mix.json")
    .option("--by <group>", `what gets one spec together: ${groupings.join(", ")}`, "matrix")
    .option("--cost <measure>", "what is kept low: divergence from the model as stored, or loss", "divergence")
    .option("--windows <n>", "windows of the text on which choices are measured", parseWhole("--windows"), 16)
    .option("--window <tokens>", "tokens a window (default: the model's, at most 2048)", parseWhole("--window"))
    .option("--check <file>", "text on which the mix is compared (default: the second half of the text)")
    .option("--check-windows <n>", "windows of that", parseWhole("--check-windows"), 64)
    .option("--measurements <file>", "where results are kept as they come (default: beside --out)")
    .option("--kernels <name>", "kernel set (default: the fastest)")
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--force", "replace the file at --out")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit mix models/books/books-0.8m --text models/books/heldout.txt --specs nf2-8:b64 --budget nf4:b64 --out mix.json
  kbit mix facebook/opt-350m --text wiki.txt --specs nf3-5:b64,nf4:b32:embed --budget 220MB --by part --out opt.json
The result is a spec: kbit eval MODEL --spec mix:mix.json --text FILE, kbit quantize MODEL --spec mix:mix.json --out FOLDER`,
    )
    .action(runMix);
}

async function runMix(model: string, options: MixOptions): Promise<void> {
  const { by, cost } = options;
  if (!groupings.some((name) => name === by)) throw new InputError(`--by takes ${groupings.join(", ")}, not "${by}".`);
  if (cost !== "divergence" && cost !== "loss") throw new InputError(`--cost takes divergence or loss, not "${cost}".`);
  checkOut(options.out, options.force ?? false);
  const specs = readSpecs(options.specs);
  const budgetSpec = readBudgetSpec(options.budget);
  const texts = await readTexts(options);
  const file = openMeasurements(options.measurements ?? `${options.out.replace(/\.json$/, "")}.measurements.jsonl`);

  const checkpoint = await openCheckpoint(model, { mapFile });
  const selection = { name: options.kernels ?? process.env["KBIT_KERNELS"], threads: options.threads };
  const kernels = await selectKernels(selection);
  const quantizer = await selectQuantizer(selection);
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    const groups = await listGroups(checkpoint, specs, by as Grouping);
    if (groups.length === 0) throw new InputError(`--specs ${options.specs} quantizes nothing of ${model}.`);
    const budget = budgetSpec ? await countFileBytes(checkpoint, budgetSpec) : parseBytes(options.budget, "--budget");
    await checkBudget(checkpoint, groups, specs, budget);
    const storedBytes = await countFileBytes(checkpoint, asStored);
    const note = describeStored({ storedBytes, budget });
    if (note) printNote(`Note: ${note}`); // before minutes of measuring
    const base = await loadModel(quantizeCheckpoint(checkpoint, asStored), kernels);
    try {
      checkWindows(base, texts.check, options);
      const { window, windows: limit } = options;
      const bench = { checkpoint, base, kernels, quantize: quantizer.quantize, text: texts.measure, window, limit };
      const check = { ...bench, text: texts.check, limit: options.checkWindows };
      const { page, map } = await findMix(bench, check, { groups, specs, budget, storedBytes, file, cost });
      writeWhole(options.out, `${JSON.stringify(map, null, 2)}\n`);
      const summary = { model, out: options.out, by, ...page };
      if (options.json) printJson(summary);
      else printLine(formatMixPage(summary));
    } finally {
      await base.close();
    }
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await quantizer.close();
    await kernels.close();
    await checkpoint.close();
  }
}

/** Each measurement is on the disk already, so that nothing is lost by leaving at once. */
function interrupt(): void {
  if (process.stderr.isTTY) printNote(""); // below the bar
  printNote("Interrupted; the same command goes on where it was.");
  process.exit(130);
}

/** The spec of a budget that is not in bytes. @throws InputError if it is neither */
function readBudgetSpec(budget: string): Spec | undefined {
  if (/^[-+]?[\d.]/.test(budget.trim())) return undefined;
  try {
    return readSpec(budget);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`--budget takes a size such as 2MB, or a spec; ${error.message}`);
  }
}

/** @throws InputError for what is no spec, or a mix */
function readSpecs(list: string): MatrixSpec[] {
  const { specs } = expandSpecs(list.split(","), readSpecFile, (_, sentence) => new InputError(`--specs: ${sentence}`));
  return specs.map(({ text, spec }) => {
    if (spec.kind === "mix") throw new InputError(`--specs: ${text} is itself a mix; write its specs out.`);
    return spec;
  });
}

/** The text to measure on and the one to compare on: two halves, cut at the end of a line, or two files. */
async function readTexts({ text, check }: MixOptions): Promise<{ measure: string; check: string }> {
  const whole = await readTextFile(text);
  if (check !== undefined) return { measure: whole, check: await readTextFile(check) };
  const end = whole.indexOf("\n", Math.floor(whole.length / 2)) + 1 || Math.floor(whole.length / 2);
  return { measure: whole.slice(0, end), check: whole.slice(end) };
}

/** Before hours of measuring. @throws InputError if the text to compare on makes no windows */
function checkWindows(model: LanguageModel, check: string, options: MixOptions): void {
  try {
    if (check === "") throw new InputError("The text is empty; give one with at least two tokens.");
    planText(model, check, { window: options.window, limit: options.checkWindows });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${options.check ?? `The second half of ${options.text}, to compare on`}: ${error.message}`);
  }
}

/** Before hours of measuring. */
function checkOut(path: string, force: boolean): void {
  if (!existsSync(dirname(path))) throw new InputError(`There is no folder ${dirname(path)} to write ${path} in.`);
  if (existsSync(path) && !force) {
    throw new InputError(`${basename(path)} is there already; give another --out, or --force to replace it.`);
  }
}

function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}
