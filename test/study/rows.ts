// Result rows for the tests of the study: valid in every field, their numbers made from a counter.

import { createHash } from "node:crypto";
import { codeVersions, formatKey, type ResultKey, type ResultRow } from "../../src/result.ts";

/** A row that differs from that of every other number in its key and its values. */
export function makeRow(number: number, changes: Partial<ResultRow> = {}): ResultRow {
  const key: ResultKey = {
    weightsHash: `weights-${number}`,
    configHash: "config",
    tokenizerHash: "tokenizer",
    spec: "int4:b64",
    task: "perplexity",
    taskVersion: "1",
    dataHash: "data",
    limit: number % 2 === 0 ? null : number,
    profile: "windows-256-stride-256",
    computeType: "float32",
    versions: codeVersions,
  };
  return {
    id: createHash("sha256").update(formatKey(key)).digest("hex"),
    key,
    model: {
      name: `model-${number}`,
      family: "family",
      parameters: 1000 + number,
      nonEmbeddingParameters: 500 + number,
      quantizedParameters: 400 + number,
    },
    bitsPerWeight: 4,
    bits: { total: 9000 + number, nonEmbedding: 4000 + number, quantized: 2000 + number, nominalPerParameter: 4.25 },
    metrics: {
      perplexity: { value: 30 + number / 7, standardError: 0.125, n: 4096 },
      nll: { value: 3.5, n: 4096 },
    },
    kernels: "reference",
    seconds: 0.25,
    machine: "test machine",
    kbit: "0.0.0",
    date: new Date(1.8e12 + number).toISOString(),
    ...changes,
  };
}
