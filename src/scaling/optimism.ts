// By how much the best of several noisy values is flattered by being chosen: documents are split in half, the choice is made
// on one half and measured on the other.

import type { ResultRow } from "../result.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { readDeviations } from "./paired.ts";
import { createUniform } from "./random.ts";

/** A measured choice. */
export interface Contender {
  readonly row: ResultRow;
  readonly value: number;
}

/** Random halves over which the estimate is the mean. */
const splits = 200;

/**
 * The best value less what the choice gives on documents that it was not made on, in the metric's unit; 0 for a single
 * contender. With `u` of `readDeviations` and `s = 2 sqrt((n - 1) / n) sum of u` over one half, a value on that half is `v + s`
 * and on the other `v - s`. Null where the best has no documents. Contenders on other documents take no part.
 */
export function estimateOptimism(contenders: readonly Contender[], metric: MetricFacts): number | null {
  if (contenders.length === 0) return null;
  const better = (a: number, b: number) => advantage(metric, a, b) > 0;
  const best = contenders.reduce((a, b) => (better(b.value, a.value) ? b : a));
  const length = readDeviations(best.row, metric)?.length ?? 0;
  if (length < 4) return null;
  const rivals = contenders.flatMap(({ row, value }) => {
    const deviations = row.key.dataHash === best.row.key.dataHash ? readDeviations(row, metric) : null;
    return deviations?.length === length ? [{ value, deviations }] : [];
  });
  const random = createUniform(1);
  const order = Array.from({ length }, (_, i) => i);
  const scale = 2 * Math.sqrt((length - 1) / length);
  let sum = 0;
  for (let split = 0; split < splits; split++) {
    for (let i = length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    const half = order.slice(0, Math.floor(length / 2));
    const shifts = rivals.map(({ deviations }) => scale * half.reduce((total, i) => total + deviations[i], 0));
    for (const sign of [1, -1]) {
      let chosen = 0;
      for (let k = 1; k < rivals.length; k++)
        if (better(rivals[k].value + sign * shifts[k], rivals[chosen].value + sign * shifts[chosen])) chosen = k;
      sum += rivals[chosen].value - sign * shifts[chosen];
    }
  }
  return Math.max(0, advantage(metric, best.value, sum / (2 * splits)));
}
