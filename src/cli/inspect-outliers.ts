// kbit inspect --outliers: do the units with wide weights write the large hidden states? For each linear layer the rank
// correlation of the predictors of outlier dimensions with what it really reads over a text: the paper's Table 2.

import { basename } from "node:path";
import type { Checkpoint } from "../checkpoint/checkpoint.ts";
import { planText } from "../evaluate/conventions.ts";
import { InputError } from "../input-error.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { describeMatrices } from "../model/architectures/index.ts";
import { loadModel } from "../model/load.ts";
import type { Model } from "../model/model.ts";
import { createOutlierFinder } from "../model/outlier-columns.ts";
import { planQuantization } from "../model/plan.ts";
import type { MatrixRole } from "../model/roles.ts";
import { asStored } from "../quantize/spec.ts";
import { formatSpec } from "../quantize/spec-text.ts";
import { meanOf, spearman } from "../scaling/statistics.ts";
import { type Column, formatTable, wrapText } from "./terminal.ts";

/** Spearman's rank correlation of each predictor with a magnitude of the inputs, over the input columns. */
export interface Correlations {
  /** With the standard deviation of the units that write each column: the rule of the paper. Null: nothing writes them. */
  readonly previous: number | null;
  /** With that of the layer's own columns: bitsandbytes' rule. */
  readonly self: number;
}

/** One linear layer. */
export interface LayerOutliers {
  readonly name: string;
  readonly layer: number;
  /** What writes it and what it is, such as `down -> q, k, v`. */
  readonly type: string;
  readonly columns: number;
  /** Of the mean of |x| over the tokens, and of the largest. */
  readonly mean: Correlations;
  readonly largest: Correlations;
  /** The largest mean of |x| of a column over that of the median column. */
  readonly spread: number;
}

/** What `kbit inspect MODEL --outliers --json` prints. */
export interface OutlierPage {
  readonly model: string;
  readonly text: string;
  readonly convention: string;
  readonly windows: number;
  readonly tokens: number;
  readonly types: readonly TypeOutliers[];
  readonly layers: readonly LayerOutliers[];
}

/** Layers of one type: means over them. */
export interface TypeOutliers {
  readonly type: string;
  readonly layers: number;
  readonly columns: number;
  readonly mean: Correlations;
  readonly largest: Correlations;
  readonly spread: number;
}

