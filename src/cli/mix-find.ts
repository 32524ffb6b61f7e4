// How kbit mix comes to its answer: each choice measured alone, the least sum within the budget, and the model that it makes
// compared with the best uniform spec on other windows.

import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { countHeaderBytes } from "../checkpoint/write-packed-node.ts";
import { InputError } from "../input-error.ts";
import { averageCodeBits, countBits } from "../model/count.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import { asStored, type MatrixSpec, type Spec } from "../quantize/spec.ts";
import { formatMix, formatSpec } from "../quantize/spec-text.ts";
import { type MixSolution, solveMix } from "../scaling/mix-solver.ts";
import { assembleMix, type GroupOption, isolateGroup, type MixGroup } from "./mix-groups.ts";
import { type Bench, compareSpecs, createMeter, type Measurement, type MeasurementFile } from "./mix-measure.ts";
import type { MixPage, UniformChoice } from "./mix-page.ts";
import { createProgress, type Progress } from "./terminal.ts";

/** What is asked for. */
export interface Question {
  readonly groups: readonly MixGroup[];
  readonly specs: readonly MatrixSpec[];
  readonly budget: number;
  /** Bytes of the model's file as it is stored. */
  readonly storedBytes: number;
  readonly file: MeasurementFile;
  readonly cost: keyof Measurement;
}

/** Milliseconds between lines that say how far it is where there is no bar. */
const plainMs = 10_000;

/** Measures what each choice costs alone, solves, and compares what comes of it with the best uniform spec. */
export async function findMix(bench: Bench, check: Bench, question: Question) {
  const { groups, specs, budget, storedBytes, file, cost } = question;
  const { checkpoint } = bench;
  const meter = await createMeter(bench, file);
  const progress = createProgress("Measuring", process.stderr, plainMs);
  try {
    const alone = await measureAlone(groups, meter, progress);
    const choices = [...alone.keys()].filter(({ spec }) => formatSpec(spec) !== "stored").length;
    const kept = meter.countKept(); // of the choices; the whole models that follow are no choices
    const costOf = (option: GroupOption) => alone.get(option)![cost] ?? Number.POSITIVE_INFINITY;
    const uniform: (UniformChoice & { options: readonly GroupOption[] })[] = [];
    for (const [i, spec] of specs.entries()) {
      const at = formatSpec(spec);
      progress.update(i, specs.length, `all at ${at}`);
      const measured = await meter.measure(spec, { label: "all", at });
      const options = groups.map((group) => group.options.find(({ of }) => of.includes(i))!);
      const predicted = options.reduce((sum, option) => sum + costOf(option), 0);
      uniform.push({ spec: at, bytes: await countFileBytes(checkpoint, spec), predicted, ...measured, options });
    }
    const solution = await solveWithin(checkpoint, groups, specs, costOf, budget);
    // One spec throughout needs no map in its file's header, so that it may fit where no mix does.
    const plain = uniform.filter(({ bytes, predicted }) => bytes <= budget && predicted <= solution.cost);
    const picked =
      plain.length > 0
        ? plain.reduce((a, b) => (b.predicted < a.predicted ? b : a)).options
        : groups.map((group, g) => group.options[solution.choice[g]]);
    const predicted = picked.reduce((sum, option) => sum + costOf(option), 0);
    const mixSpec = assemble(groups, picked, specs);
    const measured = await meter.measure(mixSpec, { label: "mix", at: formatSpec(mixSpec) });
    const best = pickUniform(uniform, budget, cost);
    const page: MixPage = {
      mix: formatSpec(mixSpec),
      cost,
      budget,
      bytes: await countFileBytes(checkpoint, mixSpec),
      storedBytes,
      bitsPerWeight: averageCodeBits(quantizeCheckpoint(checkpoint, mixSpec)),
      measuredOn: { windows: meter.windows, tokens: meter.tokens, choices, kept },
      solution: {
        predicted,
        bound: Math.min(predicted, solution.bound),
        relaxedBound: Math.min(predicted, solution.relaxedBound),
        isOptimal: solution.isOptimal,
      },
      measured,
      uniform: uniform.map(({ options: _, ...one }) => one),
      best: best?.spec ?? null,
      groups: groups.map(({ label, matrices, options }, g) => ({
        label,
        layer: matrices[0].role.layer,
        spec: formatSpec(picked[g].spec),
        bytes: picked[g].bytes,
        options: options.map((option) => ({
          spec: formatSpec(option.spec),
          bytes: option.bytes,
          ...alone.get(option)!,
        })),
      })),
      check: await compareChoices(check, mixSpec, best && specs[uniform.indexOf(best)], progress),
    };
    return { page, map: describeMap(mixSpec) };
  } finally {
    progress.finish();
  }
}

