// What comes from a file is checked before it is a row: every field, its type, and that the id is that of the key.

import { z } from "zod";
import { InputError } from "../../input-error.ts";
import type { ResultRow } from "../../result.ts";
import { hashKey } from "../result-id.ts";

/** Numbers that JSON cannot write, as texts. */
export const wordsForNumbers = ["NaN", "Infinity", "-Infinity", "-0"] as const;

const text = z.string().max(10_000);
const number = z.union([
  z.number(),
  z.nan(),
  z.literal([Infinity, -Infinity]),
  z.enum(wordsForNumbers).transform(Number),
]);
/** A metric that is no number would poison every curve; no store holds one. */
const measured = number.refine((value) => !Number.isNaN(value), "expected a number");
const name = z.string().regex(/^[a-z][\w,:-]{0,100}$/i, "expected letters, digits, _ - , and :");

const floats = z.union([
  z.instanceof(Float32Array<ArrayBuffer>),
  z.array(number).transform((values) => Float32Array.from(values)),
]);

const documents = z
  .strictObject({ values: floats, weights: floats.optional() })
  .refine(({ values, weights }) => weights === undefined || weights.length === values.length, {
    message: "expected as many weights as values",
  });

const schema = z.strictObject({
  id: text,
  key: z.strictObject({
    weightsHash: text,
    configHash: text,
    tokenizerHash: text,
    spec: text.min(1),
    task: text.min(1),
    taskVersion: text,
    dataHash: text,
    limit: z.number().nullable(),
    profile: text,
    computeType: text,
    versions: z.strictObject({ quantizer: z.number(), model: z.number(), task: z.number() }),
  }),
  model: z.strictObject({
    name: text.min(1),
    family: text,
    parameters: number,
    nonEmbeddingParameters: number,
    quantizedParameters: number,
    trainingTokens: number.optional(),
    seed: number.optional(),
  }),
  bitsPerWeight: z.number(),
  bits: z.strictObject({
    total: z.number().positive(),
    nonEmbedding: number,
    quantized: number,
    nominalPerParameter: number,
  }),
  metrics: z.record(
    name,
    z.strictObject({
      value: measured,
      standardError: number.optional(),
      n: z.number().min(0),
      chance: number.optional(),
    }),
  ),
  documents: z.record(name, documents).optional(),
  paths: z.strictObject({ model: text, data: text, task: text.optional() }).optional(),
  kernels: text,
  seconds: number,
  machine: text,
  kbit: text,
  date: z.iso.datetime({ offset: true }),
  imported: text.optional(),
});

/**
 * The row that a value describes.
 *
 * @param where - file and place of it, for messages
 * @throws InputError if it is not a row: a field is missing, unknown or of another type, or the id is not that of the key
 */
export function checkRow(value: unknown, where: string): ResultRow {
  const { data, error } = schema.safeParse(value);
  if (error) {
    const [issue] = error.issues;
    const place = [...issue.path, ...(issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [])].join(".");
    const what =
      issue.code === "unrecognized_keys" ? "is not known to this kbit; update it" : `is not right: ${explain(issue)}`;
    throw new InputError(`${where} holds no result of kbit: ${place || "it"} ${what}.`);
  }
  const row = data satisfies ResultRow;
  if (hashKey(row.key) !== row.id)
    throw new InputError(`${where}: the id is not that of its key; the row was changed, export it again.`);
  return row;
}

function explain(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return `expected ${issue.expected}`;
  if (issue.code === "invalid_union") return "expected a number";
  return issue.message.replace(/^\w/, (letter) => letter.toLowerCase());
}
