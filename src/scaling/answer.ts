// The answer for one series, whole: curves, winners at round budgets, shares, frontier, and what was left out.
// Terminal, page and JSON all show this one object.

import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import { chooseBudgets } from "./budgets.ts";
import { type Comparison, compareAt, compareRange, type RangeComparison } from "./compare.ts";
import { buildCurves, type CountName, type Curve, type Point, placePoints } from "./curves.ts";
import { passesFilter, type SpecFilter } from "./facets.ts";
import { type Choice, chooseWithin, findFrontier } from "./frontier.ts";
import { averageAccuracies } from "./mean-accuracy.ts";
import { isMean } from "./mean-row.ts";
import { groupSeries, type Series, type SeriesFilter } from "./series.ts";
import { findUnstable, type UnstableRow } from "./stability.ts";

/** What to compare and how. */
export interface AnswerOptions extends SpecFilter, SeriesFilter {
  /** Which bits a model is charged for; default `all`. */
  readonly count?: CountName;
  /** Budgets in bits; default: about eight round ones across the range that was measured. */
  readonly budgets?: readonly number[];
}

/** The answer at one budget. */
export interface BudgetAnswer {
  /** In bits. */
  readonly budget: number;
  /** By the curves: precisions at exactly this size, as the paper compares them. */
  readonly curves: Comparison;
  /** By what was measured: the best model and spec that fit; null where nothing fits. */
  readonly choice: Choice | null;
}

/** The answer for one series. */
export interface Answer {
  readonly series: Series;
  readonly count: CountName;
  /** Every stable point that passes the filters, ascending by bits. */
  readonly points: readonly Point[];
  readonly curves: readonly Curve[];
  readonly range: RangeComparison;
  readonly budgets: readonly BudgetAnswer[];
  readonly frontier: readonly Point[];
  /** Unstable points: shown, but in no curve, choice or frontier. */
  readonly unstable: readonly UnstableRow[];
}

/** The choices of `count`, as options spell them. */
export const countNames: readonly CountName[] = ["all", "nonEmbedding", "quantized"];

/** The series of rows, each answered when it is asked for. */
export interface Answers {
  /** Those that have something to show, the one with most models first. */
  readonly series: readonly Series[];
  answer(series: Series): Answer;
}

/**
 * One answer a series, the one with most models first, and one for the mean of a family's tasks; none where no row has the metric or passes the filters.
 *
 * @throws InputError for an unknown metric or a budget that is not a positive number
 */
export function answerRows(rows: readonly ResultRow[], options: AnswerOptions = {}): Answer[] {
  const { series, answer } = prepareAnswers(rows, options);
  return series.map(answer);
}

/**
 * The same, each answer made at its first use: of many series a page shows one.
 *
 * @throws InputError for an unknown metric or a budget that is not a positive number
 */
export function prepareAnswers(rows: readonly ResultRow[], options: AnswerOptions = {}): Answers {
  for (const budget of options.budgets ?? []) {
    if (!(budget > 0 && Number.isFinite(budget))) throw new InputError(`Budget ${budget} is not a positive size.`);
  }
  const { all, unstable } = judgeRows(rows);
  const isUnstable = new Set(unstable.map(({ row }) => row));
  const known = new Map<Series, Answer>();
  return {
    series: groupSeries(all, options).filter((series) =>
      series.rows.some((row) =>
        isUnstable.has(row) ? passesFilter(row.key.spec, options) : place([row], series, options).length > 0,
      ),
    ),
    answer(series) {
      const answer = known.get(series) ?? answerSeries(series, unstable, options);
      known.set(series, answer);
      return answer;
    },
  };
}

/** The measured rows that are unstable, of all tasks. */
export function listUnstable(rows: readonly ResultRow[]): UnstableRow[] {
  return judgeRows(rows).unstable.filter(({ row }) => !isMean(row));
}

const judged = new WeakMap<readonly ResultRow[], { all: ResultRow[]; unstable: UnstableRow[] }>();

// Rows with the means of tasks, and which of them are unstable; the same for all options.
function judgeRows(rows: readonly ResultRow[]) {
  const known = judged.get(rows);
  if (known !== undefined) return known;
  const all = [...rows, ...averageAccuracies(rows)];
  const made = { all, unstable: findUnstable(all) };
  judged.set(rows, made);
  return made;
}

function place(rows: readonly ResultRow[], { metric }: Series, options: AnswerOptions): Point[] {
  return placePoints(rows, metric, options.count ?? "all", options);
}

function answerSeries(series: Series, allUnstable: readonly UnstableRow[], options: AnswerOptions): Answer {
  const { metric } = series;
  const count = options.count ?? "all";
  const members = new Set(series.rows);
  const unstable = allUnstable.filter(({ row }) => members.has(row) && passesFilter(row.key.spec, options));
  for (const { row } of unstable) members.delete(row);
  const points = place([...members], series, options);
  const curves = buildCurves(points, metric);
  const range = compareRange(curves, metric);
  const budgets = options.budgets ?? defaultBudgets(points, range);
  return {
    series,
    count,
    points,
    curves,
    range,
    budgets: budgets.map((budget) => ({
      budget,
      curves: compareAt(curves, metric, budget),
      choice: chooseWithin(points, metric, budget),
    })),
    frontier: findFrontier(points, metric),
    unstable,
  };
}

// Where no two curves overlap, the budgets of the measured points themselves still have a best choice.
function defaultBudgets(points: readonly Point[], range: RangeComparison): number[] {
  if (range.measured !== null) return chooseBudgets(range.measured[0], range.measured[1]);
  return points.length === 0 ? [] : chooseBudgets(points[0].bits, points[points.length - 1].bits * 1.5);
}
