// The tasks that a command names, and their documents, all read and checked before a model is loaded.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Document, parseDocuments } from "../evaluate/documents.ts";
import { makePrompt, type Task } from "../evaluate/task.ts";
import { tasks } from "../evaluate/tasks/index.ts";
import { parseTask } from "../evaluate/user-task.ts";
import { findNearest, InputError } from "../input-error.ts";
import { readTextFile } from "./read-text.ts";

/** A task and the documents to score. */
export interface ChosenTask {
  readonly task: Task;
  readonly documents: readonly Document[];
  /** File of the documents, and how many it holds, those behind the limit included. */
  readonly file: string;
  readonly documentsInFile: number;
}

/**
 * The tasks of a comma-separated list.
 *
 * @param data - folder of their documents, or the file of a single task
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
  for (const name of names) {
    const task = await findTask(name);
    if (chosen.some((other) => other.task.name === task.name))
      throw new InputError(`--tasks names ${task.name} twice.`);
    const file = await findDocuments(task, data, names.length);
    const text = await readTextFile(file);
    const documents = parseDocuments(text, task.fields, file, limit);
    for (const [i, document] of documents.entries()) makePrompt(task, document, `document ${i + 1} of ${file}`);
    chosen.push({ task, documents, file, documentsInFile: countLines(text) });
  }
  return chosen;
}

async function findTask(name: string): Promise<Task> {
  if (Object.hasOwn(tasks, name)) return tasks[name];
  if (name.endsWith(".json")) return parseTask(await readTextFile(name), name);
  const nearest = findNearest(name, Object.keys(tasks));
  throw new InputError(
    `There is no task "${name}"${nearest ? `; did you mean "${nearest}"?` : ""} (tasks: ${Object.keys(tasks).join(", ")}, or a task file .json).`,
  );
}

async function findDocuments(task: Task, data: string | undefined, count: number): Promise<string> {
  if (data === undefined) {
    throw new InputError(
      `Say where the documents of ${task.name} are with --data: a folder that holds ${task.files[0]}.`,
    );
  }
  const stats = await stat(data).catch(() => undefined);
  if (!stats) throw new InputError(`There is no file or folder ${data}.`);
  if (!stats.isDirectory()) {
    if (count === 1) return data;
    throw new InputError(
      `--data ${data} is a file, but there are ${count} tasks; expected a folder with a file for each.`,
    );
  }
  for (const file of task.files) {
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
