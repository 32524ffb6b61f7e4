// Measured times of tokens: rows of the task `latency`, with what they were measured at.
// Times compare only on one machine with the same kernels and threads, which the row's data hash stands for.

import type { ResultRow } from "../result.ts";
import { groupBy } from "./series.ts";

/** A time. */
export interface LatencyRow {
  readonly row: ResultRow;
  readonly batch: number;
  readonly context: number;
  /** Of a token of every sequence. */
  readonly msPerToken: number;
}

/** The times of the machine that most were taken on; of equals the one of the latest. */
export function listLatencies(rows: readonly ResultRow[]): LatencyRow[] {
  const all = rows.flatMap((row): LatencyRow[] => {
    const [, batch, context] = /^batch-(\d+)-context-(\d+)$/.exec(row.key.profile) ?? [];
    const msPerToken = row.metrics["msPerToken"]?.value;
    if (row.key.task !== "latency" || batch === undefined || !(msPerToken > 0 && Number.isFinite(msPerToken)))
      return [];
    return [{ row, batch: Number(batch), context: Number(context), msPerToken }];
  });
  const machines = [...groupBy(all, ({ row: { key } }) => `${key.dataHash} ${key.computeType}`).values()];
  const latest = (own: readonly LatencyRow[]) => own.reduce((last, { row }) => (row.date > last ? row.date : last), "");
  machines.sort((a, b) => b.length - a.length || (latest(b) > latest(a) ? 1 : -1));
  return machines[0] ?? [];
}
