// kbit compare: is one model worse than another here? Both run over the same text and tasks; no file of logits is made.

import { basename } from "node:path";
import type { Command } from "commander";
import { compareResults, type TaskComparison } from "../evaluate/compare/task.ts";
import { compareOnText, type TextComparison } from "../evaluate/compare/text.ts";
import type { Mean, Spread } from "../evaluate/compare/tokens.ts";
import { describeComparison } from "../evaluate/compare/verdict.ts";
import { type Convention, conventions } from "../evaluate/conventions.ts";
import { countRead, defaultProfile, findProfile, profiles } from "../evaluate/profiles.ts";
import { evaluateTask } from "../evaluate/task.ts";
import { tasks } from "../evaluate/tasks/index.ts";
import { InputError } from "../input-error.ts";
import type { InputType } from "../kernels/kernels.ts";
import { formatPlural } from "../report/units.ts";
import { describe } from "./describe-model.ts";
import { type ModelOptions, type OpenModel, openModel, parseCompute, parseInputs, parseWhole } from "./open-model.ts";
import type { DataSource } from "./read-data.ts";
import { type ChosenTask, readTasks } from "./read-tasks.ts";
import { readHashedText } from "./read-text.ts";
import { type Column, createProgress, formatTable, paint, printJson, printLine } from "./terminal.ts";

