// What an advice takes for granted, a sentence each.

import type { Option, RecommendOptions } from "./advice.ts";
import type { FamilyLaw } from "./candidates.ts";
import { isMix } from "./facets.ts";
import { formulaOf } from "./laws/law.ts";
import { hasLostDocuments } from "./mean-row.ts";
import type { MetricFacts } from "./metrics.ts";
import type { SpeedSource } from "./speed.ts";

/** What everybody should know, and what is for who wants to check. */
export interface Assumptions {
  readonly assumptions: readonly string[];
  readonly details: readonly string[];
}

/** The sentences; `unstable` is how many of the results compared were left out as that. */
export function listAssumptions(
  all: readonly Option[],
  best: Option | null,
  options: RecommendOptions,
  laws: readonly FamilyLaw[],
  unstable: number,
): Assumptions {
  const { budget, workload, tokensPerSecond, bandwidth, timing } = options;
  const lines = [
    workload
      ? "Weights are all tensor data: codes, scales, codebooks, embeddings, head."
      : "Sizes are all tensor data, as in kbit report: codes, scales, codebooks, embeddings, head.",
  ];
  const details: string[] = [];
  if (!workload && all.some((one) => one.fileBytes === null))
    details.push("A file has about 130 bytes of header more a stored tensor; for exact files pass --models FOLDER.");
  if (!workload && all.some((one) => isMix(one.spec) && one.headerBytes !== null))
    details.push("The file of a mix is estimated, on the large side, from those of its model at other specs.");
  const unknown = all.filter((one) => one.cacheBytes === null).length;
  if (workload && unknown > 0)
    lines.push(
      "Cache and workspace are not counted for models whose shape is not known; pass --models FOLDER with their checkpoints.",
    );
  if (workload)
    lines.push(
      `Memory: weights, ${workload.kvBits}-bit keys and values of ${workload.batch} x ${workload.context} tokens, activations of one token a sequence in float32.`,
    );
  if (tokensPerSecond !== undefined) lines.push(describeSpeeds(all, timing?.batch ?? workload?.batch ?? 1));
  if (bandwidth !== undefined && all.some(({ speedSource: source }) => source === "timed" || source === "neighbour"))
    lines.push("The bandwidth given was not used: the store has times at this batch, and they decide.");
  const largest = Math.max(...all.map((one) => one.needed));
  if (best !== null && budget > largest * 2)
    lines.push(
      `The budget is more than twice the largest that was measured (${formatBytes(largest)}); a larger model may be better, and nothing is extrapolated to one.`,
    );
  for (const { family, choice, whyNot, isComplete } of laws) {
    const predicted = all.filter((one) => one.family === family && one.source === "predicted").length;
    if (choice && predicted > 0)
      lines.push(`${family}: what was not measured (${predicted} here) is predicted by "${choice.best.law.label}".`);
    if (choice)
      details.push(
        `The law of ${family}: ${formulaOf(choice.best.law, choice.best.fit.design)}`,
        ...choice.best.problems.map((problem) => `The law of ${family}: ${problem}`),
      );
    else (isComplete ? details : lines).push(`${family}: only what was measured counts. ${whyNot}`);
  }
  if (unstable > 0)
    lines.push(unstable === 1 ? "1 unstable result took no part." : `${unstable} unstable results took no part.`);
  if (all.length > 1 && all.every((one) => hasLostDocuments(one.row)))
    lines.push(
      "These rows carry no documents, so differences are unpaired: their intervals are far too wide. Export the store to .parquet or .jsonl to compare document by document.",
    );
  if (all.some((one) => one.standardError === null))
    lines.push("Some results have no standard error, so they have no interval.");
  return { assumptions: lines, details };
}

function describeSpeeds(all: readonly Option[], batch: number): string {
  const count = (source: SpeedSource) => all.filter((one) => one.speedSource === source).length;
  const [timed, neighbour] = [count("timed"), count("neighbour")];
  if (count("bandwidth") > 0)
    return "Speed: every weight and the cache are read once for each token of the batch, at the bandwidth given; arithmetic costs nothing.";
  const rest = neighbour > 0 ? `, ${neighbour} take the bytes a second of the timed one that is nearest in bits` : "";
  return `Speed at batch ${batch}: ${timed} of ${all.length} were timed${rest}.`;
}

/** How far the best of several is flattered. */
export function describeOptimism(optimism: number | null, { unit }: MetricFacts): string {
  if (optimism === null)
    return "The best of several noisy values is a little optimistic; intervals do not correct for that.";
  const size = optimism < 5e-5 ? "less than 0.0001" : `about ${Number(optimism.toPrecision(1))}`;
  return `Being the best of several flatters its value by ${size}${unit && ` ${unit}`} (chosen on half of the documents, measured on the other); intervals do not correct for that.`;
}

/** Decimal bytes, three digits, as the report writes sizes. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let step = 0;
  let value = bytes;
  for (; value >= 999.5 && step < units.length - 1; step++) value /= 1000;
  return `${Number(value.toPrecision(3))} ${units[step]}`;
}
