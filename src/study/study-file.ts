// Reads a study: from a YAML or JSON file, where every complaint names line and column, or from flags.
// Relative paths in a file are relative to the file; those in flags to the working folder.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { formatDataset, isOnHub, parseDatasetPlace } from "../checkpoint/hub-dataset-node.ts";
import { listDataNames } from "../evaluate/data-node.ts";
import type { Task } from "../evaluate/task.ts";
import { tasks as zeroShotTable } from "../evaluate/tasks/index.ts";
import { parseTask } from "../evaluate/user-task.ts";
import { findNearest, InputError } from "../input-error.ts";
import { maxDataBytes } from "./data-files.ts";
import { expandSpecs } from "./grid.ts";
import { findModels } from "./models.ts";
import type { ModelChoice, Study, TaskChoice } from "./study.ts";
import { describeProblem, type ValuePath } from "./study-problems.ts";
import { createStudySchema, type StudyFile, type TaskEntry } from "./study-schema.ts";
import { readYaml } from "./yaml.ts";

/** Where a value stands, for messages: `study.yaml:3:5`, or the name of a flag. */
type Locate = (path: ValuePath, onKey?: boolean) => string;

/**
 * Reads a study file.
 *
 * @param text - YAML, or JSON
 * @param fileName - its path, for messages and for what its paths are relative to
 * @throws InputError `FILE:LINE:COLUMN: what is wrong, what was expected`
 */
export function parseStudy(text: string, fileName: string): Study {
  const { values, locate } = readYaml(text, fileName);
  return buildStudy(values ?? {}, locate, dirname(resolve(fileName)), basename(fileName).replace(/\.\w+$/, ""));
}

/** A study as flags say it. */
export interface StudyFlags {
  readonly models: readonly string[];
  readonly specs: readonly string[];
  readonly text?: string;
  readonly tasks?: readonly string[];
  /** Folder of the tasks' files. */
  readonly data?: string;
  readonly window?: number;
  readonly stride?: number;
  readonly limit?: number;
}

/** Reads a study from flags. @throws InputError naming the flag */
export function createStudy(flags: StudyFlags): Study {
  const { limit, window, stride } = flags;
  const tasks: unknown[] = [];
  if (flags.text !== undefined) tasks.push({ task: "perplexity", text: flags.text, window, stride, limit });
  for (const task of flags.tasks ?? []) {
    if (task === "perplexity") throw new InputError("--tasks: perplexity needs a text; say --text FILE instead.");
    const [isLatency, batch, context] = /^latency(?::batch-(\d+)-context-(\d+))?$/.exec(task) ?? [];
    if (isLatency !== undefined) {
      tasks.push({ task: "latency", ...(batch && { batch: Number(batch), context: Number(context) }) });
      continue;
    }
    if (/^latency\b/.test(task)) {
      throw new InputError(`--tasks: ${task} is no task; write latency, or latency:batch-8-context-256.`);
    }
    if (flags.data === undefined && !task.endsWith(".json"))
      throw new InputError(`--tasks: ${task} needs its file; say --data FOLDER.`);
    tasks.push({ task, data: flags.data, limit });
  }
  const { data = "", tasks: names = [] } = flags;
  if (names.length > 1 && statSync(data, { throwIfNoEntry: false })?.isFile())
    throw new InputError(
      `--data: ${data} is a file, but there are ${names.length} tasks; expected a folder with a file for each.`,
    );
  if (names.length > 1 && data !== "hub" && isOnHub(data))
    throw new InputError(
      `--data: ${data} is one data set, but there are ${names.length} tasks; say hub for their own.`,
    );
  if (tasks.length === 0)
    throw new InputError("The study has no task; say --text FILE, or --tasks T,.. --data FOLDER.");
  const flagNames: Record<string, string> = { models: "", specs: "--specs", tasks: "--tasks" };
  const locate: Locate = (path) => {
    const [key, last] = [String(path[0]), String(path.at(-1))];
    return ["text", "data", "window", "stride", "limit"].includes(last) ? `--${last}` : (flagNames[key] ?? "the flags");
  };
  return buildStudy({ models: flags.models, specs: flags.specs, tasks }, locate, process.cwd(), "flags");
}

