// An answer as plain data for JSON: points as what identifies them instead of whole rows.

import type { Answer } from "./answer.ts";
import type { Comparison } from "./compare.ts";
import type { Point } from "./curves.ts";

/** A point as data. */
export interface PointSummary {
  readonly model: string;
  readonly spec: string;
  readonly bitsPerWeight: number;
  readonly bits: number;
  readonly bytes: number;
  readonly value: number;
  readonly standardError: number | null;
  /** Id of the row. */
  readonly id: string;
}

/** What a point is, without the rest of its row. */
function summarizePoint({ row, bits, value, standardError }: Point): PointSummary {
  const { spec } = row.key;
  const { bitsPerWeight, id } = row;
  return { model: row.model.name, spec, bitsPerWeight, bits, bytes: bits / 8, value, standardError, id };
}

/** The answer as data: budgets with winners and margins, shares, crossings, pairs, curves, frontier, unstable rows. */
export function summarizeAnswer(answer: Answer) {
  const { series, count, budgets, range, curves, frontier, unstable } = answer;
  return {
    family: series.family,
    task: series.task,
    metric: series.metric.name,
    better: series.metric.better,
    unit: series.metric.unit,
    note: series.note,
    across: series.across ?? null,
    apart: series.apart ?? null,
    count,
    models: new Set(series.rows.map((row) => row.model.name)).size,
    budgets: budgets.map(({ budget, curves: comparison, choice }) => ({
      budgetBits: budget,
      budgetBytes: budget / 8,
      choice: choice && {
        best: summarizePoint(choice.best),
        second: choice.second && summarizePoint(choice.second),
        margin: choice.margin,
      },
      precision: summarizeComparison(comparison),
    })),
    ...range,
    curves: curves.map(({ bitsPerWeight, points }) => ({ bitsPerWeight, points: points.map(summarizePoint) })),
    frontier: frontier.map(summarizePoint),
    unstable: unstable.map(({ row, reason }) => ({ model: row.model.name, spec: row.key.spec, reason, id: row.id })),
  };
}

function summarizeComparison({ standings, outdoneBy, margin }: Comparison) {
  const [best, second] = outdoneBy === null ? standings : [];
  return {
    best: best?.bitsPerWeight ?? null,
    second: second?.bitsPerWeight ?? null,
    outdoneBy: outdoneBy && summarizePoint(outdoneBy.point),
    margin,
    standings: standings.map(({ bitsPerWeight, value, standardError, parameters }) => {
      return { bitsPerWeight, value, standardError, parameters };
    }),
  };
}
