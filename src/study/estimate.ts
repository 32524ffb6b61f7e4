// What a study will take before it runs: bytes of memory and of disk, and how plans are summed up by model and by task.

import type { PlannedExperiment } from "./plan.ts";

/** Bytes of a row in a store: its texts, its metrics, their indices. */
const rowBytes = 2200;
/** Bytes that a document or window adds to its row, packed. */
const documentBytes = 5;
/** Tokens of a document, where nobody says how many documents there are. */
const usualDocumentTokens = 60;

/** Bytes that a result takes in a store. */
export function estimateRowBytes({ key, tokens }: Pick<PlannedExperiment, "key" | "tokens">): number {
  const window = Number(/^(?:windows(?:-bos)?|gptq|llama\.cpp|rolling)-(\d+)/.exec(key.profile)?.[1] ?? 0);
  // A text has no more windows than its tokens fill, whatever the limit.
  const documents = window > 0 ? tokens / window : (key.limit ?? tokens / usualDocumentTokens);
  return rowBytes + documentBytes * Math.min(documents, tokens);
}

/** Experiments that have a model or a task in common. */
export interface PlanPart {
  readonly name: string;
  readonly experiments: number;
  /** Without those that a store has. */
  readonly missing: number;
  /** Of those that are missing. */
  readonly tokens: number;
  readonly seconds: number;
}

/** An experiment as plans show it. */
export interface PlannedLine {
  readonly model: string;
  readonly spec: string;
  readonly task: string;
  readonly tokens: number;
  /** Estimated, on one worker. */
  readonly seconds: number;
  readonly isStored: boolean;
}

/** Sums up a plan by model or by task, in the order in which they first come. */
export function sumPlan(lines: readonly PlannedLine[], by: "model" | "task"): PlanPart[] {
  const groups = Map.groupBy(lines, (line) => line[by]);
  return [...groups].map(([name, group]) => {
    const missing = group.filter(({ isStored }) => !isStored);
    const sum = (key: "tokens" | "seconds") => missing.reduce((total, line) => total + line[key], 0);
    const [tokens, seconds] = [sum("tokens"), sum("seconds")];
    return { name, experiments: group.length, missing: missing.length, tokens, seconds };
  });
}