function buildStudy(raw: unknown, locate: Locate, folder: string, fallbackName: string): Study {
  const result = createStudySchema(Object.keys(zeroShotTable), listTaskFiles(raw)).safeParse(raw);
  if (!result.success) {
    const { path, sentence, onKey } = describeProblem(result.error.issues, raw);
    throw new InputError(`${locate(path, onKey)}: ${sentence.replace(/[.?]?$/, (end) => end || ".")}`);
  }
  const file = result.data;
  const at = (key: string, index: number, isList: boolean) => locate(isList ? [key, index] : [key]);
  const models = readModels(file, (index) => at("models", index, Array.isArray(file.models)), folder);
  const { specs, notes } = expandSpecs(
    [file.specs].flat(),
    (path) => readSpecFile(resolve(folder, path)),
    (index, sentence) => new InputError(`${at("specs", index, Array.isArray(file.specs))}: ${sentence}`),
  );
  const tasks = [file.tasks].flat().map((entry, index) => {
    const place = Array.isArray(file.tasks) ? ["tasks", index] : ["tasks"];
    return readTask(entry, folder, (key) => locate([...place, key]));
  });
  const distinct = new Map(tasks.map((task) => [JSON.stringify(task), task]));
  const { name = fallbackName, allowNonfinite } = file;
  return { name, models, specs, tasks: [...distinct.values()], notes, ...(allowNonfinite && { allowNonfinite }) };
}

/** A user's codebook, or a mix. */
function readSpecFile(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new InputError(`there is no file ${path}.`);
  return readFileSync(path, "utf8");
}

function readModels(file: StudyFile, at: (index: number) => string, folder: string): ModelChoice[] {
  const models = new Map<string, ModelChoice>();
  [file.models].flat().forEach((entry, index) => {
    const { path, ...names } = typeof entry === "string" ? { path: entry } : entry;
    for (const model of explainAt(
      () => at(index),
      () => findModels({ paths: [path].flat(), ...names }, folder),
    )) {
      const other = [...models.values()].find(({ name, path }) => name === model.name && path !== model.path);
      if (other)
        throw new InputError(
          `${at(index)}: two models have the name ${model.name} (${other.path} and ${model.path}); give one a name of its own.`,
        );
      if (!models.has(model.path)) models.set(model.path, model);
    }
  });
  return [...models.values()];
}

function readTask(entry: TaskEntry, folder: string, at: (key: string) => string): TaskChoice {
  if (isLatencyEntry(entry))
    return { task: "latency", data: "", limit: null, context: entry.context ?? 128, batch: entry.batch ?? 1 };
  const { limit = null } = entry;
  if (!("text" in entry)) return readZeroShot(entry, folder, at);
  const { task, convention, window, stride } = entry;
  if (isOnHub(entry.text))
    throw new InputError(`${at("text")}: a task file of kind "rolling" reads texts from the Hub; name it as the task.`);
  const data = resolve(folder, entry.text);
  checkData(data, () => at("text"));
  if (data.endsWith(".parquet"))
    throw new InputError(`${at("text")}: ${data} is no text; a task file of kind "rolling" reads texts from a column.`);
  if (window !== undefined && stride !== undefined && stride > window)
    throw new InputError(
      `${at("text")}: the stride (${stride}) is above the window (${window}), which would leave tokens out.`,
    );
  if (stride !== undefined && convention !== undefined && !convention.startsWith("windows"))
    throw new InputError(`${at("stride")}: the convention ${convention} has no stride; leave it out.`);
  return { task, data, ...(convention && { convention }), window, stride, limit };
}

