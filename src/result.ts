// One measurement: a model at a spec on a task, with everything needed to trust and repeat it.
// A leaf of the tree. Rows are never updated in place; laws and reports are pure functions of them.

/** Raised by hand when a change in the code of that part changes results. */
export const codeVersions = { quantizer: 1, model: 1, task: 1 } as const;

/** What determines a result: two rows with equal keys measure the same thing. */
export interface ResultKey {
  /** SHA-256 of the weights' tensor data, of config.json and of the tokenizer's files. */
  readonly weightsHash: string;
  readonly configHash: string;
  readonly tokenizerHash: string;
  /** Canonical spec text; `stored` for weights as they are. */
  readonly spec: string;
  /** Task name, such as `perplexity` or `lambada_openai`, and its version. */
  readonly task: string;
  readonly taskVersion: string;
  /** SHA-256 of the data file's bytes. */
  readonly dataHash: string;
  /** First N windows or documents; null: all. */
  readonly limit: number | null;
  /** Convention (`windows-256-stride-256`, ..) or harness profile (`lm-eval-0.4.9.2`, ..). */
  readonly profile: string;
  readonly computeType: string;
  readonly versions: { readonly quantizer: number; readonly model: number; readonly task: number };
}

/** A metric with its uncertainty. */
export interface Metric {
  readonly value: number;
  /** Standard error, where defined. */
  readonly standardError?: number;
  /** Number of documents or tokens it is taken over. */
  readonly n: number;
  /** Of an accuracy: what guessing scores. */
  readonly chance?: number;
}

/** A metric document by document: it is `sum(values) / sum(weights)`; a perplexity is the exponential of that. */
export interface DocumentValues {
  /** One a document, or the sum over a window of a text: `(documents)`. */
  readonly values: Float32Array;
  /** What the values are divided by, such as tokens of a window; absent: 1 each. */
  readonly weights?: Float32Array;
}

/** Sizes of a model at a spec, in bits. */
export interface BitsCount {
  /** 8 x the bytes of all tensor data, each tied tensor once: the paper's "total model bits". */
  readonly total: number;
  /** Without token embedding and head. */
  readonly nonEmbedding: number;
  /** The quantized matrices only. */
  readonly quantized: number;
  /** The paper's nominal bits per quantized parameter, `k + 16/B + p (16 - k)`. */
  readonly nominalPerParameter: number;
}

/** One row of a study's results. */
export interface ResultRow {
  /** SHA-256 of the canonical text of `key`. */
  readonly id: string;
  readonly key: ResultKey;
  readonly model: {
    readonly name: string;
    readonly family: string;
    readonly parameters: number;
    readonly nonEmbeddingParameters: number;
    readonly quantizedParameters: number;
    /** Tokens it was trained on, and the seed, where its family says so. */
    readonly trainingTokens?: number;
    readonly seed?: number;
  };
  /** k of the spec: 2..8, or 16 / 32 for a baseline. */
  readonly bitsPerWeight: number;
  readonly bits: BitsCount;
  /** By name: `perplexity`, `nll`, `bitsPerByte`, `acc`, `acc_norm`, .. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** By metric, what it is the mean of, so that rows over the same documents can be compared in pairs. */
  readonly documents?: Readonly<Record<string, DocumentValues>>;
  /** Where model, data and a task of the user's own were, for commands; relative to where kbit ran if they were below it. */
  readonly paths?: { readonly model: string; readonly data: string; readonly task?: string };
  readonly kernels: string;
  readonly seconds: number;
  readonly machine: string;
  /** Version of kbit that computed it. */
  readonly kbit: string;
  /** ISO 8601. */
  readonly date: string;
  /** Of a row that kbit did not measure: the tool and the file it comes from; what was unknown there is empty or NaN. */
  readonly imported?: string;
}

/** An experiment that could not be done: the reason, under the key it would have had where that is known. */
export interface FailureRow {
  /** The id that the result would have had; absent where the key is not known (a checkpoint that does not open). */
  readonly id?: string;
  readonly model: string;
  readonly spec: string;
  readonly task: string;
  /** One sentence. */
  readonly reason: string;
  readonly date: string;
  /** Name of the study that asked for it, where a store keeps it. */
  readonly study?: string;
}

/** The canonical text of a key: JSON with its fields in the order of `ResultKey`; hashed to the row's id. */
export function formatKey(key: ResultKey): string {
  return JSON.stringify([
    key.weightsHash,
    key.configHash,
    key.tokenizerHash,
    key.spec,
    key.task,
    key.taskVersion,
    key.dataHash,
    key.limit,
    key.profile,
    key.computeType,
    key.versions.quantizer,
    key.versions.model,
    key.versions.task,
  ]);
}
