// What a study file may say, as one schema: keys, types and ranges.
// What words mean (specs, paths, globs) is checked by study-file.ts and grid.ts.

import { z } from "zod";

const text = z.string().min(1);
const bits = z.int().min(2).max(8);
const oneOrMany = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);

/** A path, a glob, or these with names; several paths of a family stand in the order of size. */
const model = z.union([
  text,
  z.strictObject({ path: oneOrMany(text), name: text.optional(), family: text.optional() }),
]);

/** `3-8`. */
const bitsRange = z.string().superRefine((range, { addIssue }) => {
  const [, ...ends] = /^(\d+)-(\d+)$/.exec(range) ?? [];
  const beyond = ends.some((end) => Number(end) > 8) ? "at most 8" : "at least 2";
  if (ends.length === 0) addIssue("expected a range such as 3-8");
  else if (ends.some((end) => Number(end) < 2 || Number(end) > 8)) addIssue(`expected ${beyond}`);
});

/** The dimensions of a grid; a spec is made for every combination. */
const gridShape = {
  bits: oneOrMany(z.union([bits, bitsRange])),
  /** The type of spec text, with options of its own if any: `int`, `float:e2`, `quantile:sram`. */
  types: oneOrMany(text),
  blocks: oneOrMany(z.union([z.int(), z.enum(["row", "none"])])).optional(),
  /** For `float` only; other types stand once, without. */
  exponentBits: oneOrMany(z.union([z.int().min(1).max(7), z.literal("default")])).optional(),
  scales: oneOrMany(z.enum(["float16", "float32", "double"])).optional(),
  centering: oneOrMany(z.enum(["none", "mean", "median", "block"])).optional(),
  /** Percent of the input columns that stay in 16 bits; 0: none; `2-self`: by bitsandbytes' column rule. */
  proxy: oneOrMany(
    z.union([
      z.number().min(0).max(100),
      z.string().regex(/^\d+(\.\d+)?-self$/, "expected percent such as 2 or 2-self"),
    ]),
  ).optional(),
  /** Quantize the token embedding, the head. */
  embed: oneOrMany(z.boolean()).optional(),
  head: oneOrMany(z.boolean()).optional(),
};

const grid = z.strictObject({
  ...gridShape,
  /** Specs that stand beside the grid, such as fp16. */
  baselines: oneOrMany(text).optional(),
  /** Spec texts with `*` for anything, or values of dimensions that together name what to leave out. */
  exclude: oneOrMany(z.union([text, z.strictObject(gridShape).partial()])).optional(),
});

const limit = z.int().min(1).nullable().optional();

const perplexity = z.strictObject({
  task: z.literal("perplexity"),
  text,
  window: z.int().min(2).optional(),
  stride: z.int().min(1).optional(),
  limit,
});

const latency = z.strictObject({
  task: z.literal("latency"),
  context: z.int().min(1).optional(),
  batch: z.int().min(1).optional(),
});

/**
 * The schema, for zero-shot tasks of these names and tasks of the user's own in these files, whose documents lie
 * beside the file unless `data` says where they are.
 */
export function createStudySchema(zeroShotNames: readonly string[], taskFiles: readonly string[]) {
  const zeroShot = z.strictObject({ task: z.enum(zeroShotNames), data: text, limit });
  const ofFile = z.strictObject({ task: z.enum(taskFiles), data: text.optional(), limit });
  return z.strictObject({
    name: text.optional(),
    allowNonfinite: z.boolean().optional(),
    models: oneOrMany(model),
    specs: oneOrMany(z.union([text, grid])),
    tasks: oneOrMany(
      z.discriminatedUnion("task", [perplexity, latency, zeroShot, ...(taskFiles.length > 0 ? [ofFile] : [])]),
    ),
  });
}

/** A study file that fits the schema. */
export type StudyFile = z.infer<ReturnType<typeof createStudySchema>>;
/** A task as it is written. */
export type TaskEntry = Exclude<StudyFile["tasks"], readonly unknown[]>;
/** A grid of specs as it is written. */
export type Grid = z.infer<typeof grid>;

/** The keys of each place of a study file, for hints. */
export const knownKeys: Record<string, readonly string[]> = {
  "": ["name", "allowNonfinite", "models", "specs", "tasks"],
  models: ["path", "name", "family"],
  specs: [...Object.keys(gridShape), "baselines", "exclude"],
  tasks: ["task", "text", "data", "window", "stride", "limit", "context", "batch"],
};
