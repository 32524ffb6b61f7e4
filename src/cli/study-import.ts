// kbit study import: results of other stores, of exported files and of lm-eval into a store.

import { existsSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import { formatPlural } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import {
  commandSource,
  describeRun,
  type ImportedEntry,
  parseImportedModels,
} from "../study/exchange/imported-models.ts";
import { parseLmEval, readLmEval } from "../study/exchange/lm-eval.ts";
import { mergeFailures, mergeRows, type RowDisagreement } from "../study/exchange/merge.ts";
import { openRows, refuseRowsFile } from "../study/exchange/open-rows.ts";
import { openStore } from "../study/store/store.ts";
import { parseWhole } from "./open-model.ts";
import { parseBytes } from "./size.ts";
import { paint, printJson, printLine } from "./terminal.ts";

interface ImportOptions {
  readonly db: string;
  readonly models?: string;
  readonly name?: string;
  readonly family?: string;
  readonly spec?: string;
  readonly bits?: number;
  readonly total?: string;
  readonly parameters?: number;
  readonly json?: boolean;
}

/** Adds `kbit study import`. */
export function addImportCommand(study: Command): void {
  study
    .command("import")
    .description("Add the results of other stores, of exported files and of lm-eval to a store.")
    .argument("<files...>", "stores, files of rows (.parquet, .jsonl, .csv), results of lm-eval (.json)")
    .requiredOption("--db <file>", "where they go; made if it is missing")
    .option("--models <file>", "what lm-eval's files do not know, model by model (YAML; see docs/study.md)")
    .option("--name <name>", "of one model instead: its name (default: that in the file)")
    .option("--family <name>", "its family")
    .option("--spec <spec>", "its precision: a spec such as fp16 or nf4:b64, or a name such as gptq4:b128")
    .option("--bits <k>", "its bits a weight, where the spec is not one of kbit's", parseWhole("--bits"))
    .option("--total <size>", "bytes of all its weights as stored, such as 250MB")
    .option("--parameters <n>", "its parameters, where the file does not say", parseWhole("--parameters"))
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit study import other.db rows.parquet --db results.db
  kbit study import results_2026-01-01.json --db results.db --family opt --spec fp16 --total 250478592
  kbit study import lm-eval/*.json --db results.db --models models.yaml`,
    )
    .action(runImport);
}

interface ImportedFile {
  readonly file: string;
  readonly added: number;
  readonly known: number;
  readonly failures: number;
  readonly disagreements: readonly RowDisagreement[];
}

async function runImport(files: string[], options: ImportOptions): Promise<void> {
  refuseRowsFile(options.db);
  const say = createMapping(options);
  refuseIdle(files, options);
  // All are read before the first is added: a file that is refused leaves the store as it was.
  const read: [file: string, found: Found][] = [];
  for (const file of files) read.push([file, await readFile(file, say)]);
  if (read.every(([, { rows, failures }]) => rows.length + failures.length === 0))
    throw new InputError(
      `${files.join(" and ")} ${files.length === 1 ? "holds" : "hold"} no result; nothing is imported.`,
    );
  const store = await openStore(options.db);
  const imported: ImportedFile[] = [];
  try {
    for (const [file, { rows, failures }] of read)
      imported.push({ file, ...(await mergeRows(rows, store)), failures: await mergeFailures(failures, store) });
  } finally {
    await store.close();
  }
  if (options.json) printJson({ db: store.path, files: imported });
  else for (const one of imported) printImported(one);
  if (imported.some(({ disagreements }) => disagreements.length > 0)) process.exitCode = 1;
}

interface Found {
  readonly rows: readonly ResultRow[];
  readonly failures: readonly FailureRow[];
}

/** What a file holds. */
async function readFile(path: string, say: () => Mapping): Promise<Found> {
  if (statSync(path, { throwIfNoEntry: false })?.size === 0)
    throw new InputError(`${path} is empty; it holds no result.`);
  if (existsSync(path) && isLmEval(path)) return { rows: readLmEvalFile(path, say), failures: [] };
  const store = await openRows(path);
  try {
    return { rows: await store.rows({ documents: true }), failures: await store.failures() };
  } finally {
    await store.close();
  }
}

const mostBytes = 100_000_000;

function readLmEvalFile(path: string, say: () => Mapping): ResultRow[] {
  const { size, mtime } = statSync(path);
  if (size > mostBytes) throw new InputError(`${path} has ${size} bytes, which no result of lm-eval has.`);
  const value = parseLmEval(readFileSync(path, "utf8"), path);
  const { entries, source } = say();
  return readLmEval(value, basename(path), mtime, (run) => describeRun(run, entries, source));
}

/** What is said of models of other tools, and where, for messages. */
interface Mapping {
  readonly entries: readonly ImportedEntry[];
  readonly source: string;
}

const isLmEval = (path: string) => path.toLowerCase().endsWith(".json");

/** The options that were given. */
function listGiven(options: object): string[] {
  return Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}

/** @throws InputError if something is said of models and no file is one that lacks it */
function refuseIdle(files: readonly string[], { models, name, family, spec, bits, total, parameters }: ImportOptions) {
  const [first] = listGiven({ models, name, family, spec, bits, total, parameters });
  if (first === undefined || files.some(isLmEval)) return;
  throw new InputError(
    `--${first} is for results of lm-eval (.json); the rows of ${files.join(" and ")} say it themselves. Leave it out.`,
  );
}

/** The mapping of the options, which is asked for only where a file needs it. */
function createMapping({ models, name, family, spec, bits, total, parameters }: ImportOptions): () => Mapping {
  const given = listGiven({ name, family, spec, bits, total, parameters });
  if (models !== undefined) {
    if (given.length > 0) throw new InputError(`--${given[0]} does not go with --models; say it in ${models}.`);
    const entries = parseImportedModels(readFileSync(models, "utf8"), models);
    return () => ({ entries, source: models });
  }
  return () => {
    if (family === undefined || spec === undefined || total === undefined)
      throw new InputError(
        "A result of lm-eval says neither family nor precision nor size of its model; say --family, --spec and --total, or --models FILE.",
      );
    const totalBytes = parseBytes(total, "--total");
    return { entries: [{ name, family, spec, bits, totalBytes, parameters }], source: commandSource };
  };
}

/** Disagreements that are printed of a file. */
const shown = 10;

function printImported({ file, added, known, failures, disagreements }: ImportedFile): void {
  const parts = [`${formatPlural(added, "result")} added`];
  if (known > 0) parts.push(`${known} known already`);
  if (failures > 0) parts.push(`${formatPlural(failures, "failure")} added`);
  printLine(`${file}: ${parts.join(", ")}.`);
  for (const { model, spec, task, what, kept, other, kernels } of disagreements.slice(0, shown)) {
    const on = kernels[0] === kernels[1] ? `both on ${kernels[0] || "unknown kernels"}` : kernels.join(" and ");
    printLine(
      `  ${paint("red", "disagrees")} ${model} ${spec} ${task}: ${what} is ${kept} in the store, ${other} here (${on}).`,
    );
  }
  if (disagreements.length > shown)
    printLine(`  .. and ${disagreements.length - shown} more that disagree; --json lists all.`);
}