type Meter = Awaited<ReturnType<typeof createMeter>>;

function assemble(groups: readonly MixGroup[], options: readonly GroupOption[], list: readonly MatrixSpec[]): Spec {
  return assembleMix(
    groups,
    options.map(({ spec }) => spec),
    list,
  );
}

/** What stands in a mix's file. */
function describeMap(spec: Spec): Record<string, string> {
  return spec.kind === "mix" ? JSON.parse(formatMix(spec)) : { default: formatSpec(spec) };
}

/** What each option of each group costs while all else is as stored. */
async function measureAlone(
  groups: readonly MixGroup[],
  meter: Meter,
  progress: Progress,
): Promise<Map<GroupOption, Measurement>> {
  const choices = groups.flatMap((group) => group.options.map((option) => ({ group, option })));
  const alone = new Map<GroupOption, Measurement>();
  for (const [i, { group, option }] of choices.entries()) {
    const at = formatSpec(option.spec);
    progress.update(i, choices.length, `${group.label} at ${at}`);
    const nothing = { divergence: 0, loss: 0 };
    const measure = () => meter.measure(isolateGroup(group, option.spec), { label: group.label, at });
    alone.set(option, at === "stored" ? nothing : await measure());
  }
  return alone;
}

/** Mix and uniform spec on other windows: against the model as stored, and against each other. */
async function compareChoices(
  check: Bench,
  mix: Spec,
  uniform: MatrixSpec | undefined,
  progress: Progress,
): Promise<MixPage["check"]> {
  let done = 0;
  const compare = (base: Spec, other: Spec) => {
    progress.update(done++, 3, "comparing on other windows");
    return compareSpecs(check, base, other);
  };
  return {
    mix: await compare(asStored, mix),
    ...(uniform &&
      uniform !== mix && {
        uniform: await compare(asStored, uniform),
        mixToUniform: await compare(uniform, mix),
      }),
  };
}

/** The uniform spec of least measured cost within the budget. */
function pickUniform<T extends UniformChoice>(uniform: readonly T[], budget: number, cost: keyof Measurement) {
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
  specs: readonly MatrixSpec[],
  costOf: (option: GroupOption) => number,
  budget: number,
): Promise<MixSolution> {
  const options = groups.map((group) => group.options.map((option) => ({ bytes: option.bytes, cost: costOf(option) })));
  let overhead = 0;
  for (;;) {
    const solution = solveMix(options, budget - overhead);
    if (!solution) throw new InputError(`No choice that was measured fits ${budget} bytes; give a larger --budget.`);
    const picked = groups.map((group, g) => group.options[solution.choice[g]]);
    const bytes = await countFileBytes(checkpoint, assemble(groups, picked, specs));
    if (bytes <= budget) return solution;
    overhead = Math.max(overhead + 1, bytes - solution.bytes);
  }
}

/** @throws InputError if not even the smallest choice fits, before anything is measured */
export async function checkBudget(
  checkpoint: Checkpoint,
  groups: readonly MixGroup[],
  specs: readonly MatrixSpec[],
  budget: number,
): Promise<void> {
  const smallest = groups.map(({ options }) => options.reduce((a, b) => (b.bytes < a.bytes ? b : a)));
  const least = await countFileBytes(checkpoint, assemble(groups, smallest, specs));
  if (least > budget) {
    throw new InputError(
      `--budget is ${budget} bytes, but the smallest mix of these specs takes ${least}; give more, or smaller specs (:embed and :head too).`,
    );
  }
}

/** Bytes of the file that a model makes at a spec. */
export async function countFileBytes(checkpoint: Checkpoint, spec: Spec): Promise<number> {
  const view = quantizeCheckpoint(checkpoint, spec);
  return (await countBits(view)).total / 8 + countHeaderBytes(view);
}
