// The task that a study's choice stands for: one of the table, or one of the user's own from the text of its file.

import { createHash } from "node:crypto";
import type { Task } from "../evaluate/task.ts";
import { tasks } from "../evaluate/tasks/index.ts";
import { parseTask } from "../evaluate/user-task.ts";
import type { ZeroShotChoice } from "./study.ts";

/** The task. @throws InputError if the user's own is not right */
export function resolveTask({ task, definition }: ZeroShotChoice): Task {
  return definition ? parseTask(definition.text, definition.path) : tasks[task];
}

/**
 * The version that stands in a result's key. That of a task of the user's own ends with the SHA-256 of what its file says,
 * white space apart, so that an edit without a new version makes new results: `1-5d41402abc4b`.
 */
export function nameVersion(choice: ZeroShotChoice): string {
  const { version } = resolveTask(choice);
  if (!choice.definition) return version;
  const content = JSON.stringify(JSON.parse(choice.definition.text));
  return `${version}-${createHash("sha256").update(content).digest("hex").slice(0, 12)}`;
}
