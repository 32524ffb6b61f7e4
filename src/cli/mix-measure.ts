// How far a model at a spec is from itself as stored, on some windows of a text: the divergence of its distributions and
// its loss. Each result goes to a file as soon as it is there, so that a run that is killed goes on where it was.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { hashCheckpoint } from "../checkpoint/hash-node.ts";
import { compareOnText, type TextComparison } from "../evaluate/compare/text.ts";
import { planText } from "../evaluate/conventions.ts";
import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import type { LanguageModel, LogitTile, ScoreRequest } from "../language-model.ts";
import { loadModel } from "../model/load.ts";
import { quantizeCheckpoint, type ViewOptions } from "../model/quantized-view.ts";
import type { Spec } from "../quantize/spec.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import { codeVersions } from "../result.ts";

/** What a spec does to a model. */
export interface Measurement {
  /** Mean Kullback-Leibler divergence from the model as stored, nats a token; null: not a number. */
  readonly divergence: number | null;
  /** Mean loss above that of the model as stored, nats a token. */
  readonly loss: number | null;
}

/** What is measured, on what. */
export interface Bench {
  /** The checkpoint as stored, and its model. */
  readonly checkpoint: Checkpoint;
  readonly base: LanguageModel;
  readonly kernels: Kernels;
  readonly quantize: ViewOptions["quantize"];
  readonly text: string;
  readonly window: number | undefined;
  /** Windows. */
  readonly limit: number;
}

/** A file of measurements: one JSON object a line. */
export interface MeasurementFile {
  find(key: string): Measurement | undefined;
  add(key: string, what: { readonly label: string; readonly at: string }, measurement: Measurement): void;
}

/** Opens a file of measurements; a last line that was cut short is measured again. @throws InputError if it is no such file */
export function openMeasurements(path: string): MeasurementFile {
  const known = new Map<string, Measurement>();
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const lines = text.split("\n");
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const read = parseLine(line);
    if (read) known.set(read.key, read.measurement);
    else if (i < lines.length - 1 && parseLine(lines[0]) === undefined) {
      throw new InputError(
        `${path}: line ${i + 1} is no measurement of kbit mix; give another file to --measurements.`,
      );
    }
  }
  let isCut = text !== "" && !text.endsWith("\n");
  return {
    find: (key) => known.get(key),
    add(key, what, measurement) {
      known.set(key, measurement);
      appendFileSync(path, `${isCut ? "\n" : ""}${JSON.stringify({ key, ...what, ...measurement })}\n`);
      isCut = false;
    },
  };
}

function parseLine(line: string): { key: string; measurement: Measurement } | undefined {
  try {
    const { key, divergence, loss } = JSON.parse(line);
    const isValue = (value: unknown) => value === null || Number.isFinite(value);
    if (typeof key === "string" && isValue(divergence) && isValue(loss))
      return { key, measurement: { divergence, loss } };
  } catch {}
  return undefined;
}

/** Measures specs on a bench; what the file has is not measured again. */
export async function createMeter(bench: Bench, file: MeasurementFile) {
  const { checkpoint, base, kernels, text, window, limit } = bench;
  const plan = planText(base, text, { window, limit });
  const { weightsHash, configHash, tokenizerHash } = await hashCheckpoint(checkpoint);
  const { quantizer, model } = codeVersions;
  const context = [
    weightsHash,
    configHash,
    tokenizerHash,
    plan.windows,
    plan.name,
    kernels.computeType,
    quantizer,
    model,
  ];
  const ground = createHash("sha256").update(JSON.stringify(context)).digest("hex").slice(0, 32);
  const reference = keepLogits(base);
  const [own, kept] = [new Set<string>(), new Set<string>()]; // measured here, found in the file
  const keyOf = (spec: Spec) => `${ground} ${formatSpec(spec)}`;
  return {
    windows: plan.windows.length,
    tokens: plan.windows.reduce((count, { continuation }) => count + continuation.length, 0),
    /** How many results were in the file already. */
    countKept: () => kept.size,
    async measure(spec: Spec, what: { readonly label: string; readonly at: string }): Promise<Measurement> {
      const known = file.find(keyOf(spec));
      if (known && !own.has(keyOf(spec))) kept.add(keyOf(spec));
      if (known) return known;
      const measurement = await withModel(bench, spec, async (other) => {
        try {
          const { divergence, logRatio } = await compareOnText(reference, other, text, { window, limit });
          return { divergence: divergence.mean.value, loss: logRatio.value };
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          return { divergence: null, loss: null }; // the text is sound, so the model at this spec is not
        }
      });
      file.add(keyOf(spec), what, measurement);
      own.add(keyOf(spec));
      return measurement;
    },
  };
}

/** The model at a spec, for as long as `use` takes. */
async function withModel<T>(
  { checkpoint, kernels, quantize }: Bench,
  spec: Spec,
  use: (model: LanguageModel) => Promise<T>,
): Promise<T> {
  const model = await loadModel(quantizeCheckpoint(checkpoint, spec, { quantize }), kernels);
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/** `other` against `base`, both at specs, on the windows of a text. */
export function compareSpecs(bench: Bench, base: Spec, other: Spec): Promise<TextComparison> {
  const { text, window, limit } = bench;
  return withModel(bench, base, (first) =>
    withModel(bench, other, (second) => compareOnText(first, second, text, { window, limit })),
  );
}

const maxKeptBytes = 2 ** 29;

/** The model with its logits of the last requests kept, if they are not too many: every comparison asks for the same. */
function keepLogits(model: LanguageModel): LanguageModel {
  let kept: { readonly key: string; readonly tiles: LogitTile[] } | undefined;
  async function* readLogits(requests: readonly ScoreRequest[]) {
    const key = JSON.stringify(requests);
    if (kept?.key === key) return yield* kept.tiles;
    const rows = requests.reduce((count, { continuations: [one] }) => count + one.length, 0);
    const tiles: LogitTile[] = [];
    let read = 0;
    for await (const tile of model.readLogits!(requests)) {
      read += tile.rows;
      if (rows * model.vocabularySize * 4 <= maxKeptBytes) tiles.push({ rows: tile.rows, logits: tile.logits.slice() });
      if (tiles.length > 0 && read === rows) kept = { key, tiles };
      yield tile;
    }
  }
  return { ...model, ...(model.readLogits && { readLogits }) };
}
