// Finds runs that quantization broke: a loss far above the same model's 16-bit loss, or answers no better than chance.
// They are shown, but no curve or frontier contains them.

import type { ResultRow } from "../result.ts";
import { findMetric, readMetric } from "./metrics.ts";
import { groupBy, modelKey } from "./series.ts";

/** A loss this far above the 16-bit loss is unstable, in nats a token. */
const unstableNats = 1.5;

/** One unstable row and why. */
export interface UnstableRow {
  readonly row: ResultRow;
  /** One sentence. */
  readonly reason: string;
}

/** How unstable runs are told. */
export interface StabilityOptions {
  /** `paper`: also every loss above ln 100, the cut at perplexity 100 of the paper's figures, whatever 16 bits give. */
  readonly cut?: "paper";
}

const loss = findMetric("nll");
const paperCut = Math.log(100);

/**
 * The rows of models that became unstable at a spec: those whose loss is not finite, or more than 1.5 nats above
 * the loss of the same model at 16 bits or more, measured in the same way; and those whose accuracy is within its
 * standard error of chance where that of 16 bits is above it. Rows of the same model and spec on other tasks are
 * unstable with them. A model without a 16-bit row is judged only by whether its loss is finite.
 */
export function findUnstable(rows: readonly ResultRow[], { cut }: StabilityOptions = {}): UnstableRow[] {
  const reasons = new Map<string, string>(); // by model and spec
  for (const [, group] of groupBy(rows, sameMeasurement)) {
    const baselines = group
      .filter((row) => row.bitsPerWeight >= 16)
      .map((row) => readMetric(row, loss)?.value ?? Number.NaN)
      .filter(Number.isFinite);
    const baseline = Math.min(...baselines);
    for (const row of group) {
      if (isAtChance(row) && group.some((one) => one.bitsPerWeight >= 16 && isAboveChance(one))) {
        reasons.set(modelAndSpec(row), `Accuracy is no better than chance on ${row.key.task}.`);
      }
      const reading = readMetric(row, loss);
      if (reading === undefined) continue;
      if (!Number.isFinite(reading.value)) {
        reasons.set(modelAndSpec(row), `Loss is not a finite number on ${row.key.task}.`);
      } else if (row.bitsPerWeight < 16 && reading.value - baseline > unstableNats) {
        const excess = (reading.value - baseline).toFixed(2);
        reasons.set(modelAndSpec(row), `Loss is ${excess} nats above the model's 16-bit loss on ${row.key.task}.`);
      } else if (cut === "paper" && reading.value > paperCut) {
        reasons.set(modelAndSpec(row), `Perplexity is above 100 on ${row.key.task}.`);
      }
    }
  }
  return rows.flatMap((row) => {
    const reason = row.key.task === "latency" ? undefined : reasons.get(modelAndSpec(row)); // it is as fast as any
    return reason === undefined ? [] : [{ row, reason }];
  });
}

function isAtChance(row: ResultRow): boolean {
  const excess = readExcess(row);
  return row.bitsPerWeight < 16 && excess !== undefined && excess.value <= excess.standardError;
}

function isAboveChance(row: ResultRow): boolean {
  const excess = readExcess(row);
  return excess !== undefined && excess.value > excess.standardError;
}

// Accuracy above chance with its standard error; undefined where a row does not say what guessing scores.
function readExcess({ metrics: { acc } }: ResultRow): { value: number; standardError: number } | undefined {
  if (acc?.chance === undefined) return undefined;
  return { value: acc.value - acc.chance, standardError: acc.standardError ?? 0 };
}

function modelAndSpec(row: ResultRow): string {
  return `${modelKey(row)} ${row.key.spec}`;
}

function sameMeasurement(row: ResultRow): string {
  const { task, taskVersion, dataHash, limit, profile } = row.key;
  return JSON.stringify([modelKey(row), task, taskVersion, dataHash, limit, profile]);
}
