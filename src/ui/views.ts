// What the live page shows of a store's rows, as HTML and plain data: the same sections as the report, for one series at
// a time. Pure functions of rows; a Board keeps what is costly between requests and forgets it when rows come.

import { InputError } from "../input-error.ts";
import { renderContrasts } from "../report/contrasts.ts";
import { renderExperiments } from "../report/experiments.ts";
import { narrow, wide } from "../report/figure-block.ts";
import { renderFindings } from "../report/findings.ts";
import { createFrame } from "../report/frame.ts";
import { describeSeries, writeChoice, writeHeadline } from "../report/headline.ts";
import { explainEmpty, nameFamilies, renderHeadline } from "../report/html.ts";
import { tabulateRecords } from "../report/records.ts";
import { renderAnswer, renderProvenance, renderTroubles } from "../report/sections.ts";
import { escapeHtml } from "../report/text.ts";
import { formatPlural, formatPrecision } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { type Answer, type AnswerOptions, answerRows, countNames } from "../scaling/answer.ts";
import { compareAt } from "../scaling/compare.ts";
import type { CountName } from "../scaling/curves.ts";
import { readFacets } from "../scaling/facets.ts";
import { chooseWithin } from "../scaling/frontier.ts";
import { metrics, readMetric } from "../scaling/metrics.ts";
import { findUnstable } from "../scaling/stability.ts";

/** What the page shows for one choice of series and filters. */
export interface LiveView {
  readonly title: string;
  /** Heading, answer and facts. */
  readonly head: string;
  /** Figures, tables, failures, experiments, provenance. */
  readonly main: string;
  /** Each series that could be shown, the chosen one, and the choices of the filters: value and label. */
  readonly series: readonly string[];
  readonly chosen: string;
  readonly types: readonly string[];
  readonly blocks: readonly string[];
  readonly metrics: readonly (readonly [string, string])[];
  /** Smallest and largest size of the series in bits; null where it has no point. */
  readonly range: readonly [number, number] | null;
}

/** The recommendation at one budget. */
export interface LiveChoice {
  readonly budget: number;
  /** What to choose, and which precision wins at this size, a sentence each. */
  readonly sentences: readonly string[];
  /** Row of the best choice in the table; -1: none. */
  readonly row: number;
  /** Where the budget stands in the figures, in their pixels: x, top and bottom. */
  readonly marks: Readonly<Record<"wide" | "narrow", readonly [number, number, number]>>;
}

/** A store's rows and all that is shown of them. */
export interface Board {
  readonly count: number;
  /** @throws InputError for an unknown metric, count or budget */
  view(query: URLSearchParams): LiveView;
  /** @throws InputError for a budget that is no size */
  choose(query: URLSearchParams): LiveChoice;
  /** The table's records as JSON. */
  records(): string;
}

/** What is kept for so many choices of filters. */
const mostKept = 8;

