// A task of the user's own that a template cannot say: a program whose default export is a `Task`.
// Programs are not typed when they run, so the task, and every prompt that it makes, is checked here.

import { z } from "zod";
import { InputError } from "../input-error.ts";
import { showValue } from "./documents.ts";
import { metricDirections, metricsOf } from "./metrics.ts";
import type { Prompt, Task } from "./task.ts";

const schema = z.object({
  name: z.string().regex(/^[\w.-]{1,100}$/, 'expected letters, digits, "_", "-" and "."'),
  version: z.string(),
  files: z.array(z.string()).optional(),
  kind: z.enum(["continuation", "choice", "rolling"]),
  fields: z.record(z.string(), z.enum(["text", "texts", "index", "value", "labelled"])),
  metrics: z.array(z.enum(Object.keys(metricDirections) as [string])).min(1),
  prompt: z.custom((value) => typeof value === "function", "expected a function of the document"),
});

const pair = z.object({ context: z.string(), continuation: z.string() });
const prompts = {
  continuation: pair,
  choice: z
    .object({ pairs: z.array(pair).min(2), choices: z.array(z.string()), gold: z.int().min(0) })
    .refine(({ pairs, choices }) => pairs.length === choices.length, "expected a choice for each pair"),
  rolling: z.object({ text: z.string(), words: z.int().min(0), bytes: z.int().min(0) }),
};

/**
 * The task that a program exports.
 *
 * @param exported - its default export
 * @param source - the program's name, for messages
 * @throws InputError if it is not a task; its prompts throw one if they are not of the task's kind
 */
export function checkTask(exported: unknown, source: string): Task {
  if (exported === undefined) throw new InputError(`${source} has no default export; expected a task.`);
  if (typeof exported !== "object" || exported === null || Array.isArray(exported)) {
    throw new InputError(
      `${source} exports ${showExport(exported)}, not a task; expected an object with ${Object.keys(schema.shape).join(", ")}.`,
    );
  }
  const { data, error } = schema.safeParse(exported);
  if (error) throw new InputError(`${source} exports no task: ${describe(error)}.`);
  const wrong = data.metrics.find((metric) => !(metricsOf[data.kind] as readonly string[]).includes(metric));
  if (wrong !== undefined)
    throw new InputError(
      `${source}: a ${data.kind} task has the metrics ${metricsOf[data.kind].join(", ")}, not ${wrong}.`,
    );
  const { prompt } = exported as Task;
  const checkedPrompt = (document: Parameters<typeof prompt>[0]): Prompt => {
    let made: unknown;
    try {
      made = prompt(document);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`${source} fails at it (${(error as Error)?.message ?? error})`);
    }
    const result = prompts[data.kind].safeParse(made);
    if (result.error) throw new InputError(`${source} makes no ${data.kind} prompt of it (${describe(result.error)})`);
    return result.data as Prompt;
  };
  return { ...data, files: data.files ?? [`${data.name}.jsonl`], prompt: checkedPrompt } as Task;
}

function showExport(value: unknown): string {
  return typeof value === "function" ? "a function" : showValue(value);
}

function describe({ issues: [issue] }: z.ZodError): string {
  return `${issue.path.length === 0 ? "it" : `"${issue.path.join(".")}"`}: ${issue.message}`;
}
