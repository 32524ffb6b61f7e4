// What the live page shows of a store's rows, as HTML and plain data: the same sections as the report, for one series at
// a time. Pure functions of rows; a Board keeps what is costly between requests and forgets it when rows come.

import { InputError } from "../input-error.ts";
import { renderContrasts } from "../report/contrasts.ts";
import { renderExperiments } from "../report/experiments.ts";
import { narrow, wide } from "../report/figure-block.ts";
import { renderFindings } from "../report/findings.ts";
import { createFrame } from "../report/frame.ts";
import { describeSeries, writeChoice, writeHeadline } from "../report/headline.ts";
import { explainEmpty, nameFamilies, renderFacts, renderHeadline } from "../report/html.ts";
import { createRecordIndex, type RecordIndex, type RecordPage, type RecordQuery } from "../report/record-index.ts";
import { tabulateRecords } from "../report/records.ts";
import { renderAnswer, renderProvenance, renderTroubles } from "../report/sections.ts";
import { traceBudget } from "../report/table.ts";
import { escapeHtml } from "../report/text.ts";
import { renderTimes } from "../report/times.ts";
import { shortenId, traceRows } from "../report/trace.ts";
import { formatPrecision, formatSize } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { type AnswerOptions, type Answers, countNames, listUnstable, prepareAnswers } from "../scaling/answer.ts";
import { type Comparison, compareAt } from "../scaling/compare.ts";
import type { CountName } from "../scaling/curves.ts";
import { readFacets } from "../scaling/facets.ts";
import { chooseWithin } from "../scaling/frontier.ts";
import { listMetrics } from "../scaling/metrics.ts";
import type { UnstableRow } from "../scaling/stability.ts";
import { remember } from "./remember.ts";

/** What the page shows for one choice of series and filters. */
export interface LiveView {
  readonly title: string;
  /** Heading, answer and facts. */
  readonly head: string;
  /** The answer's figures and tables. */
  readonly answer: string;
  /** Time a token, where it was measured. */
  readonly times: string;
  /** What was left out. */
  readonly troubles: string;
  /** The table of experiments without its rows. */
  readonly experiments: string;
  readonly provenance: string;
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
  /** Short ids of the rows of the best choice; empty: none. */
  readonly rows: readonly string[];
  /** Those of all that the sentences are made of. */
  readonly trace: readonly string[];
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
  /** A section that takes long to make, as HTML. @throws InputError as `view` does */
  section(name: SectionName, query: URLSearchParams): string;
  /** Rows of the table. @throws InputError for a query that is none */
  find(query: URLSearchParams): RecordPage;
  /** Every row and column as CSV. */
  csv(): string;
}

/** Sections that the page asks for after the answer is shown: laws and claims are fitted for them. */
export const sectionNames = ["contrasts", "findings"] as const;
export type SectionName = (typeof sectionNames)[number];

/** What of a view depends on the store alone. */
type FixedView = Pick<
  LiveView,
  "title" | "times" | "troubles" | "experiments" | "provenance" | "types" | "blocks" | "metrics"
>;

/** What is kept for so many choices of filters. */
const mostKept = 8;

