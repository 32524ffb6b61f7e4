// What a study file may say, as one schema: keys, types and ranges.
// What words mean (specs, paths, globs) is checked by study-file.ts and grid.ts.

import { z } from "zod";
import { conventions } from "../evaluate/conventions.ts";
import { type ProfileName, profiles } from "../evaluate/profiles.ts";
import { dataTypes } from "../quantize/data-types.ts";

const text = z.string().min(1);
const bits = z.int().min(2).max(8);
const oneOrMany = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)]);

/** A text for which editors offer words, and others are right too. */
const suggest = (words: readonly string[]) => text.meta({ anyOf: [{ enum: words }, {}] });
const specText = suggest([
  "fp16",
  "bf16",
  "fp32",
  "stored",
  "int3-8:b64",
  "float3-8:b64",
  "nf3-8:b64",
  "quantile3-8:b64",
]);

/** A data type of the table, with options of its own if any. A user's codebook has one number of bits: it is no grid. */
const typeNames = Object.keys(dataTypes).filter((name) => name !== "file");
const type = z
  .string()
  .refine((word) => typeNames.includes(word.split(":")[0]), `expected one of ${typeNames.join(", ")}`)
  .meta({ anyOf: [{ enum: typeNames }, { pattern: `^(${typeNames.join("|")}):` }] });

/** A path, a glob, or these with names; several paths of a family stand in the order of size. */
const model = z.union([
  text,
  z.strictObject({
    path: oneOrMany(text).describe("Folder, file, glob or Hub id; several in the order of size."),
    name: text.optional().describe("Name of the one model; default: its folder's."),
    family: text.optional().describe("Models whose sizes one curve is drawn over; default: the name without its size."),
    trainingTokens: z.number().positive().optional().describe("Tokens it was trained on, for laws that know of them."),
    seed: z.int().optional().describe("Seed it was trained with."),
  }),
]);

/** `3-8`. */
const bitsRange = z
  .string()
  .meta({ pattern: "^[2-8]-[2-8]$" })
  .superRefine((range, { addIssue }) => {
    const [, ...ends] = /^(\d+)-(\d+)$/.exec(range) ?? [];
    const beyond = ends.some((end) => Number(end) > 8) ? "at most 8" : "at least 2";
    if (ends.length === 0) addIssue("expected a range such as 3-8");
    else if (ends.some((end) => Number(end) < 2 || Number(end) > 8)) addIssue(`expected ${beyond}`);
  });

/** The dimensions of a grid; a spec is made for every combination. */
const gridShape = {
  bits: oneOrMany(z.union([bits, bitsRange])).describe("k: 2 to 8, or a range such as 3-8."),
  types: oneOrMany(type).describe("Data types, with options of their own if any: int, float:e2, quantile:sram."),
  blocks: oneOrMany(z.union([z.int(), z.enum(["row", "none"])]))
    .optional()
    .describe("Weights that share one absmax: 16 to 4096, row, or none for the whole tensor."),
  exponentBits: oneOrMany(z.union([z.int().min(1).max(7), z.literal("default")]))
    .optional()
    .describe("For float alone; other types stand once, without."),
  scales: oneOrMany(z.enum(["float16", "float32", "double"]))
    .optional()
    .describe("How absmax is stored; double: quantized once more."),
  centering: oneOrMany(z.enum(["none", "mean", "median", "block"]))
    .optional()
    .describe("What is taken off the weights before they are quantized."),
  proxy: oneOrMany(
    z.union([
      z.number().min(0).max(100),
      z.string().regex(/^\d+(\.\d+)?-self$/, "expected percent such as 2 or 2-self"),
    ]),
  )
    .optional()
    .describe("Percent of the input columns that stay in 16 bits; 2-self: by bitsandbytes' column rule."),
  embed: oneOrMany(z.boolean()).optional().describe("Quantize the token embedding too."),
  head: oneOrMany(z.boolean()).optional().describe("Quantize the language-model head too."),
};

const grid = z.strictObject({
  ...gridShape,
  baselines: oneOrMany(specText).optional().describe("Specs that stand beside the grid, such as fp16."),
  exclude: oneOrMany(z.union([text, z.strictObject(gridShape).partial()]))
    .optional()
    .describe("Spec texts with * for anything, or values of dimensions that together name what to leave out."),
});

const limit = z.int().min(1).nullable().optional().describe("The first so many windows or documents; default: all.");

const perplexity = z.strictObject({
  task: z.literal("perplexity"),
  text: text.describe("A text file."),
  convention: z.enum(conventions).optional().describe("How the text is cut; default: windows."),
  window: z.int().min(2).optional().describe("Tokens a window; default: the model's maximum, at most 2048."),
  stride: z.int().min(1).optional().describe("Tokens from one window to the next; default: the window."),
  limit,
});

const latency = z.strictObject({
  task: z.literal("latency"),
  context: z.int().min(1).optional().describe("Tokens before the one that is timed."),
  batch: z.int().min(1).optional().describe("Sequences at a time."),
});

const documents = text.describe(
  "The task's file of documents, or the folder that holds it; hub: from the Hub, or hub:org/name[@revision]#split.",
);
const profile = z
  .enum(Object.keys(profiles) as [ProfileName])
  .optional()
  .describe("Whose conventions; default: lm-eval's newest.");
const ofFile = <T extends z.ZodType<string>>(task: T) =>
  z.strictObject({ task, data: documents.optional(), profile, limit });

/**
 * The schema, for zero-shot tasks of these names and tasks of the user's own in these files, whose documents lie
 * beside the file unless `data` says where they are.
 */
export function createStudySchema(zeroShotNames: readonly string[], taskFiles: readonly string[]) {
  const own = taskFiles.length > 0 ? [ofFile(z.enum(taskFiles))] : [];
  return build(z.discriminatedUnion("task", [perplexity, latency, zeroShot(zeroShotNames), ...own]));
}

const zeroShot = (names: readonly string[]) => z.strictObject({ task: z.enum(names), data: documents, profile, limit });

function build<T extends z.ZodType>(task: T) {
  return z.strictObject({
    $schema: z.string().optional().describe("Where editors find this schema; kbit ignores it."),
    name: text.optional().describe("Default: the file's name."),
    allowNonfinite: z.boolean().optional().describe("Measure weights that are NaN or infinite too, quantized as 0."),
    models: oneOrMany(model).describe("Folders, globs, Hub ids, families."),
    specs: oneOrMany(z.union([specText, grid])).describe("Spec texts, and grids of them."),
    tasks: oneOrMany(task).describe("What is measured of every model at every spec."),
  });
}

/** The schema of study files as JSON Schema, for editors; what words mean it does not know. */
export function describeStudySchema(zeroShotNames: readonly string[]): object {
  const task = z.union([perplexity, latency, zeroShot(zeroShotNames), ofFile(z.string().regex(/\.json$/))]);
  const { $schema, ...schema } = z.toJSONSchema(build(task), {
    io: "input",
    reused: "ref",
    override({ jsonSchema }) {
      // Whole numbers need no bounds that say how many of them there are.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return { $schema, title: "A study of kbit", ...schema };
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
  models: ["path", "name", "family", "trainingTokens", "seed"],
  specs: [...Object.keys(gridShape), "baselines", "exclude"],
  tasks: ["task", "text", "data", "convention", "window", "stride", "profile", "limit", "context", "batch"],
};
