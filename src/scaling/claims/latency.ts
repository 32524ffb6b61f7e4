// The check of the claim about speed, on rows of the task `latency`: how the time of a token goes with the model's bits.

import type { ResultRow } from "../../result.ts";
import { type Estimate, intervalOf } from "../contrast.ts";
import { estimateMeanEffect } from "../effect.ts";
import { listLatencies } from "../latency.ts";
import type { MetricFacts } from "../metrics.ts";
import { groupBy, modelKey } from "../series.ts";
import { meanOf } from "../statistics.ts";
import type { Frame } from "./frame.ts";
import { type Finding, formatNumber, lackEvidence } from "./verdict.ts";

/** Exponents of bits in latency that count as proportional. */
const proportional = [0.7, 1.3] as const;
/** Models of fewer bytes than this stay in the caches of many processors. */
const cacheBytes = 64e6;

/**
 * At the smallest batch that was timed the time of a token is proportional to the model's bits: the exponent of each model
 * by least squares of ln time on ln bits, and its mean over models. Larger batches are reported beside it.
 */
export function checkLatency({ allRows, metric }: Frame): Finding {
  const byBatch = [...groupBy(listLatencies(allRows), (one) => String(one.batch))];
  byBatch.sort(([a], [b]) => Number(a) - Number(b));
  const found = byBatch.flatMap(([batch, all]) => {
    const rows = all.map((one) => one.row);
    const estimate = estimateExponent(rows, metric);
    return estimate === null ? [] : [{ batch, rows, estimate }];
  });
  if (found.length === 0) return lackEvidence("No model was timed at three precisions or more.", "exponent");
  const [{ batch, rows, estimate }, ...larger] = found;
  const { value: effect } = estimate;
  const interval = intervalOf(estimate);
  const at = (one: Estimate) => formatNumber(one.value);
  const what = `Time of a token goes with bits to the power of ${at(estimate)} at batch ${batch}`;
  if (interval === null) return { ...lackEvidence(`${what}; an interval needs three models.`, "exponent"), effect };
  const [low, high] = interval;
  const isInside = low > proportional[0] && high < proportional[1];
  const isOutside = high < proportional[0] || low > proportional[1];
  const isCached = Math.max(...rows.map((row) => row.bits.total / 8)) < cacheBytes;
  const verdict = isInside ? "holds" : isOutside && !isCached ? "does not hold" : "not enough evidence";
  const others = larger.map((one) => ` At batch ${one.batch}: ${at(one.estimate)}.`).join("");
  const small =
    !isInside && isCached
      ? " The claim is of models that are read from memory; all of these are small enough to stay in a processor's cache."
      : "";
  const range = `[${formatNumber(low)}, ${formatNumber(high)}]`;
  return {
    verdict,
    effect,
    interval,
    unit: "exponent",
    reason: `${what} ${range}; 0.7 to 1.3 is proportional.${others}${small}`,
  };
}

/** The mean over models of the slope of ln time on ln bits; null where no model has three sizes. */
function estimateExponent(rows: readonly ResultRow[], metric: MetricFacts): Estimate | null {
  const slopes = [...groupBy(rows, modelKey).values()].flatMap((own) => {
    const x = own.map((row) => Math.log(row.bits.total));
    if (new Set(x).size < 3) return [];
    const [mean, y] = [meanOf(x), own.map((row) => Math.log(row.metrics["msPerToken"].value))];
    const spread = x.reduce((sum, one) => sum + (one - mean) ** 2, 0);
    const value = x.reduce((sum, one, i) => sum + (one - mean) * y[i], 0) / spread;
    return [{ size: own[0].model.parameters, value, parts: [] }];
  });
  return slopes.length === 0 ? null : estimateMeanEffect(slopes, metric);
}
