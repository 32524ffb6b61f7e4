// What can be chosen: every model at every spec that was measured, and those that a law fitted to the family predicts.
// A law fills cells of the grid of measured models and measured specs; it never makes up a size or a precision.

import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import { createUncertainty } from "./contrast.ts";
import { isMix } from "./facets.ts";
import { advantage, type MetricFacts, readMetric } from "./metrics.ts";
import { describeSpecs, observe } from "./observations.ts";
import { computePairedError, readDeviations } from "./paired.ts";
import { type LawChoice, selectLaw } from "./select-law.ts";
import { groupBy, modelKey } from "./series.ts";

/** A model at a spec with what is known of it. */
export interface Candidate {
  /** Key of the model, name and spec. */
  readonly model: string;
  readonly name: string;
  readonly family: string;
  readonly spec: string;
  readonly bitsPerWeight: number;
  /** Bytes of all tensor data. */
  readonly bytes: number;
  readonly value: number;
  /** Null where it is not known. */
  readonly standardError: number | null;
  /** Of Student's t for intervals. */
  readonly degrees: number;
  readonly source: "measured" | "predicted";
  /** The row; of a prediction, one of the same model, which says how it would be measured. */
  readonly row: ResultRow;
}

/** A family and its law. */
export interface FamilyLaw {
  readonly family: string;
  readonly choice?: LawChoice;
  /** Why there is none. */
  readonly whyNot?: string;
  /** Whether nothing is left to predict, as every model was measured at every spec. */
  readonly isComplete?: boolean;
}

/** How much better one candidate is than another. */
export interface CandidateDifference {
  /** In the metric's unit. */
  readonly value: number;
  /** Null where an error is not known. */
  readonly standardError: number | null;
  readonly degrees: number;
}

/**
 * How much better `a` is than `b`. Of two rows on the same documents the error is paired, with a degree of freedom for each
 * document but one (of a text: block of windows). A prediction is of the value on the very documents of the rows, so against
 * a row its own error is the whole; two of anything else count both.
 */
export function measureDifference(metric: MetricFacts, a: Candidate, b: Candidate): CandidateDifference {
  const value = advantage(metric, a.value, b.value);
  const degrees = Math.min(a.degrees, b.degrees);
  if (a.source !== b.source) {
    const { standardError } = a.source === "predicted" ? a : b;
    return { value, standardError, degrees };
  }
  if (a.source === "measured") {
    const parts = [
      { row: a.row, factor: 1 },
      { row: b.row, factor: -1 },
    ];
    const standardError = computePairedError(parts, metric);
    if (standardError !== null) return { value, standardError, degrees: readDeviations(a.row, metric)!.length - 1 };
  }
  const known = a.standardError !== null && b.standardError !== null;
  return { value, standardError: known ? Math.hypot(a.standardError!, b.standardError!) : null, degrees };
}

/** Measured rows as candidates. */
export function listMeasured(rows: readonly ResultRow[], metric: MetricFacts): Candidate[] {
  return rows.flatMap((row): Candidate[] => {
    const reading = readMetric(row, metric);
    if (reading === undefined || !Number.isFinite(reading.value)) return [];
    return [describeRow(row, reading)];
  });
}

/** A measured row as a candidate, whatever its value. */
export function describeRow(row: ResultRow, reading: Pick<Candidate, "value" | "standardError">): Candidate {
  return {
    ...nameCandidate(row),
    spec: row.key.spec,
    bitsPerWeight: row.bitsPerWeight,
    bytes: row.bits.total / 8,
    ...reading,
    degrees: 1e9,
    source: "measured",
  };
}

function nameCandidate(row: ResultRow) {
  return { model: modelKey(row), name: row.model.name, family: row.model.family, row };
}

/** What is asked of laws. */
export interface PredictOptions {
  /** Measured rows that are unstable: no law may promise what a measurement denied. */
  readonly unstable?: readonly ResultRow[];
  /** Whether laws are fitted also where they predict nothing. */
  readonly always?: boolean;
  readonly onStep?: (step: string) => void;
}

/** Models of a family from which on a law has intervals: its base has three parameters. */
const fewestModels = 4;

/** What the laws of the families predict for cells that were not measured; a family without intervals predicts nothing. */
export function listPredicted(
  rows: readonly ResultRow[],
  metric: MetricFacts,
  { unstable = [], always = false, onStep }: PredictOptions = {},
): { candidates: Candidate[]; laws: FamilyLaw[] } {
  const cellOf = (row: ResultRow) => `${modelKey(row)} ${row.key.spec}`;
  const known = new Set([...rows, ...unstable].map(cellOf));
  const ofFamily = groupBy([...rows, ...unstable], (row) => row.model.family);
  const laws: FamilyLaw[] = [];
  const candidates: Candidate[] = [];
  for (const [family, members] of groupBy(rows, (row) => row.model.family)) {
    const models = new Set(members.map(modelKey)).size;
    const complete = isComplete(ofFamily.get(family)!);
    if (complete && !always) {
      laws.push({ family, whyNot: "Every model was measured at every spec.", isComplete: true });
      continue;
    }
    if (models < fewestModels) {
      const whyNot = `What was not measured is predicted from ${fewestModels} models of a family on; there ${models === 1 ? "is 1" : `are ${models}`}.`;
      laws.push({ family, whyNot });
      continue;
    }
    onStep?.(`law of ${family}`);
    let choice: LawChoice;
    try {
      choice = selectLaw(observe(members, metric));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      laws.push({ family, whyNot: error.message });
      continue;
    }
    const { fit } = choice.best;
    if (fit.noise.sharedDegrees < 1 || fit.noise.ownDegrees < 1) {
      const fitted = new Set(fit.observations.map((one) => one.model)).size;
      const whyNot =
        fit.noise.sharedDegrees < 1
          ? `A law of ${fitted} models has no intervals; with one more it would predict what was not measured.`
          : "So few results leave a law without intervals.";
      laws.push({ family, whyNot });
      continue;
    }
    laws.push({ family, choice });
    candidates.push(
      ...predictCells(members, metric, choice).filter(({ row, spec }) => !known.has(`${modelKey(row)} ${spec}`)),
    );
  }
  return { candidates, laws };
}