/** Everything the page shows of these rows. */
export function createBoard(rows: readonly ResultRow[], failures: readonly FailureRow[], store: string): Board {
  const known = new Map<string, Answers>();
  const views = new Map<string, LiveView>();
  const unstable = listUnstable(rows);
  const reasons = new Map(unstable.map(({ row, reason }) => [row, reason]));
  let index: RecordIndex | undefined;
  let byId: Map<string, ResultRow> | undefined;
  let fixed: FixedView | undefined;
  const records = () => (index ??= createRecordIndex(tabulateRecords(rows, reasons)));

  function find(query: URLSearchParams) {
    const options = readOptions(query);
    const answers = remember(known, JSON.stringify(options), mostKept, () => prepareAnswers(rows, options));
    const wanted = query.get("series");
    const series = answers.series.find((one) => describeSeries({ series: one }) === wanted) ?? answers.series[0];
    return { answers, options, chosen: series && answers.answer(series) };
  }

  function show(query: URLSearchParams): LiveView {
    const { answers, chosen, options } = find(query);
    const points = chosen?.points ?? [];
    fixed ??= showFixed(rows, failures, unstable, store);
    const sentences = chosen === undefined ? explainEmpty(rows.length, options) : writeHeadline(chosen);
    return {
      ...fixed,
      head: `<h1><bdi>${escapeHtml(fixed.title)}</bdi></h1>
${renderHeadline(sentences)}
${renderFacts(chosen, { rows, failures, unstable, stored: rows.length })}`,
      answer: chosen === undefined ? "" : renderAnswer(chosen),
      series: answers.series.map((series) => describeSeries({ series })),
      chosen: chosen === undefined ? "" : describeSeries(chosen),
      range: points.length === 0 ? null : [points[0].bits, points[points.length - 1].bits],
    };
  }

  return {
    count: rows.length,
    view: (query) => remember(views, query.toString(), mostKept, () => show(query)),
    choose(query) {
      const budget = Number(query.get("budget"));
      if (!(budget > 0 && Number.isFinite(budget))) throw new InputError("The budget is not a positive size in bits.");
      const { chosen } = find(query);
      if (chosen === undefined || chosen.points.length === 0)
        throw new InputError("There is nothing to choose from yet.");
      const { metric } = chosen.series;
      const choice = chooseWithin(chosen.points, metric, budget);
      const comparison = compareAt(chosen.curves, metric, budget);
      const mark = (size: typeof wide): [number, number, number] => {
        const { x, y, values } = createFrame(chosen, size);
        return [x(budget), y(values[1]), y(values[0])];
      };
      return {
        budget,
        sentences: [writeChoice(budget, choice, metric), writePrecision(comparison)],
        rows: choice === null ? [] : traceRows([choice.best.row]),
        trace: traceBudget(comparison, choice),
        marks: { wide: mark(wide), narrow: mark(narrow) },
      };
    },
    section(name, query) {
      if (name === "findings") return renderFindings(rows);
      const { answers, chosen } = find(query);
      return chosen === undefined ? "" : renderContrasts(chosen, answers.series.map(answers.answer));
    },
    find(query) {
      const asked = readQuery(query);
      if (asked.sort !== "" || asked.words.trim() !== "") return records().find(asked);
      // What the page asks first, and at every point that is looked at: no need to index all rows.
      byId ??= new Map(rows.map((row) => [shortenId(row.id), row]));
      const { from, count, ids } = asked;
      const chosen = ids.length === 0 ? rows : [...new Set(ids.flatMap((id) => byId!.get(shortenId(id)) ?? []))];
      const start = Math.max(0, Math.min(from, chosen.length - 1));
      const page = tabulateRecords(chosen.slice(start, start + count), reasons);
      const found = createRecordIndex(page).find({ ...asked, ids: [], from: 0 });
      return { total: chosen.length, from: start, rows: found.rows };
    },
    csv: () => records().csv(),
  };
}

function showFixed(
  rows: readonly ResultRow[],
  failures: readonly FailureRow[],
  unstable: readonly UnstableRow[],
  store: string,
): FixedView {
  const facets = [...new Set(rows.map((row) => row.key.spec))]
    .map(readFacets)
    .filter(({ type }) => type !== "baseline");
  const distinct = (values: readonly string[]) =>
    [...new Set(values)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const haveAllPaths = rows.every((row) => row.paths);
  return {
    title: nameFamilies(rows),
    times: renderTimes(rows),
    troubles: renderTroubles(failures, unstable),
    experiments: renderExperiments([], new Map(), haveAllPaths),
    provenance: renderProvenance(rows, [["Store", store]]),
    types: distinct(facets.map(({ type }) => type)),
    blocks: distinct(facets.map(({ block }) => block).filter((block) => block !== "")),
    metrics: listMetrics(rows).map(({ name, label }) => [name, label]),
  };
}

/** @throws InputError for numbers that are none */
function readQuery(query: URLSearchParams): RecordQuery {
  const whole = (name: string, most: number) => {
    const value = Number(query.get(name) ?? 0);
    if (Number.isInteger(value) && value >= 0 && value <= most) return value;
    throw new InputError(`${name} is not a whole number from 0 to ${most}.`);
  };
  return {
    words: query.get("words") ?? "",
    ids: (query.get("ids") ?? "").split(" ").filter((id) => id !== ""),
    sort: query.get("sort") ?? "",
    descending: query.get("descending") === "true",
    from: whole("from", 1e9),
    count: whole("count", 1000),
  };
}

function writePrecision({ standings, outdoneBy, margin }: Comparison): string {
  if (standings.length === 0) return "No precision was measured around this size.";
  if (outdoneBy !== null) {
    const size = formatSize(outdoneBy.point.bits);
    return `At exactly this size none is best: ${formatPrecision(outdoneBy.bitsPerWeight)} are as good at ${size}, and have no larger model.`;
  }
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
