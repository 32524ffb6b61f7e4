// Two models' results on one task, document by document: who is right where, and by how much that may be chance.
// It takes results of task.ts; the models need not share a tokenizer.

import { indexOfLargest } from "../metrics.ts";
import { mean } from "../sum.ts";
import type { TaskResult } from "../task.ts";
import { type Estimated, estimatePairs, estimateShares, type Interval, testMcNemar } from "./paired.ts";

/** The mean difference, other less base, and its 95 % interval. */
export interface Difference extends Interval {
  readonly value: number;
  readonly standardError: number;
}

/** Accuracies of a task compared. */
export interface AccuracyComparison {
  readonly base: number;
  readonly other: number;
  /** Undefined below `fewestPairs` documents. */
  readonly difference: Difference | undefined;
  /** Documents that only the base, or only the other, has right. */
  readonly lost: number;
  readonly won: number;
  /** Share of documents that go from right to wrong or back: `(lost + won) / documents`. */
  readonly flips: number;
  /** McNemar's exact test. */
  readonly pValue: number;
}

/** A task compared. */
export interface TaskComparison {
  readonly task: string;
  readonly documents: number;
  /** `acc`, `acc_norm`, `acc_bytes`, those that the task reports. */
  readonly accuracies: Readonly<Record<string, AccuracyComparison>>;
  /** Change of the right answer's (or the text's) negative log-likelihood a document, nats. */
  readonly nll: Difference | undefined;
  /** Choices only: share of documents for which the two choose differently, right or wrong. */
  readonly changedAnswers: number | undefined;
}

const accuracyNames = ["acc", "acc_norm", "acc_bytes"] as const;

/** Compares two results on the same documents. */
export function compareResults(base: TaskResult, other: TaskResult): TaskComparison {
  const documents = base.documents.length;
  if (base.task !== other.task || documents !== other.documents.length) throw new Error("results of different tasks");
  const accuracies: Record<string, AccuracyComparison> = {};
  for (const name of accuracyNames) {
    if (!(name in base.metrics)) continue;
    const before = base.documents.map((document) => document[name]!);
    const after = other.documents.map((document) => document[name]!);
    const lost = before.filter((right, i) => right > after[i]).length;
    const won = before.filter((right, i) => right < after[i]).length;
    accuracies[name] = {
      base: mean(before),
      other: mean(after),
      difference: describeDifference((won - lost) / documents, estimateShares(lost, won, documents)),
      lost,
      won,
      flips: (lost + won) / documents,
      pValue: testMcNemar(lost, won),
    };
  }
  const lossOf = ({ logLikelihoods, gold = 0 }: TaskResult["documents"][number]) => -logLikelihoods[gold];
  const isChoice = base.documents.some((document) => document.gold !== undefined);
  const changed = base.documents.filter(
    ({ logLikelihoods }, i) => indexOfLargest(logLikelihoods) !== indexOfLargest(other.documents[i].logLikelihoods),
  ).length;
  const losses = base.documents.map((document, i) => lossOf(other.documents[i]) - lossOf(document));
  return {
    task: base.task,
    documents,
    accuracies,
    nll: describeDifference(mean(losses), estimatePairs(losses)),
    changedAnswers: isChoice ? changed / documents : undefined,
  };
}

function describeDifference(value: number, estimated: Estimated | undefined): Difference | undefined {
  return estimated && { value, ...estimated };
}