function isComplete(rows: readonly ResultRow[]): boolean {
  const cells = rows.filter((row) => row.bitsPerWeight < 16 && !isMix(row.key.spec));
  const specs = new Set(cells.map((row) => row.key.spec)).size;
  const models = groupBy(cells, modelKey);
  for (const row of rows) if (!models.has(modelKey(row))) return specs === 0;
  return [...models.values()].every((own) => new Set(own.map((row) => row.key.spec)).size === specs);
}

function predictCells(all: readonly ResultRow[], metric: MetricFacts, { best: { fit } }: LawChoice): Candidate[] {
  const rows = all.filter((row) => !isMix(row.key.spec)); // its patterns are those of one model
  const uncertainty = createUncertainty(fit);
  const describe = describeSpecs(rows.map((row) => row.key.spec));
  const specs = groupBy(
    rows.filter((row) => row.bitsPerWeight < 16),
    (row) => row.key.spec,
  );
  const fitted = new Set(fit.observations.map((one) => one.model)); // not those of fewer training tokens
  const models = [...groupBy(rows, modelKey)].flatMap(([model, own]) => (fitted.has(model) ? [own] : []));
  return models.flatMap((own) => {
    const measured = new Set(own.map((row) => row.key.spec));
    return [...specs].flatMap(([spec, examples]): Candidate[] => {
      if (measured.has(spec)) return [];
      const example = nearestInSize(examples, own[0]);
      const bytes = predictBytes(own, example, rows);
      const { parameters, nonEmbeddingParameters, trainingTokens = null } = own[0].model;
      const size = nonEmbeddingParameters > 0 ? nonEmbeddingParameters : parameters;
      const place = { size, tokens: trainingTokens, bits: example.bitsPerWeight, ...describe(spec) };
      const { value, standardError, degrees } = uncertainty.estimate([
        { coefficient: 1, ...place, model: modelKey(own[0]) },
      ]);
      if (bytes === null || !Number.isFinite(value) || standardError === null) return [];
      const read = metric.better === "lower" ? value : 1 - value;
      return [
        {
          ...nameCandidate(own[0]),
          spec,
          bitsPerWeight: example.bitsPerWeight,
          bytes,
          value: read,
          standardError,
          degrees,
          source: "predicted",
        },
      ];
    });
  });
}

function nearestInSize(rows: readonly ResultRow[], { model }: ResultRow): ResultRow {
  const distance = (row: ResultRow) => Math.abs(Math.log(row.model.parameters / model.parameters));
  return rows.reduce((a, b) => (distance(b) < distance(a) ? b : a));
}

// Quantized matrices take as many bits a weight as in the model that has them at this spec; the rest is as this model
// stores it beside other specs of the same options on embeddings and head.
function predictBytes(own: readonly ResultRow[], example: ResultRow, rows: readonly ResultRow[]): number | null {
  const options = (spec: string) =>
    spec
      .split(":")
      .filter((word) => word === "embed" || word === "head")
      .join(":");
  const twin = own.find((row) => row.bits.quantized > 0 && options(row.key.spec) === options(example.key.spec));
  if (twin !== undefined && example.model.quantizedParameters > 0) {
    const rest = twin.bits.total - twin.bits.quantized;
    const perWeight = example.bits.quantized / example.model.quantizedParameters;
    return Math.round((rest + perWeight * twin.model.quantizedParameters) / 8);
  }
  // No row of this model says what is left unquantized: take the share that models of the family keep, by the baseline.
  const baseline = own.find((row) => row.bitsPerWeight >= 16);
  const reference = rows.find(
    (row) => modelKey(row) === modelKey(example) && row.bitsPerWeight === baseline?.bitsPerWeight,
  );
  if (baseline === undefined || reference === undefined) return null;
  const others = rows.filter((row) => row.key.spec === example.key.spec);
  const shares = others.flatMap((row) => {
    const full = rows.find((one) => modelKey(one) === modelKey(row) && one.bitsPerWeight === baseline.bitsPerWeight);
    return full
      ? [
          {
            distance: Math.abs(Math.log(full.bits.total / baseline.bits.total)),
            share: row.bits.total / full.bits.total,
          },
        ]
      : [];
  });
  if (shares.length === 0) return null;
  const nearest = shares.reduce((a, b) => (b.distance < a.distance ? b : a));
  return Math.round((baseline.bits.total * nearest.share) / 8);
}
