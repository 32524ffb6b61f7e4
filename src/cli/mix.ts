// kbit mix: which matrix of a model at which spec, within a budget. Every choice is measured alone, the best assignment is
// solved for, and the model it makes is measured against the best that has one spec throughout.

import { existsSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Command } from "commander";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { countHeaderBytes } from "../checkpoint/write-packed-node.ts";
import { InputError } from "../input-error.ts";
import { mapFile } from "../kernels/native/addon-node.ts";
import { selectKernels } from "../kernels/select-node.ts";
import { averageCodeBits, countBits } from "../model/count.ts";
import { loadModel } from "../model/load.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import type { MatrixSpec, MixSpec, Spec } from "../quantize/spec.ts";
import { formatMix, formatSpec } from "../quantize/spec-text.ts";
import { type MixSolution, solveMix } from "../scaling/mix-solver.ts";
import { expandSpecs } from "../study/grid.ts";
import { assembleMix, type Grouping, groupings, isolateGroup, listGroups, type MixGroup } from "./mix-groups.ts";
import { type Bench, compareSpecs, createMeter, type Measurement, openMeasurements } from "./mix-measure.ts";
import { formatMixPage, type MixPage, type UniformChoice } from "./mix-page.ts";
import { parseWhole } from "./open-model.ts";
import { readSpec, readSpecFile } from "./read-spec.ts";
import { readTextFile } from "./read-text.ts";
import { parseBytes } from "./size.ts";
import { createProgress, printJson, printLine } from "./terminal.ts";

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
  kbit eval models/books/books-0.8m --spec mix:mix.json --text models/books/heldout.txt`,
    )
    .action(runMix);
}

async function runMix(model: string, options: MixOptions): Promise<void> {
  const { by, cost } = options;
  if (!groupings.some((name) => name === by)) throw new InputError(`--by takes ${groupings.join(", ")}, not "${by}".`);
  if (cost !== "divergence" && cost !== "loss") throw new InputError(`--cost takes divergence or loss, not "${cost}".`);
  checkOut(options.out, options.force ?? false);
  const specs = readSpecs(options.specs);
  const budgetSpec = /^[\d.]/.test(options.budget) ? undefined : readSpec(options.budget);
  const texts = await readTexts(options);
  const file = openMeasurements(options.measurements ?? `${options.out.replace(/\.json$/, "")}.measurements.jsonl`);

  const checkpoint = await openCheckpoint(model, { mapFile });
  const kernels = await selectKernels({
    name: options.kernels ?? process.env["KBIT_KERNELS"],
    threads: options.threads,
  });
  try {
    const groups = await listGroups(checkpoint, specs, by as Grouping);
    if (groups.length === 0) throw new InputError(`--specs ${options.specs} quantizes nothing of ${model}.`);
    const budget = budgetSpec ? await countFileBytes(checkpoint, budgetSpec) : parseBytes(options.budget, "--budget");
    await checkBudget(checkpoint, groups, budget);
    const base = await loadModel(quantizeCheckpoint(checkpoint, { kind: "baseline", type: "stored" }), kernels);
    try {
      const bench = { checkpoint, base, kernels, text: texts.measure, window: options.window, limit: options.windows };
      const check = { ...bench, text: texts.check, limit: options.checkWindows };
      const page = await findMix(bench, check, { groups, specs, budget, file, cost });
      writeWhole(options.out, `${JSON.stringify(JSON.parse(formatMix(page.mixSpec)), null, 2)}\n`);
      const { mixSpec: _, ...rest } = page;
      const summary = { model, out: options.out, by, ...rest };
      if (options.json) printJson(summary);
      else printLine(formatMixPage(summary));
    } finally {
      await base.close();
    }
  } finally {
    await kernels.close();
    await checkpoint.close();
  }
}

/** What is asked for. */
interface Question {
  readonly groups: readonly MixGroup[];
  readonly specs: readonly MatrixSpec[];
  readonly budget: number;
  readonly file: ReturnType<typeof openMeasurements>;
  readonly cost: keyof Measurement;
}

async function findMix(bench: Bench, check: Bench, { groups, specs, budget, file, cost }: Question) {
  const { checkpoint } = bench;
  const meter = await createMeter(bench, file);
  const choices = groups.flatMap((group) => group.options.map(({ spec }) => ({ group, spec })));
  const isolated = choices.map(({ group, spec }) => ({
    ...describeAlone(group, spec),
    mix: isolateGroup(group, spec),
  }));
  const kept = isolated.filter(({ mix }) => meter.isKnown(mix)).length;
  const progress = createProgress("Measuring");
  const alone = new Map<string, Measurement>(); // by label and spec
  try {
    for (const [i, { label, at, mix }] of isolated.entries()) {
      progress.update(i, isolated.length + specs.length + 1, `${label} at ${at}`);
      const asIs = at === "stored" ? { divergence: 0, loss: 0 } : await meter.measure(mix, { label, at });
      alone.set(`${label} ${at}`, asIs);
    }
    const costOf = (group: MixGroup, spec: MatrixSpec) =>
      alone.get(`${group.label} ${formatSpec(spec)}`)?.[cost] ?? Number.POSITIVE_INFINITY;
    const uniform: UniformChoice[] = [];
    const predict = (i: number) =>
      groups.reduce((sum, group) => sum + costOf(group, group.options.find(({ of }) => of.includes(i))!.spec), 0);
    for (const [i, spec] of specs.entries()) {
      progress.update(isolated.length + i, isolated.length + specs.length + 1, formatSpec(spec));
      const at = formatSpec(spec);
      const measured = await meter.measure(spec, { label: "all", at });
      uniform.push({ spec: at, bytes: await countFileBytes(checkpoint, spec), predicted: predict(i), ...measured });
    }
    const solved = await solveWithin(checkpoint, groups, costOf, budget);
    const picked = groups.map((group, g) => group.options[solved.choice[g]].spec);
    const mixSpec = assembleMix(groups, picked);
    const measured = await meter.measure(mixSpec, { label: "mix", at: formatSpec(mixSpec) });
    progress.update(1, 1, "comparing");
    const best = pickUniform(uniform, budget, cost);
    const bestSpec = best && specs[uniform.indexOf(best)];
    const stored = { kind: "baseline", type: "stored" } as const;
    const page: MixPage & { mixSpec: MixSpec } = {
      mixSpec,
      mix: formatSpec(mixSpec),
      cost,
      budget,
      bytes: await countFileBytes(checkpoint, mixSpec),
      bitsPerWeight: averageCodeBits(quantizeCheckpoint(checkpoint, mixSpec)),
      measuredOn: { windows: meter.windows, tokens: meter.tokens, choices: isolated.length, kept },
      solution: {
        predicted: solved.cost,
        bound: solved.bound,
        relaxedBound: solved.relaxedBound,
        isOptimal: solved.isOptimal,
      },
      measured,
      uniform,
      best: best?.spec ?? null,
      groups: groups.map((group, g) => ({
        label: group.label,
        layer: group.matrices[0].role.layer,
        spec: formatSpec(picked[g]),
        bytes: group.options[solved.choice[g]].bytes,
        options: group.options.map(({ spec, bytes }) => ({
          spec: formatSpec(spec),
          bytes,
          ...alone.get(`${group.label} ${formatSpec(spec)}`)!,
        })),
      })),
      check: {
        mix: await compareSpecs(check, stored, mixSpec),
        ...(bestSpec && {
          uniform: await compareSpecs(check, stored, bestSpec),
          mixToUniform: await compareSpecs(check, bestSpec, mixSpec),
        }),
      },
    };
    return page;
  } finally {
    progress.finish();
  }
}

function describeAlone(group: MixGroup, spec: MatrixSpec): { label: string; at: string } {
  return { label: group.label, at: formatSpec(spec) };
}

/** The uniform spec of least measured cost within the budget. */
function pickUniform(uniform: readonly UniformChoice[], budget: number, cost: keyof Measurement) {
  const fitting = uniform.filter((one) => one.bytes <= budget && one[cost] !== null);
  if (fitting.length === 0) return undefined;
  return fitting.reduce((a, b) => (b[cost]! < a[cost]! ? b : a));
}

/**
 * The best choice whose file fits. A file's header depends a little on the choice, so it is first taken for that of the
 * smallest, and for the largest that was met where a choice turns out too large.
 */
async function solveWithin(
  checkpoint: Checkpoint,
  groups: readonly MixGroup[],
  costOf: (group: MixGroup, spec: MatrixSpec) => number,
  budget: number,
): Promise<MixSolution> {
  const options = groups.map((group) => group.options.map(({ spec, bytes }) => ({ bytes, cost: costOf(group, spec) })));
  let overhead = 0;
  for (;;) {
    const solution = solveMix(options, budget - overhead);
    if (!solution) throw new InputError(`No choice that was measured fits ${budget} bytes; give a larger --budget.`);
    const mix = assembleMix(
      groups,
      groups.map((group, g) => group.options[solution.choice[g]].spec),
    );
    const bytes = await countFileBytes(checkpoint, mix);
    if (bytes <= budget) return solution;
    overhead = Math.max(overhead + 1, bytes - solution.bytes);
  }
}

/** @throws InputError if not even the smallest choice fits, before anything is measured */
async function checkBudget(checkpoint: Checkpoint, groups: readonly MixGroup[], budget: number): Promise<void> {
  const smallest = groups.map(({ options }) => options.reduce((a, b) => (b.bytes < a.bytes ? b : a)).spec);
  const least = await countFileBytes(checkpoint, assembleMix(groups, smallest));
  if (least > budget) {
    throw new InputError(
      `--budget is ${budget} bytes, but the smallest mix of these specs takes ${least}; give more, or smaller specs (:embed and :head too).`,
    );
  }
}

/** Bytes of the file that a model makes at a spec. */
async function countFileBytes(checkpoint: Checkpoint, spec: Spec): Promise<number> {
  const view = quantizeCheckpoint(checkpoint, spec);
  return (await countBits(view)).total / 8 + countHeaderBytes(view);
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