type LatencyEntry = Extract<TaskEntry, { task: "latency" }>;

function isLatencyEntry(entry: TaskEntry): entry is LatencyEntry {
  return entry.task === "latency";
}

/** A task of the table, or of the user's own, whose documents lie beside its file unless the entry says where they are. */
function readZeroShot(
  { task: name, data: path, profile, limit = null }: Exclude<TaskEntry, LatencyEntry | { text: string }>,
  folder: string,
  at: (key: string) => string,
): TaskChoice {
  const definition = name.endsWith(".json") ? readDefinition(resolve(folder, name), () => at("task")) : undefined;
  const task = definition?.task ?? zeroShotTable[name];
  const data = findDocuments(task, path ?? dirname(definition!.path), folder, () => at("data"));
  const rest = { data, ...(profile && { profile }), limit };
  if (definition === undefined) return { task: name, ...rest };
  return { task: task.name, definition: { path: definition.path, text: definition.text }, ...rest };
}

/** Task, path and text of a task file. */
function readDefinition(path: string, at: () => string): { task: Task; path: string; text: string } {
  checkData(path, at);
  const text = readFileSync(path, "utf8");
  const task = explainAt(at, () => parseTask(text, path));
  if (task.name === "perplexity" || task.name === "latency")
    throw new InputError(`${at()}: ${path} has the name ${task.name}, which is one of kbit's own; give it another.`);
  return { task, path, text };
}

/** The tasks that are named by a file. */
function listTaskFiles(raw: unknown): string[] {
  const entries = [(raw as { tasks?: unknown } | null)?.tasks].flat() as ({ task?: unknown } | null | undefined)[];
  const names = entries.map((entry) => entry?.task);
  return names.filter((name): name is string => typeof name === "string" && name.endsWith(".json"));
}

/**
 * The file of a task: the path itself, or where that is a folder the one that is named for the task; on the Hub the place
 * with what the task knows of it.
 */
function findDocuments(task: Task, given: string, folder: string, at: () => string): string {
  if (isOnHub(given)) return findOnHub(task, given, at);
  const path = findFile(task, resolve(folder, given), at);
  checkData(path, at);
  return path;
}

function findOnHub({ name, hub }: Task, place: string, at: () => string): string {
  if (place === "hub" && !hub)
    throw new InputError(`${at()}: ${name} has no data set of its own on the Hub; say hub:org/name#split.`);
  return explainAt(at, () => `hub:${formatDataset(parseDatasetPlace(place, hub))}`);
}

function findFile({ name: task, files }: Task, path: string, at: () => string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  const name = listDataNames(files).find((file) => existsSync(join(path, file)));
  if (name === undefined)
    throw new InputError(`${at()}: the folder ${path} holds no ${files.join(" or ")} for the task ${task}.`);
  return join(path, name);
}

/** Why a data file cannot be used, as far as that shows without reading it. */
function explainData(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return `${path} is a folder; name the text file.`;
  if (stats && !stats.isFile()) return `${path} is no file with a text in it; name one.`;
  if (!stats) {
    const nearest = existsSync(dirname(path)) ? findNearest(basename(path), readdirSync(dirname(path))) : undefined;
    return `there is no file ${path}${nearest ? `; did you mean ${nearest}?` : "."}`;
  }
  if (stats.size === 0) return `${path} is empty; nothing can be measured on it.`;
  if (stats.size > maxDataBytes)
    return `${path} has ${stats.size} bytes; at most ${maxDataBytes} are read. Cut it into parts.`;
  return undefined;
}

/** @throws InputError if a data file cannot be used */
function checkData(path: string, at: () => string): void {
  const problem = explainData(path);
  if (problem) throw new InputError(`${at()}: ${problem}`);
}

/** Puts the place, if there is one, before the message of an InputError. */
function explainAt<T>(at: () => string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InputError && at() !== "") throw new InputError(`${at()}: ${error.message}`);
    throw error;
  }
}
