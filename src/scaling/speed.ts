// How fast a candidate writes: as it was timed, as a neighbour was timed, or as a bandwidth lets it.

import type { ResultRow } from "../result.ts";
import { type LatencyRow, listLatencies } from "./latency.ts";
import { modelKey } from "./series.ts";

/** How a speed is known. */
export type SpeedSource = "timed" | "neighbour" | "bandwidth";

/** Tokens a second of each sequence. */
export interface Speed {
  readonly tokensPerSecond: number;
  readonly source: SpeedSource;
}

/** What a speed is asked of. */
export interface SpeedQuestion {
  /** Of `modelKey`. */
  readonly model: string;
  readonly spec: string;
  readonly bitsPerWeight: number;
  /** Of all tensor data. */
  readonly bytes: number;
  /** Of keys and values; 0 where they are not known. */
  readonly cacheBytes: number;
}

/**
 * A reader of speeds. Rows of the task `latency` at this batch come first, those of the context nearest to the one asked for.
 * A model or spec that was not timed takes the bandwidth `bytes / time` of the timed one nearest in bits, then in size;
 * where nothing was timed each token reads every weight and the cache at `bandwidth` bytes a second.
 * Null where there is neither.
 */
export function createSpeedReader(
  rows: readonly ResultRow[],
  { batch = 1, context = 128, bandwidth }: { batch?: number; context?: number; bandwidth?: number } = {},
): (question: SpeedQuestion) => Speed | null {
  const timed = listLatencies(rows).filter((one) => one.batch === batch);
  const byContext = (one: LatencyRow) => Math.abs(Math.log(one.context / context));
  timed.sort((a, b) => byContext(a) - byContext(b));
  const cells = new Map<string, LatencyRow>();
  for (const one of timed) {
    const cell = `${modelKey(one.row)} ${one.row.key.spec}`;
    if (!cells.has(cell)) cells.set(cell, one);
  }
  return ({ model, spec, bitsPerWeight, bytes, cacheBytes }) => {
    const own = cells.get(`${model} ${spec}`);
    if (own) return { tokensPerSecond: 1000 / own.msPerToken, source: "timed" };
    const distance = ({ row }: LatencyRow): [number, number] => [
      Math.abs(row.bitsPerWeight - bitsPerWeight),
      Math.abs(Math.log(row.bits.total / 8 / bytes)),
    ];
    let nearest: LatencyRow | undefined;
    for (const one of cells.values())
      if (nearest === undefined || isLess(distance(one), distance(nearest))) nearest = one;
    if (nearest) {
      const milliseconds = (nearest.msPerToken * bytes) / (nearest.row.bits.total / 8);
      return { tokensPerSecond: 1000 / milliseconds, source: "neighbour" };
    }
    return bandwidth === undefined ? null : { tokensPerSecond: bandwidth / (bytes + cacheBytes), source: "bandwidth" };
  };
}

function isLess([a, b]: [number, number], [c, d]: [number, number]): boolean {
  return a < c || (a === c && b < d);
}
