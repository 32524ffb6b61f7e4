// The tasks that a command names, and their documents, all read and checked before a model is loaded.

import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isOnHub } from "../checkpoint/hub-dataset-node.ts";
import { listDataNames } from "../evaluate/data-node.ts";
import { type Document, parseDocuments } from "../evaluate/documents.ts";
import { makePrompt, type Task } from "../evaluate/task.ts";
import { checkTask } from "../evaluate/task-program.ts";
import { tasks } from "../evaluate/tasks/index.ts";
import { defineColumnTask, parseTask } from "../evaluate/user-task.ts";
import { findNearest, InputError } from "../input-error.ts";
import { type DataSource, readData } from "./read-data.ts";
import { readTextFile } from "./read-text.ts";

/** A task and the documents to score. */
export interface ChosenTask {
  readonly task: Task;
  readonly documents: readonly Document[];
  /** Files of the documents, and how many they hold, those behind the limit included. */
  readonly sources: readonly DataSource[];
  readonly documentsInFile: number;
}

/**
 * The tasks of a comma-separated list.
 *
 * @param data - folder of their documents, or the file of a single task, or a place on the Hub
 * @param limit - only the first so many documents of each
 * @throws InputError if a task, a file or a document cannot be used
 */
export async function readTasks(list: string, data: string | undefined, limit?: number): Promise<ChosenTask[]> {
  const names = list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) throw new InputError("--tasks names no task.");
  const chosen: ChosenTask[] = [];
  for (const taskName of names) {
    const task = await findTask(taskName);
    if (chosen.some((other) => other.task.name === task.name))
      throw new InputError(`--tasks names ${task.name} twice.`);
    const place = await findDocuments(task, data, names.length);
    const { text, sources } = await readData(place, task.hub, Object.keys(task.fields));
    const name = isOnHub(place) ? sources.map(({ file }) => file).join(", ") : place;
    const documents = parseDocuments(text, task.fields, name, limit, (document, where) => {
      makePrompt(task, document, where);
    });
    chosen.push({ task, documents, sources, documentsInFile: countLines(text) });
  }
  return chosen;
}

/**
 * The texts in a column of a file of documents, each a document of its own, as lm-eval's perplexity tasks have them.
 *
 * @throws InputError if the file, or a text in it, cannot be used
 */
export async function readColumn(place: string, column: string, limit?: number): Promise<ChosenTask> {
  const task = defineColumnTask(basename(place).replace(/\.\w+$/, ""), column);
  const { text, sources } = await readData(place, undefined, [column]);
  const documents = parseDocuments(text, task.fields, sources.map(({ file }) => file).join(", "), limit);
  return { task, documents, sources, documentsInFile: countLines(text) };
}

async function findTask(name: string): Promise<Task> {
  if (Object.hasOwn(tasks, name)) return tasks[name];
  if (name.endsWith(".json")) return parseTask(await readTextFile(name), name);
  if (/\.(ts|mts|js|mjs)$/.test(name)) return importTask(name);
  const nearest = findNearest(name, Object.keys(tasks));
  throw new InputError(
    `There is no task "${name}"${nearest ? `; did you mean "${nearest}"?` : ""} (tasks: ${Object.keys(tasks).join(", ")}; or a task file .json, .ts or .js).`,
  );
}

/** The task that a program exports; it is run. @throws InputError if it cannot be, or exports something else */
async function importTask(path: string): Promise<Task> {
  await readTextFile(path);
  let exported: { default?: unknown };
  try {
    exported = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    const [reason] = String((error as Error)?.message ?? error).split("\n");
    const hint = /package 'kbit'/.test(reason)
      ? ' The package is found from folders where kbit is installed; elsewhere, export the task without defineTask, and take types with "import type".'
      : "";
    throw new InputError(`${path} cannot be run as a task: ${reason.replace(/\.$/, "")}.${hint}`);
  }
  return checkTask(exported.default, path);
}

async function findDocuments(task: Task, data: string | undefined, count: number): Promise<string> {
  if (data === undefined) {
    throw new InputError(
      `Say where the documents of ${task.name} are with --data: a folder that holds ${task.files[0]}, or hub.`,
    );
  }
  if (isOnHub(data)) {
    if (data !== "hub" && count > 1)
      throw new InputError(
        `--data ${data} is one data set, but there are ${count} tasks; say --data hub for their own.`,
      );
    if (data === "hub" && !task.hub)
      throw new InputError(`${task.name} has no data set of its own on the Hub; say --data hub:org/name#split.`);
    return data;
  }
  const stats = await stat(data).catch(() => undefined);
  if (!stats) throw new InputError(`There is no file or folder ${data}.`);
  if (!stats.isDirectory()) {
    if (count === 1) return data;
    throw new InputError(
      `--data ${data} is a file, but there are ${count} tasks; expected a folder with a file for each.`,
    );
  }
  for (const file of listDataNames(task.files)) {
    const path = join(data, file);
    if (await stat(path).catch(() => undefined)) return path;
  }
  throw new InputError(`The folder ${data} holds no ${task.files.join(" or ")} for the task ${task.name}.`);
}

/** Lines that are not blank. */
function countLines(text: string): number {
  let count = 0;
  for (const [line] of text.matchAll(/[^\n]+/g)) if (line.trim() !== "") count++;
  return count;
}
