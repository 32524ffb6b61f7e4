// What is said of an experiment that failed: the sentence, and the row that a store keeps.

import { InputError } from "../input-error.ts";
import type { FailureRow } from "../result.ts";
import type { Experiment } from "./study.ts";

/** One sentence for whatever an experiment threw. */
export function explainFailure(error: unknown): string {
  if (error instanceof InputError) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  return `kbit itself failed: ${message.split("\n")[0]}`;
}

/** The failure of an experiment, now. */
export function describeFailure(
  { id, model, spec, task }: Experiment & { readonly id: string },
  reason: string,
): FailureRow & { readonly id: string } {
  return { id, model: model.name, spec: spec.text, task: task.task, reason, date: new Date().toISOString() };
}
