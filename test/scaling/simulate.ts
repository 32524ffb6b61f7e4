// Result rows simulated from a known law, for tests of the laws and the report:
// loss = E + A / N^alpha + C 2^(-1.75 k) (B / 64)^0.12, total bits = 16 x embeddings + (k + 16 / B) x the rest.

import type { Metric, ResultRow } from "../../src/result.ts";

/** Deterministic numbers in [0, 1), one generator a test. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A row with the fields that matter set and all others plausible. */
export function makeRow(fields: {
  model?: string;
  family?: string;
  spec?: string;
  bitsPerWeight?: number;
  total: number;
  parameters?: number;
  task?: string;
  metrics: Record<string, number | Metric>;
  key?: Partial<ResultRow["key"]>;
  trainingTokens?: number;
  seed?: number;
}): ResultRow {
  const { model = "toy-1m", family = "toy", spec = "int4:b64", bitsPerWeight = 4, total, task = "perplexity" } = fields;
  const parameters = fields.parameters ?? Math.round(total / bitsPerWeight);
  const metrics = Object.entries(fields.metrics).map(([name, metric]): [string, Metric] => [
    name,
    typeof metric === "number" ? { value: metric, n: 1000 } : metric,
  ]);
  const key = {
    weightsHash: hash(`weights ${model}`),
    configHash: hash(`config ${model}`),
    tokenizerHash: hash(`tokenizer ${family}`),
    spec,
    task,
    taskVersion: "1",
    dataHash: hash(`data ${task}`),
    limit: null,
    profile: task === "perplexity" ? "windows-256-stride-256" : "lm-eval-0.4.9.2",
    computeType: "float32",
    versions: { quantizer: 1, model: 1, task: 1 },
    ...fields.key,
  };
  return {
    id: hash(JSON.stringify(key)),
    key,
    model: {
      name: model,
      family,
      parameters,
      nonEmbeddingParameters: parameters,
      quantizedParameters: parameters,
      ...(fields.trainingTokens !== undefined && { trainingTokens: fields.trainingTokens }),
      ...(fields.seed !== undefined && { seed: fields.seed }),
    },
    bitsPerWeight,
    bits: { total, nonEmbedding: total, quantized: bitsPerWeight < 16 ? total : 0, nominalPerParameter: bitsPerWeight },
    metrics: Object.fromEntries(metrics),
    kernels: "wasm",
    seconds: 1.5,
    machine: "AMD EPYC, 2 cores, Linux",
    kbit: "0.1.0",
    date: "2026-11-24T08:00:00.000Z",
  };
}

/** A stand-in for SHA-256: 64 hexadecimal digits that differ with the text. */
function hash(text: string): string {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  let digits = "";
  for (let i = 0; i < 8; i++) {
    h = Math.imul(h ^ (h >>> 15), 2246822519) + i;
    digits += (h >>> 0).toString(16).padStart(8, "0");
  }
  return digits;
}

/** Loss in nats by the law. Three bits and fewer suffer more in families with a large `fragility`. */
export function simulatedLoss(parameters: number, bits: number, block: number, penalty = 1, fragility = 1): number {
  const noise = bits >= 16 ? 0 : fragility * 6 * 2 ** (-1.75 * bits) * (block / 64) ** 0.12;
  return 1.75 + 260 / parameters ** 0.38 + penalty * noise;
}

const penalties: Record<string, number> = { int: 1.15, float: 1, quantile: 0.92, dynamic: 1.6 };

/** A family's study: sizes x types x blocks x precisions, with perplexity and optionally accuracies. */
export function simulateStudy(
  options: {
    family?: string;
    sizes?: readonly number[];
    types?: readonly string[];
    blocks?: readonly number[];
    precisions?: readonly number[];
    fragility?: number;
    standardError?: number;
    tasks?: readonly string[];
    seed?: number;
  } = {},
): ResultRow[] {
  const { family = "books", sizes = [1e6, 2.2e6, 4.8e6, 11e6, 24e6, 52e6], types = ["float"], blocks = [64] } = options;
  const {
    precisions = [2, 3, 4, 5, 6, 7, 8, 16],
    fragility = 1,
    standardError = 0.004,
    tasks = ["perplexity"],
  } = options;
  const random = createRandom(options.seed ?? 1);
  const rows: ResultRow[] = [];
  for (const parameters of sizes) {
    const embeddings = 0.5 * Math.sqrt(parameters) * 260;
    const model = `${family}-${(parameters / 1e6).toPrecision(2)}m`;
    for (const bits of precisions) {
      const variants =
        bits >= 16 ? [["", 0] as const] : types.flatMap((type) => blocks.map((block) => [type, block] as const));
      for (const [type, block] of variants) {
        const loss =
          simulatedLoss(parameters, bits, block || 64, penalties[type] ?? 1, fragility) + (random() - 0.5) * 0.004;
        const width = bits >= 16 ? 16 : bits + 16 / block;
        const total = Math.round((16 * embeddings + width * (parameters - embeddings)) / 8) * 8;
        const spec =
          bits >= 16
            ? "fp16"
            : `${type}${bits}${type === "float" ? `:e${[1, 2, 2, 3, 3, 4, 4][bits - 2]}` : ""}:b${block}`;
        for (const task of tasks) {
          const accuracy = 0.25 + 0.5 / (1 + Math.exp(3 * (loss - 2.6)));
          const metrics: Record<string, Metric> =
            task === "perplexity"
              ? {
                  nll: { value: loss, standardError, n: 40_000 },
                  perplexity: { value: Math.exp(loss), standardError: standardError * Math.exp(loss), n: 40_000 },
                }
              : { acc: { value: accuracy, standardError: Math.sqrt((accuracy * (1 - accuracy)) / 1000), n: 1000 } };
          rows.push(makeRow({ model, family, spec, bitsPerWeight: bits, total, parameters, task, metrics }));
        }
      }
    }
  }
  return rows;
}
