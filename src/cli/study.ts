// kbit study: measures models x specs x tasks into a store, says beforehand what that comes to, and shows what is there.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { findNearest, InputError } from "../input-error.ts";
import { openRows, refuseRowsFile } from "../study/exchange/open-rows.ts";
import { isPostgresAddress } from "../study/store/postgres-address.ts";
import { openStore } from "../study/store/store.ts";
import type { Study } from "../study/study.ts";
import { createStudy, parseStudy } from "../study/study-file.ts";
import { createLog } from "./log.ts";
import { parseWhole } from "./open-model.ts";
import { addEmitCommand } from "./study-emit.ts";
import { addExportCommand } from "./study-export.ts";
import { addImportCommand } from "./study-import.ts";
import { createStudyLog } from "./study-log.ts";
import { planInTerminal } from "./study-plan.ts";
import { runInTerminal } from "./study-run.ts";
import { addStatusCommands } from "./study-status.ts";
import { printReportHint, printStore } from "./study-tables.ts";
import { printJson } from "./terminal.ts";

/** Adds `kbit study`: `run`, `plan` and `show`, and the commands that have files of their own. */
export function addStudyCommand(program: Command): void {
  const study = program
    .command("study")
    .description("Measure models x specs x tasks and keep every result.")
    .addHelpText("after", examples("run", "--db results.db"));
  addStudyInput(study.command("run"))
    .description("Run what is missing of a study; it may be stopped at any moment and goes on where it was.")
    .option("--db <store>", "store of the results, made if it is missing: a file, or postgres://USER@HOST/DATABASE")
    .option(
      "--workers <n>",
      "experiments at the same time here (default: one a core; in a database none, see kbit worker)",
      parseWhole("--workers"),
    )
    .option("--threads <n>", "threads of each worker's kernels (default: 1)", parseWhole("--threads"))
    .option(
      "--priority <n>",
      "of its experiments in the queue; the higher first (default: 0)",
      parseWhole("--priority"),
    )
    .option("--detach", "end when everything is in the queue; workers do the rest")
    .option("--log <form>", "text, or json: one object a line", "text")
    .option("--allow-nonfinite", "measure models with weights that are NaN or infinite too, quantized as 0")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples("run", "--db results.db"))
    .action(runCommand);
  addStudyInput(study.command("plan"))
    .description("Say what a study comes to: experiments, time, memory and disk, without running any.")
    .option("--db <file>", "leave out what this store has")
    .option("--workers <n>", "experiments at the same time (default: one a core)", parseWhole("--workers"))
    .option("--json", "print one JSON document")
    .addHelpText("after", examples("plan", ""))
    .action((inputs, options) => planInTerminal(readStudy(inputs, options), options));
  study
    .command("show")
    .description("Print the results and failures of a store.")
    .requiredOption("--db <file>", "store of the results")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  kbit study show --db results.db")
    .action(showCommand);
  addStatusCommands(study);
  addExportCommand(study);
  addImportCommand(study);
  addEmitCommand(study, (path) => {
    if (studyFile.test(path)) return readStudy([path], {});
    throw new InputError(`kbit study emit needs a study file, whose name ends in .yaml or .json; ${path} does not.`);
  });
}

