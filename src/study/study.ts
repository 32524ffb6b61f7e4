// What a study is once it is read: models x specs x tasks, every path resolved, every spec parsed.
// Types only; study-file.ts reads it from a file or from flags, grid.ts expands it. All of it is plain JSON.

import type { Convention } from "../evaluate/conventions.ts";
import type { Spec } from "../quantize/spec.ts";

/** A model to measure. */
export interface ModelChoice {
  /** Folder or file, absolute, or a Hub id. */
  readonly path: string;
  readonly name: string;
  /** Models of one family share an architecture and training data; curves are drawn over their sizes. */
  readonly family: string;
  /** What its family says of its training. */
  readonly trainingTokens?: number;
  readonly seed?: number;
}

/** A precision to measure it at. */
export interface SpecChoice {
  /** Canonical text. */
  readonly text: string;
  readonly spec: Spec;
}

/** Perplexity of a text file. */
export interface PerplexityChoice {
  readonly task: "perplexity";
  /** Absolute path of the text. */
  readonly data: string;
  /** How the text is cut; absent: `windows`. */
  readonly convention?: Convention;
  /** Tokens a window; absent: what is usual in the convention. */
  readonly window?: number;
  /** Tokens from the start of a window to the start of the next; absent: the window. */
  readonly stride?: number;
  /** First N windows; null: all. */
  readonly limit: number | null;
}

/** A zero-shot task on a JSONL file. */
export interface ZeroShotChoice {
  /** Its name in evaluate/tasks, or what `definition` calls itself. */
  readonly task: string;
  /** A task of the user's own: its file, absolute, and the text of it; it is part of the key of every result. */
  readonly definition?: { readonly path: string; readonly text: string };
  /** Absolute path of the documents. */
  readonly data: string;
  /** Name of lm-eval's conventions; absent: the newest. */
  readonly profile?: string;
  /** First N documents; null: all. */
  readonly limit: number | null;
}

/** The time of a token while writing. It has no data: what it is measured on is this machine. */
export interface LatencyChoice {
  readonly task: "latency";
  readonly data: "";
  readonly limit: null;
  /** Tokens that each sequence holds already. */
  readonly context: number;
  /** Sequences at a time. */
  readonly batch: number;
}

/** What to measure. */
export type TaskChoice = PerplexityChoice | ZeroShotChoice | LatencyChoice;

/** Whether a choice is of time, not of quality: it is measured alone, with nothing running beside it. */
export function isLatency(choice: TaskChoice): choice is LatencyChoice {
  return choice.task === "latency";
}

/** Everything to measure. */
export interface Study {
  readonly name: string;
  readonly models: readonly ModelChoice[];
  /** Distinct by their text. */
  readonly specs: readonly SpecChoice[];
  readonly tasks: readonly TaskChoice[];
  /** Measures weights that are NaN or infinite too, quantized as 0; absent: such a model fails. */
  readonly allowNonfinite?: boolean;
  /** What was left out while reading it, one sentence each. */
  readonly notes: readonly string[];
}

/** One model at one spec on one task: its result is one row. */
export interface Experiment {
  readonly model: ModelChoice;
  readonly spec: SpecChoice;
  readonly task: TaskChoice;
}
