// kbit recommend: which model at which spec for a budget, how sure that is, and what to measure next.

import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import { listLatencies } from "../scaling/latency.ts";
import type { ModelShape, Workload } from "../scaling/memory.ts";
import { type Recommendation, recommend } from "../scaling/recommend.ts";
import { refuseRowsFile } from "../study/exchange/open-rows.ts";
import { readRows } from "./claims.ts";
import { readModelFacts } from "./model-facts.ts";
import { summarizeAdvice } from "./recommend-page.ts";
import { measureNext } from "./recommend-run.ts";
import { printAdvice } from "./recommend-text.ts";
import { parseBytes } from "./size.ts";
import { createProgress, printJson } from "./terminal.ts";

interface Flags {
  readonly db: string;
  readonly budget?: string;
  readonly memory?: string;
  readonly context?: string;
  readonly batch?: string;
  readonly kvBits?: string;
  readonly tokensPerSecond?: string;
  readonly bandwidth?: string;
  readonly models?: string[];
  readonly metric?: string;
  readonly task?: string;
  readonly family?: string;
  readonly cut?: "paper";
  readonly predict: boolean;
  readonly run?: boolean;
  readonly details?: boolean;
  readonly json?: boolean;
}

/** Adds `kbit recommend`. */
export function addRecommendCommand(program: Command): void {
  program
    .command("recommend")
    .description("Say which model at which spec is best within a budget, from your own results.")
    .requiredOption("--db <file>", "the store of a study")
    .option("--budget <size>", "bytes of all weights, as in kbit report, such as 2MB or 1.5GiB")
    .option("--memory <size>", "bytes in all: weights, cache of keys and values, activations")
    .option(
      "--context <tokens>",
      "with --memory or a speed: tokens of each sequence (default: 2048 or the longest input; of a speed alone: 128)",
    )
    .option("--batch <n>", "with --memory or a speed: sequences at a time (default: 1)")
    .option("--kv-bits <bits>", "with --memory: bits of a key or value (default: 16)")
    .option("--tokens-per-second <n>", "at least this fast, each sequence, as timed in the store (task latency)")
    .option("--bandwidth <size>", "what memory delivers a second, such as 50GB, where nothing was timed")
    .option("--models <paths...>", "checkpoints or their folder: size of files, cache and activations depend on them")
    .option("--metric <name>", "compare by this metric")
    .option("--task <name>", "compare on this task")
    .option("--family <name>", "only this family")
    .addOption(
      new Option("--cut <rule>", "also leave out what the paper's figures cut: perplexity above 100").choices([
        "paper",
      ]),
    )
    .option("--no-predict", "only what was measured, nothing that a law predicts")
    .option("--run", "measure what would most likely change the answer, and answer again")
    .option("--details", "print formulas of laws and what is wrong with their fits too")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit recommend --db results.db --budget 2MB
  kbit recommend --db results.db --budget 2GB --tokens-per-second 50
  kbit recommend --db results.db --memory 2MB --context 256 --batch 2 --kv-bits 8 --models models/ --json`,
    )
    .action(runRecommend);
}

async function runRecommend(flags: Flags): Promise<void> {
  const { db, json, run, details = false } = flags;
  if (run) refuseRowsFile(db);
  const progress = createProgress("Advice");
  try {
    const advice = await advise(flags, (done, step) => progress.update(done, steps, step));
    progress.finish();
    if (json) printJson(summarizeAdvice(advice, db));
    else printAdvice(advice, db, details);
  } finally {
    progress.finish();
  }
}

/** Of progress: rows, models, laws, the comparison. */
const steps = 4;

async function advise(flags: Flags, tell: (done: number, step: string) => void): Promise<Recommendation> {
  const { db, json, run } = flags;
  tell(0, "reading results");
  let rows = await readRows(db);
  const question = {
    ...readQuestion(flags),
    metric: flags.metric,
    task: flags.task,
    family: flags.family,
    cut: flags.cut,
    predict: flags.predict,
    details: flags.details,
    onStep: (step: string) => tell(step === "comparing" ? 3 : 2, step),
  };
  if (question.tokensPerSecond !== undefined && question.bandwidth === undefined)
    checkTimes(rows, question.timing?.batch ?? 1);
  tell(1, "reading headers of models");
  const facts = await readModelFacts(rows, flags.models);
  const { workload } = question;
  const options = {
    ...question,
    ...facts,
    ...(workload && flags.context === undefined && { workload: shorten(workload, facts.shapes) }),
  };
  let advice = recommend(rows, options);
  if (run && advice.nextExperiment !== null) {
    await measureNext(advice.nextExperiment, db, json === true);
    rows = await readRows(db);
    advice = recommend(rows, options);
  }
  return advice;
}

/** The workload with a context that some model reads, where all are made for less. */
function shorten(workload: Workload, shapes: ReadonlyMap<string, ModelShape>): Workload {
  const lengths = [...shapes.values()].map((shape) => shape.maxLength);
  return lengths.length === 0 ? workload : { ...workload, context: Math.min(workload.context, Math.max(...lengths)) };
}

/** Budget, workload and speed of the flags. @throws InputError for what is missing or contradicts */
function readQuestion(flags: Flags) {
  const { budget, memory, context, batch, kvBits, tokensPerSecond, bandwidth } = flags;
  if ((budget === undefined) === (memory === undefined))
    throw new InputError(
      "Say how much there is: either --budget SIZE for the weights, or --memory SIZE for running it.",
    );
  if (tokensPerSecond === undefined && bandwidth !== undefined)
    throw new InputError("--bandwidth goes with --tokens-per-second N, the speed that is wanted.");
  const workload: Workload = {
    context: readCount("--context", context, 2048, 1e9),
    batch: readCount("--batch", batch, 1, 1e6),
    kvBits: readCount("--kv-bits", kvBits, 16, 32),
  };
  const asksSpeed = tokensPerSecond !== undefined;
  if (memory === undefined && kvBits !== undefined)
    throw new InputError("--kv-bits goes with --memory SIZE, not with --budget.");
  if (memory === undefined && !asksSpeed && (context ?? batch) !== undefined)
    throw new InputError("--context and --batch go with --memory SIZE or --tokens-per-second N.");
  const speed = {
    ...(tokensPerSecond !== undefined && { tokensPerSecond: readPositive("--tokens-per-second", tokensPerSecond) }),
    ...(asksSpeed && {
      timing: { batch: workload.batch, ...(context !== undefined && { context: workload.context }) },
    }),
    ...(bandwidth !== undefined && { bandwidth: parseBytes(bandwidth.replace(/\/s$/, ""), "--bandwidth") }),
  };
  if (memory !== undefined) return { budget: parseBytes(memory, "--memory"), workload, ...speed };
  return { budget: parseBytes(budget!, "--budget"), workload: undefined, ...speed };
}

/** @throws InputError where the store has no times at this batch */
function checkTimes(rows: readonly ResultRow[], batch: number): void {
  const batches = new Set(listLatencies(rows).map((one) => one.batch));
  if (batches.has(batch)) return;
  const had = batches.size > 0 ? `; it has times at batch ${[...batches].join(", ")}` : "";
  throw new InputError(
    `The store has no times of tokens at batch ${batch}${had}. Name what memory delivers by --bandwidth SIZE, or measure by kbit study run .. --tasks latency.`,
  );
}

function readCount(option: string, text: string | undefined, fallback: number, most: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new InputError(`${option} ${text} is not a whole number from 1 to ${most}.`);
}

function readPositive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new InputError(`${option} ${text} is not a number above 0.`);
}