/** What `run` and `plan` take. */
interface StudyOptions {
  readonly specs?: readonly string[];
  readonly text?: string;
  readonly tasks?: readonly string[];
  readonly data?: string;
  readonly window?: number;
  readonly stride?: number;
  readonly limit?: number;
  readonly workers?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

interface RunCommandOptions extends StudyOptions {
  readonly db?: string;
  readonly allowNonfinite?: boolean;
  readonly priority?: number;
  readonly detach?: boolean;
  readonly log: string;
}

function addStudyInput(command: Command): Command {
  return command
    .argument("<study...>", "a study file (.yaml or .json), or model folders, globs and Hub ids")
    .option("--specs <list>", "specs, such as fp16,int3-8:b64", parseList)
    .option("--text <file>", "measure perplexity on this text")
    .option("--tasks <list>", "zero-shot tasks, such as piqa,winogrande", parseList)
    .option("--data <folder>", "folder of the tasks' files")
    .option("--window <n>", "tokens a window of perplexity (default: the model's maximum)", parseWhole("--window"))
    .option("--stride <n>", "tokens from one window to the next (default: the window)", parseWhole("--stride"))
    .option("--limit <n>", "first n windows or documents (default: all)", parseWhole("--limit"));
}

const examples = (command: string, store: string) => `
Examples:
  kbit study ${command} study.yaml ${store}
  kbit study ${command} "models/opt-*" --specs fp16,int3-8:b64,float4:e2:b64 --text wiki.txt ${store}`;

/** `a,b` as a list. */
function parseList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** @throws InputError that names all that `study run` needs and was not given */
function checkComplete([first]: readonly string[], options: RunCommandOptions): string {
  const { db, specs, text, tasks } = options;
  const isFlags = !studyFile.test(first);
  const missing = [
    isFlags && !specs && "--specs LIST, such as fp16,int3-8:b64",
    isFlags && text === undefined && tasks === undefined && "--text FILE, or --tasks LIST --data FOLDER",
    db === undefined && "--db FILE for the results",
  ].filter((words) => words !== false);
  if (db === undefined || missing.length > 0)
    throw new InputError(
      `kbit study run also needs ${missing.join("; ")}${isFlags && !specs ? hintEnding(first) : "."}`,
    );
  return db;
}

/** Names of study files; a safetensors index is a model. */
const studyFile = /(?<!\.index)\.(ya?ml|json)$/i;

/** The study that the arguments name: a file, or models with flags. */
function readStudy(inputs: readonly string[], options: StudyOptions): Study {
  const { specs, text, tasks, data, window, stride, limit } = options;
  const [first] = inputs;
  if (!studyFile.test(first)) {
    if (!specs)
      throw new InputError(`--specs is missing; say which, such as --specs fp16,int3-8:b64${hintEnding(first)}`);
    return createStudy({ models: inputs, specs, text, tasks, data, window, stride, limit });
  }
  if (inputs.length > 1) throw new InputError(`${first} is a study file; it stands alone, without ${inputs[1]}.`);
  const flags = { specs, text, tasks, data, window, stride, limit };
  const flag = Object.entries(flags).find(([, value]) => value !== undefined)?.[0];
  if (flag) throw new InputError(`--${flag} does not go with a study file; change it in ${first}.`);
  if (!statSync(first, { throwIfNoEntry: false })?.isFile()) {
    throw new InputError(`There is no study file ${first}${hintNeighbour(first)}`);
  }
  return parseStudy(readFileSync(first, "utf8"), first);
}

/** For a file that may be meant as a study; no file of a model is. */
function hintEnding(path: string): string {
  if (/\.(safetensors|gguf|bin|index\.json)$/i.test(path) || !statSync(path, { throwIfNoEntry: false })?.isFile())
    return ".";
  return `. If ${path} is a study file, give it a name that ends in .yaml or .json.`;
}

/** "did you mean .." if a study file of a similar name lies beside one that is not there. */
function hintNeighbour(path: string): string {
  const folder = dirname(path);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => studyFile.test(name)) : [];
  const nearest = findNearest(basename(path), names);
  return nearest === undefined ? "." : `; did you mean ${join(folder, nearest)}?`;
}

async function runCommand(inputs: string[], options: RunCommandOptions): Promise<void> {
  const db = checkComplete(inputs, options);
  const log = createLog(options.log, options.json ? process.stderr : process.stdout);
  const isLog = options.log === "json";
  const read = readStudy(inputs, options);
  const study = options.allowNonfinite ? { ...read, allowNonfinite: true } : read;
  refuseRowsFile(db);
  const store = await openStore(db);
  const { threads, priority, detach: isDetached, json } = options;
  const workers = options.workers ?? (isPostgresAddress(db) ? 0 : undefined);
  const summary = await runInTerminal(study, store, {
    ...{ workers, threads, priority, isDetached, isQuiet: json },
    ...(isLog && { display: createStudyLog(study.name, log) }),
  });
  if (json) {
    const ids = new Set(summary.ids);
    const rows = (await store.rows()).filter(({ id }) => ids.has(id));
    printJson({ study: study.name, db: store.path, ...summary, ids: undefined, rows });
  } else if (!isLog && !summary.interrupted && summary.computed + summary.stored > 0) {
    printReportHint(store.path, await store.rows());
  }
  await store.close();
  // A stopped run may still be reading a large model; nothing waits for that.
  if (summary.interrupted) process.stdout.write("", () => process.exit(130));
  else process.exitCode = summary.failures.length + summary.cancelled > 0 ? 1 : 0;
}

async function showCommand(options: { readonly db: string; readonly json?: boolean }): Promise<void> {
  const store = await openRows(options.db);
  const [rows, failures] = [await store.rows(), await store.failures()];
  await store.close();
  if (options.json) printJson({ db: store.path, rows, failures });
  else printStore(rows, failures);
}
