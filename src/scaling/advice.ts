// What `recommend` is asked and what it answers.

import type { Candidate, FamilyLaw } from "./candidates.ts";
import type { ModelShape, Workload } from "./memory.ts";
import type { MetricFacts } from "./metrics.ts";
import type { NextExperiment } from "./next-experiment.ts";
import type { PoolFilter } from "./pool.ts";
import type { PrecisionEvidence } from "./precision-evidence.ts";
import type { SpeedSource } from "./speed.ts";
import type { StabilityOptions } from "./stability.ts";

/** The next larger model. */
export interface NextLarger {
  readonly model: string;
  /** Its best spec that fits; where none fits its smallest stable one. Null where all of its runs are unstable. */
  readonly spec: string | null;
  /** Bytes that the budget would be charged. */
  readonly needed: number | null;
  readonly fits: boolean;
  /** One sentence. */
  readonly sentence: string;
}

/** What is asked. */
export interface RecommendOptions extends PoolFilter, StabilityOptions {
  /** In bytes: of all tensor data, as the report counts models, or with a workload of everything that running takes. */
  readonly budget: number;
  readonly workload?: Workload;
  /** Tokens a second of each sequence that are wanted. */
  readonly tokensPerSecond?: number;
  /** Bytes a second that memory delivers, for what was not timed. */
  readonly bandwidth?: number;
  /** At which a speed is meant; what is absent: as in the workload, else 1 sequence of 128 tokens. */
  readonly timing?: { readonly batch?: number; readonly context?: number };
  /** Shapes by the name of the model. */
  readonly shapes?: ReadonlyMap<string, ModelShape>;
  /** Bytes of the header of the weights' file, by the name of the model, then the spec. */
  readonly headers?: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** False: only what was measured. */
  readonly predict?: boolean;
  /** True: laws are fitted and told also where they predict nothing. */
  readonly details?: boolean;
  /** Told what is being done before each step that may take seconds. */
  readonly onStep?: (step: string) => void;
}

/** A candidate with what it takes. */
export interface Option extends Candidate {
  /** Bytes that the budget is charged. */
  readonly needed: number;
  /** Of the weights' file; null where the model's checkpoint is not at hand. */
  readonly headerBytes: number | null;
  /** The weights' file: tensor data and header; null as the header. */
  readonly fileBytes: number | null;
  readonly cacheBytes: number | null;
  readonly workspaceBytes: number | null;
  /** Of each sequence; null where nothing was timed and no bandwidth was named. */
  readonly tokensPerSecond: number | null;
  readonly speedSource: SpeedSource | null;
  /** 95 %; null where the error is not known. */
  readonly interval: readonly [number, number] | null;
}

/** One that is not the best, and by how much. */
export interface Alternative extends Option {
  /** How much worse than the best, in the metric's unit. */
  readonly difference: number;
  /** 95 %; null where an error is not known. */
  readonly differenceInterval: readonly [number, number] | null;
}

/** The advice. */
export interface Recommendation {
  readonly task: string;
  readonly metric: MetricFacts;
  /** By what it is judged: `loss on heldout.txt`. */
  readonly criterion: string;
  readonly budget: number;
  /** Null where nothing fits; `answer` says why. */
  readonly best: Option | null;
  /** By how much its value is flattered by being the best of several; null where it is a prediction or has no documents. */
  readonly optimism: number | null;
  /** The next best, at most three. */
  readonly alternatives: readonly Alternative[];
  /** The Pareto front around the budget, ascending by size. */
  readonly frontier: readonly (Option & { readonly fits: boolean })[];
  readonly nextExperiment: NextExperiment | null;
  /** Why none is worth doing, a sentence; null where one is, or where nothing could be measured. */
  readonly noExperiment: string | null;
  /** The next larger model of the best's family, and why it is not the answer; null where there is none. */
  readonly nextLarger: NextLarger | null;
  /** Precisions at exactly this budget by the curves of the answer's family; null with a workload or outside them. */
  readonly precision: PrecisionEvidence | null;
  /** One sentence. */
  readonly answer: string;
  readonly assumptions: readonly string[];
  /** The same for who wants to check: formulas, and what is wrong with a fit. */
  readonly details: readonly string[];
  readonly laws: readonly FamilyLaw[];
}