/** Everything the page shows of these rows. */
export function createBoard(rows: readonly ResultRow[], failures: readonly FailureRow[], store: string): Board {
  const known = new Map<string, Answer[]>();
  const views = new Map<string, LiveView>();
  const rowIndex = new Map(rows.map((row, i) => [row, i]));
  const unstable = findUnstable(rows);
  const facets = [...new Set(rows.map((row) => row.key.spec))]
    .map(readFacets)
    .filter(({ type }) => type !== "baseline");
  const distinct = (values: readonly string[]) =>
    [...new Set(values)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const measured = metrics.filter((metric) => rows.some((row) => readMetric(row, metric) !== undefined));
  let records: string | undefined;
  let findings: string | undefined;

  function answer(options: AnswerOptions): Answer[] {
    return remember(known, JSON.stringify(options), () => answerRows(rows, options));
  }
  function find(query: URLSearchParams): { answers: Answer[]; chosen: Answer | undefined; options: AnswerOptions } {
    const options = readOptions(query);
    const answers = answer(options);
    const wanted = query.get("series");
    return { answers, options, chosen: answers.find((one) => describeSeries(one) === wanted) ?? answers[0] };
  }
  function renderHead(chosen: Answer | undefined, options: AnswerOptions): string {
    const counts = [formatPlural(rows.length, "experiment")];
    if (failures.length > 0) counts.push(formatPlural(failures.length, "failure"));
    if (unstable.length > 0) counts.push(`${unstable.length} unstable`);
    const sentences = chosen === undefined ? explainEmpty(rows.length, options) : writeHeadline(chosen);
    const series = chosen === undefined ? "" : `${describeSeries(chosen)} · `;
    return `<h1><bdi>${escapeHtml(nameFamilies(rows))}</bdi></h1>
${renderHeadline(sentences)}
<p class="facts">${escapeHtml(series + counts.join(", "))}</p>`;
  }

  function show(query: URLSearchParams): LiveView {
    const { answers, chosen, options } = find(query);
    const points = chosen?.points ?? [];
    return {
      title: nameFamilies(rows),
      head: renderHead(chosen, options),
      main: `${chosen === undefined ? "" : `<section aria-label="The answer">${renderAnswer(chosen, rowIndex)}</section>${renderContrasts(chosen, answers, rowIndex)}`}
${(findings ??= renderFindings(rows))}
${renderTroubles(failures, unstable)}
${renderExperiments(rows, new Set(unstable.map(({ row }) => rowIndex.get(row)!)))}
${renderProvenance(rows, [["Store", store]])}`,
      series: answers.map(describeSeries),
      chosen: chosen === undefined ? "" : describeSeries(chosen),
      types: distinct(facets.map(({ type }) => type)),
      blocks: distinct(facets.map(({ block }) => block)),
      metrics: measured.map(({ name, label }) => [name, label]),
      range: points.length === 0 ? null : [points[0].bits, points[points.length - 1].bits],
    };
  }

  return {
    count: rows.length,
    view: (query) => remember(views, query.toString(), () => show(query)),
    choose(query) {
      const budget = Number(query.get("budget"));
      if (!(budget > 0 && Number.isFinite(budget))) throw new InputError("The budget is not a positive size in bits.");
      const { chosen } = find(query);
      if (chosen === undefined || chosen.points.length === 0)
        throw new InputError("There is nothing to choose from yet.");
      const { metric } = chosen.series;
      const choice = chooseWithin(chosen.points, metric, budget);
      const mark = (size: typeof wide): [number, number, number] => {
        const { x, y, values } = createFrame(chosen, size);
        return [x(budget), y(values[1]), y(values[0])];
      };
      return {
        budget,
        sentences: [writeChoice(budget, choice, metric), writePrecision(chosen, budget)],
        row: choice === null ? -1 : (rowIndex.get(choice.best.row) ?? -1),
        marks: { wide: mark(wide), narrow: mark(narrow) },
      };
    },
    records: () => (records ??= JSON.stringify(tabulateRecords(rows))),
  };
}

/** The value of a key, made if it is not among those asked for last. */
function remember<T>(kept: Map<string, T>, key: string, make: () => T): T {
  const value = kept.get(key) ?? make();
  kept.delete(key); // so that it moves to the end
  kept.set(key, value);
  if (kept.size > mostKept) kept.delete(kept.keys().next().value!);
  return value;
}

function writePrecision({ curves, series }: Answer, budget: number): string {
  const { standings, margin } = compareAt(curves, series.metric, budget);
  if (standings.length === 0) return "No precision was measured around this size.";
  const [first, second] = standings.map(({ bitsPerWeight }) => formatPrecision(bitsPerWeight));
  if (second === undefined || margin === null) return `At exactly this size only ${first} were measured.`;
  const noise = margin.withinNoise ? ", within noise" : "";
  return `At exactly this size ${first} are best by the curves, before ${second}${noise}.`;
}

/** @throws InputError for a count that there is not; answerRows itself refuses unknown metrics */
function readOptions(query: URLSearchParams): AnswerOptions {
  const read = (name: string) => query.get(name) || undefined;
  const list = (name: string) => read(name)?.split(",");
  const count = read("count") as CountName | undefined;
  if (count !== undefined && !countNames.includes(count)) {
    throw new InputError(`There is no count of bits "${count}"; choose one of ${countNames.join(", ")}.`);
  }
  return { metric: read("metric"), types: list("types"), blocks: list("blocks"), count };
}