/** What is inspected, and over what. */
export interface OutlierOptions {
  /** Path of the text, for the page. */
  readonly file: string;
  readonly text: string;
  readonly window?: number;
  readonly limit: number;
  readonly allowNonfinite?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Runs the model as stored over windows of the text. @throws InputError if it is quantized, or the text cannot be used */
export async function describeOutliers(
  checkpoint: Checkpoint,
  kernels: Kernels,
  { file, text, window, limit, allowNonfinite, onProgress }: OutlierOptions,
): Promise<OutlierPage> {
  if (checkpoint.spec) {
    throw new InputError(
      `${checkpoint.source} is at ${formatSpec(checkpoint.spec)}; what tells outliers is in the weights of the original model.`,
    );
  }
  if (text === "") throw new InputError(`${file} is empty; give a text with at least two tokens.`);
  const model = await loadModel(checkpoint, kernels, { allowNonfinite });
  try {
    const plan = planText(model, text, { window, limit });
    const sequences = plan.windows.map(({ context, continuation }) => [...context, ...continuation]);
    const layers = await correlateInputs(checkpoint, model, sequences, onProgress);
    return {
      model: checkpoint.source,
      text: file,
      convention: plan.name,
      windows: sequences.length,
      tokens: sequences.reduce((count, tokens) => count + tokens.length, 0),
      types: averageTypes(layers),
      layers,
    };
  } finally {
    await model.close();
  }
}

/** How large a layer's inputs are, column by column: `(columns)` each. */
interface Magnitudes {
  readonly mean: Float64Array;
  readonly largest: Float64Array;
}

async function measureInputs(
  model: Model,
  sequences: readonly (readonly number[])[],
  onProgress: OutlierOptions["onProgress"],
): Promise<Map<string, Magnitudes>> {
  const measured = new Map<string, Magnitudes & { tokens: number }>();
  for (const [i, sequence] of sequences.entries()) {
    onProgress?.(i, sequences.length);
    for await (const { name, tokens, values } of model.readInputs(sequence)) {
      const columns = values.length / tokens;
      const empty = () => ({ mean: new Float64Array(columns), largest: new Float64Array(columns), tokens: 0 });
      const own = measured.get(name) ?? empty();
      measured.set(name, own);
      own.tokens += tokens;
      for (let at = 0; at < values.length; at++) {
        const size = Math.abs(values[at]);
        if (!Number.isFinite(size))
          throw new InputError(`${model.name}: an input of ${name} is not finite on this text.`);
        own.mean[at % columns] += size;
        if (size > own.largest[at % columns]) own.largest[at % columns] = size;
      }
    }
  }
  for (const { mean, tokens } of measured.values()) for (let c = 0; c < mean.length; c++) mean[c] /= tokens;
  return measured;
}

/** Every linear layer of the blocks, in the order of computation, over sequences of tokens. */
export async function correlateInputs(
  checkpoint: Checkpoint,
  model: Model,
  sequences: readonly (readonly number[])[],
  onProgress?: (done: number, total: number) => void,
): Promise<LayerOutliers[]> {
  const magnitudes = await measureInputs(model, sequences, onProgress);
  const roles = describeMatrices(checkpoint.config, checkpoint.tensors, checkpoint.source);
  const roleOf = new Map(roles.map((role) => [role.name, role]));
  const finder = createOutlierFinder(checkpoint, roles);
  const layers: LayerOutliers[] = [];
  for (const matrix of planQuantization(checkpoint, asStored, roles)) {
    const { role, shape } = matrix;
    const own = magnitudes.get(role.name);
    if (!own || role.layer < 0) continue;
    const previous = await finder.measure(matrix, "previous");
    const self = (await finder.measure(matrix, "self"))!;
    const rank = (sizes: Float64Array): Correlations => ({
      previous: previous ? spearman([...previous], [...sizes]) : null,
      self: spearman([...self], [...sizes]),
    });
    const sorted = own.mean.slice().sort();
    layers.push({
      name: role.name,
      layer: role.layer,
      type: nameType(role, roleOf),
      columns: shape[1],
      mean: rank(own.mean),
      largest: rank(own.largest),
      spread: sorted[sorted.length - 1] / sorted[Math.floor(sorted.length / 2)],
    });
  }
  return layers;
}

const operations: Readonly<Record<MatrixRole["operation"], string>> = {
  q: "q, k, v",
  k: "q, k, v",
  v: "q, k, v",
  qkv: "q, k, v",
  out: "out",
  up: "up",
  gate: "up",
  gateUp: "up",
  down: "down",
  "": "",
};

/** What writes a layer, and what it is. */
function nameType({ operation, writers }: MatrixRole, roleOf: ReadonlyMap<string, MatrixRole>): string {
  const from = writers.map(({ name }) => roleOf.get(name)!).map((role) => operations[role.operation] || role.part);
  return `${from.join(", ") || "nothing"} -> ${operations[operation]}`;
}

function averageTypes(layers: readonly LayerOutliers[]): TypeOutliers[] {
  return [...Map.groupBy(layers, ({ type, columns }) => JSON.stringify([type, columns])).values()].map((same) => {
    const average = (read: (layer: LayerOutliers) => Correlations): Correlations => ({
      previous: read(same[0]).previous === null ? null : meanOf(same.map((one) => read(one).previous!)),
      self: meanOf(same.map((one) => read(one).self)),
    });
    return {
      type: same[0].type,
      layers: same.length,
      columns: same[0].columns,
      mean: average(({ mean }) => mean),
      largest: average(({ largest }) => largest),
      spread: meanOf(same.map(({ spread }) => spread)),
    };
  });
}

/** The page as text. */
export function formatOutliers(page: OutlierPage, all: boolean): string {
  const numbers = ["units before", "own columns", "before, max", "own, max", "spread"];
  const columns: Column[] = [
    { title: all ? "layer" : "written by -> read by" },
    ...(all ? [] : [{ title: "layers", align: "right" as const }]),
    { title: "width", align: "right" },
    ...numbers.map((title) => ({ title, align: "right" as const })),
  ];
  const rank = (value: number | null) => (value === null ? "" : value.toFixed(2));
  const row = ({ columns: width, mean, largest, spread }: Omit<TypeOutliers, "type" | "layers">) => [
    String(width),
    rank(mean.previous),
    rank(mean.self),
    rank(largest.previous),
    rank(largest.self),
    spread.toFixed(1),
  ];
  const rows = all
    ? page.layers.map((layer) => [layer.name, ...row(layer)])
    : page.types.map((type) => [type.type, String(type.layers), ...row(type)]);
  const narrowest = Math.min(...page.layers.map(({ columns: width }) => width));
  const chance = (2 / Math.sqrt(narrowest - 1)).toFixed(2);
  const notes = [
    "Spearman's rank correlation over the input columns of a layer, averaged over layers of a kind: of the standard deviation of the weights of the units that write a column (units before: the paper's rule, proxyP), and of the layer's own weights in it (own columns: proxyP-self), with the mean of |x| that the layer reads there; max: with the largest |x|.",
    `Spread: mean |x| of the largest column over that of the median one. By chance a single layer ${narrowest} wide stays within ± ${chance} in 95 of 100.`,
  ];
  return [
    `${page.model} on ${basename(page.text)}: ${page.convention}, ${page.tokens} tokens in ${page.windows} windows`,
    "",
    formatTable(columns, rows),
    "",
    ...notes.flatMap((note) => wrapText(note, 100)),
  ].join("\n");
}