interface CompareOptions extends ModelOptions {
  readonly baseSpec?: string;
  readonly baseInputs?: InputType;
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

/** Adds `kbit compare`. */
export function addCompareCommand(program: Command): void {
  program
    .command("compare")
    .description("Is one model worse than another here? Both over the same text or tasks, with error bars.")
    .argument("<base>", "the model to compare with: a folder, a weight file, or a Hub id")
    .argument("[other]", "the model in question (default: the base, at --spec)")
    .option("--base-spec <spec>", "quantize the base to this first (default: as stored)")
    .option("--spec <spec>", "quantize the other to this first, such as int4:b64 (default: as stored)")
    .option("--text <file>", "perplexity and KL divergence on this text")
    .option("--window <tokens>", "tokens a window (default: what both can take, at most 2048)", parseWhole("--window"))
    .option("--stride <tokens>", "tokens from one window to the next (default: the window)", parseWhole("--stride"))
    .option("--convention <name>", `how to cut the text: ${conventions.join(", ")} (default: windows)`)
    .option("--tasks <names>", `comma-separated: ${Object.keys(tasks).join(", ")}, or a task file (.json, .ts)`)
    .option(
      "--data <path>",
      "folder of the tasks' documents, <task>.jsonl or .parquet; for one task also the file itself; hub: from the Hub",
    )
    .option("--profile <name>", `encode as ${Object.keys(profiles).join(", ")} (default: ${defaultProfile})`)
    .option("--limit <n>", "only the first n windows and documents", parseWhole("--limit"))
    .option("--kernels <name>", "kernel set (default: the fastest)")
    .option("--compute <type>", "type of the products: float32 (default) or bfloat16", parseCompute)
    .option("--base-inputs <type>", "round the inputs of the base's products first", parseInputs)
    .option(
      "--inputs <type>",
      "round the inputs of the other's products to float16, bfloat16, int8 or float8",
      parseInputs,
    )
    .option("--threads <n>", "threads (default: all cores)", parseWhole("--threads"))
    .option("--allow-nonfinite", "load weights that are NaN or infinite")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit compare models/books/books-0.4m --spec int4:b64 --text models/books/heldout.txt --limit 100
  kbit compare BIG SMALL --spec float4:e3:b64 --tasks lambada_openai,piqa --data DIR`,
    )
    .action(runCompare);
}

async function runCompare(basePath: string, otherPath: string | undefined, options: CompareOptions): Promise<void> {
  if (options.text === undefined && options.tasks === undefined) {
    throw new InputError("kbit compare takes --text FILE, --tasks NAMES, or both; see kbit compare --help.");
  }
  if (otherPath === undefined && options.spec === options.baseSpec && options.inputs === options.baseInputs) {
    throw new InputError("There is nothing to compare; name a second model, or give --spec or --inputs.");
  }
  if (options.tasks === undefined && options.data !== undefined) throw new InputError("--data goes with --tasks.");
  const limit = countRead(findProfile(options.profile), options.limit);
  const text = options.text === undefined ? undefined : await readHashedText(options.text);
  const chosen = options.tasks === undefined ? [] : await readTasks(options.tasks, options.data, limit);

  const base = await openModel(basePath, { ...options, spec: options.baseSpec, inputs: options.baseInputs });
  try {
    const other = await openModel(otherPath ?? basePath, options);
    try {
      const onText = text === undefined ? undefined : await compareText(base, other, text.text, options);
      const onTasks = await compareTasks(base, other, chosen, options);
      print(base, other, onText, onTasks, {
        ...options,
        sha256: text?.sha256,
        data: Object.fromEntries(chosen.map(({ task, sources }) => [task.name, sources])),
      });
    } finally {
      await other.close();
    }
  } finally {
    await base.close();
  }
}

async function compareText(base: OpenModel, other: OpenModel, text: string, options: CompareOptions) {
  const progress = createProgress(`Comparing on ${basename(options.text!)}`);
  const { window, stride, limit, profile } = options;
  return compareOnText(base.model, other.model, text, {
    convention: options.convention as Convention | undefined,
    window,
    stride,
    limit,
    profile,
    onProgress: (done, total) => progress.update(done, total, `${done} of ${total} tokens`),
  }).finally(() => progress.finish());
}

async function compareTasks(
  base: OpenModel,
  other: OpenModel,
  chosen: readonly ChosenTask[],
  { profile, limit }: CompareOptions,
): Promise<TaskComparison[]> {
  const comparisons: TaskComparison[] = [];
  for (const { task, documents } of chosen) {
    const run = ({ model }: OpenModel, which: string) => {
      const progress = createProgress(`${task.name}, ${which}`);
      return evaluateTask(model, task, documents, {
        profile,
        limit,
        bootstrapIterations: 0,
        onProgress: (phase, done, total) => progress.update(done, total, phase),
      }).finally(() => progress.finish());
    };
    comparisons.push(compareResults(await run(base, "base"), await run(other, "other")));
  }
  return comparisons;
}

function print(
  base: OpenModel,
  other: OpenModel,
  text: TextComparison | undefined,
  comparisons: readonly TaskComparison[],
  options: Omit<CompareOptions, "data"> & {
    readonly sha256?: string;
    readonly data: Record<string, readonly DataSource[]>;
  },
): void {
  const name = ({ checkpoint, spec, model }: OpenModel) => {
    const inputs = model.kernels.computeType.split(", ")[1];
    return `${checkpoint.source}${spec === "stored" ? "" : ` at ${spec}`}${inputs ? ` with ${inputs}` : ""}`;
  };
  const verdict = describeComparison(name(base), name(other), text, comparisons);
  if (options.json) {
    printJson({
      verdict,
      base: describe(base),
      other: describe(other),
      limit: options.limit ?? null,
      ...(text && { text: { file: options.text, sha256: options.sha256, ...text } }),
      ...(comparisons.length > 0 && {
        profile: findProfile(options.profile).name,
        data: options.data,
        tasks: Object.fromEntries(comparisons.map(({ task, ...rest }) => [task, rest])),
      }),
    });
    return;
  }
  printLine(paint("bold", verdict));
  if (text)
    printLine(
      `\n${formatText(text)}\n\n${text.convention}, ${text.tokens} tokens in ${formatPlural(text.windows, "window")}`,
    );
  if (comparisons.length > 0) printLine(`\n${formatTasks(comparisons)}`);
  const kernels = [base, other].map(({ model }) => model.kernels.computeType);
  printLine(`\nbase ${size(base)}, other ${size(other)}; computed in ${[...new Set(kernels)].join(" and ")}`);
}

function size({ bits, parameters }: OpenModel): string {
  return `${bits.total} bits (${(bits.total / parameters.parameters).toFixed(3)} a parameter)`;
}

function formatText(text: TextComparison): string {
  const columns: Column[] = [{ title: "over tokens" }, { title: "value", align: "right" }, { title: "standard error" }];
  const row = (title: string, { value, standardError }: Mean, digits = 5, scale = 1) => [
    title,
    (value * scale).toFixed(digits),
    standardError === undefined ? "" : `± ${(standardError * scale).toFixed(digits)}`,
  ];
  const spread = (title: string, one: Spread, scale: number, digits: number) => [
    row(`${title}, mean`, one.mean, digits, scale),
    ...Object.entries({ min: one.min, "1 %": one.percentiles["1"], median: one.median }).map(([at, value]) =>
      row(`  ${at}`, { value }, digits, scale),
    ),
    ...Object.entries({ "99 %": one.percentiles["99"], "99.9 %": one.percentiles["99.9"], max: one.max }).map(
      ([at, value]) => row(`  ${at}`, { value }, digits, scale),
    ),
  ];
  return formatTable(columns, [
    row("perplexity of the base", text.basePerplexity),
    row("perplexity of the other", text.perplexity),
    row("ratio", text.ratio),
    row("ln ratio", text.logRatio),
    ...spread("KL divergence", text.divergence, 1, 6),
    ...spread("change of p(right), %", text.probabilityChange, 100, 3),
    row("RMS change of p(right), %", text.rmsProbabilityChange, 3, 100),
    row("same likeliest token, %", text.sameTop, 3, 100),
  ]);
}

function formatTasks(comparisons: readonly TaskComparison[]): string {
  const columns: Column[] = [
    { title: "task" },
    { title: "metric" },
    { title: "base", align: "right" },
    { title: "other", align: "right" },
    { title: "change", align: "right" },
    { title: "95 % interval" },
    { title: "lost", align: "right" },
    { title: "won", align: "right" },
    { title: "flips", align: "right" },
    { title: "McNemar p", align: "right" },
  ];
  const range = (one: { low: number; high: number } | undefined) =>
    one ? `${one.low.toFixed(4)} to ${one.high.toFixed(4)}` : "";
  return formatTable(
    columns,
    comparisons.flatMap(({ task, accuracies, nll }) => [
      ...Object.entries(accuracies).map(([metric, { base, other, difference, lost, won, flips, pValue }]) => [
        task,
        metric,
        base.toFixed(4),
        other.toFixed(4),
        (other - base).toFixed(4),
        range(difference),
        String(lost),
        String(won),
        `${(100 * flips).toFixed(2)} %`,
        pValue.toPrecision(3),
      ]),
      ...(nll ? [[task, "nats a document", "", "", nll.value.toFixed(4), range(nll)]] : []),
    ]),
  );
}
