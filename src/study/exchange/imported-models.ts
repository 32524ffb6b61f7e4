// What a user says of models whose results come from another tool: a YAML file for several, or options for one.
//
//     - { model: facebook/opt-125m, family: opt, spec: fp16, totalBytes: 250478592 }
//     - { model: facebook/opt-125m, args: load_in_4bit=True, family: opt, spec: "nf4:b64:a32", totalBytes: 123456789 }
//     - { file: "*-gptq4.json", name: opt-1.3b, family: opt, spec: "gptq4:b128", bits: 4, totalBytes: 801112064 }

import { z } from "zod";
import { InputError } from "../../input-error.ts";
import { formatSpec, parseSpec } from "../../quantize/spec-text.ts";
import { formatGlob } from "../glob.ts";
import { describeIssue } from "../study-problems.ts";
import { readYaml } from "../yaml.ts";

/** A run of another tool, as its file tells. */
export interface ImportedRun {
  /** The model as the tool names it, such as `facebook/opt-125m`; empty where it does not. */
  readonly model: string;
  /** Arguments of the model, `pretrained=..,load_in_4bit=True`. */
  readonly args: string;
  /** Name of the file, without folder. */
  readonly file: string;
}

/** What is known of its model. */
export interface ImportedModel {
  readonly name: string;
  readonly family: string;
  /** Canonical if it is one of kbit's; else as it was said. */
  readonly spec: string;
  /** k. */
  readonly bits: number;
  readonly totalBits: number;
  readonly parameters?: number;
  readonly nonEmbeddingParameters?: number;
  readonly quantizedParameters?: number;
  readonly trainingTokens?: number;
  /** By task, over how many documents its metrics are. */
  readonly documents?: Readonly<Record<string, number>>;
}

const text = z.string().min(1).max(200);
const count = z.int().positive();

const entrySchema = z.strictObject({
  /** Which runs: all that are given must fit. */
  model: text.optional(),
  args: text.optional(),
  file: text.optional(),
  /** What is said of them. */
  name: text.optional(),
  family: text,
  spec: text.regex(/^[\w.-]+(:[\w./-]+)*$/, "expected a spec such as nf4:b64, or a name such as gptq4:b128"),
  bits: z.number().positive().max(64).optional(),
  totalBytes: count.optional(),
  totalBits: count.optional(),
  parameters: count.optional(),
  nonEmbeddingParameters: count.optional(),
  quantizedParameters: count.optional(),
  trainingTokens: z.number().positive().optional(),
  documents: z.record(z.string(), count).optional(),
});

/** What is said of models of another tool, as it is written. */
export type ImportedEntry = z.infer<typeof entrySchema>;

/** Reads a mapping file. @throws InputError with line and column */
export function parseImportedModels(source: string, fileName: string): ImportedEntry[] {
  const { values, locate } = readYaml(source, fileName);
  const { data, error } = z.array(entrySchema).min(1).safeParse(values);
  if (!error) return data;
  const [issue] = error.issues;
  const at = locate(issue.path);
  const known = Object.keys(entrySchema.shape).join(", ");
  if (issue.code === "unrecognized_keys")
    throw new InputError(`${at}: there is no key "${issue.keys[0]}"; expected a list of models with ${known}.`);
  if (issue.path.length < 2)
    throw new InputError(`${at}: ${describeIssue(issue, values)}; write models with ${known}.`);
  const sentence = describeIssue(issue, values);
  const key = String(issue.path.at(-1));
  throw new InputError(`${at}: ${sentence.startsWith(`${key} `) ? "" : `${key}: `}${sentence}.`);
}

/** What the options of a command say of a run, where messages name options and not keys. */
export const commandSource = "the command";

/** How what is missing is said: `bits: N` in a file, `--bits N` in a command. */
function sayKey(source: string, key: string): string {
  return source === commandSource ? `--${key}` : `${key}:`;
}

/**
 * What the entries say of a run: the first that fits.
 *
 * @throws InputError if none fits, or the one that does lacks the size or the bits
 */
export function describeRun(run: ImportedRun, entries: readonly ImportedEntry[], source: string): ImportedModel {
  const entry = entries.find((one) => fits(one, run));
  const shown = `the model "${run.model}"${run.args ? ` (${run.args})` : ""}`;
  if (!entry) throw new InputError(`${source} says nothing that fits ${shown} of ${run.file}; add an entry for it.`);
  const name = entry.name ?? run.model.split("/").at(-1)!;
  if (name === "")
    throw new InputError(`${run.file} does not name its model; say ${sayKey(source, "name")} NAME in ${source}.`);
  const { spec, bits } = readSpec(entry, source);
  const totalBits = entry.totalBits ?? (entry.totalBytes === undefined ? undefined : entry.totalBytes * 8);
  if (totalBits === undefined)
    throw new InputError(
      `${source} does not say how large ${name} at ${spec} is; say totalBytes, all its weights as stored.`,
    );
  const { family, parameters, nonEmbeddingParameters, quantizedParameters, trainingTokens, documents } = entry;
  const sizes = { parameters, nonEmbeddingParameters, quantizedParameters, trainingTokens };
  return { name, family, spec, bits, totalBits, ...sizes, documents };
}

/** How messages name what was said of a run. */
export function nameRun({ name, spec }: ImportedModel): string {
  return `${name} at ${spec}`;
}

function fits({ model, args, file }: ImportedEntry, run: ImportedRun): boolean {
  return (
    (model === undefined || model === run.model) &&
    (args === undefined || run.args.includes(args)) &&
    (file === undefined || new RegExp(`^${formatGlob(file)}$`).test(run.file))
  );
}

/** The spec in canonical text with its bits, or a foreign one with the bits that are said. */
function readSpec({ spec, bits }: ImportedEntry, source: string): { spec: string; bits: number } {
  let canonical = spec;
  let own: number | undefined; // bits of a spec that kbit knows
  let reason = `${spec} does not say how many bits a weight has`;
  try {
    const parsed = parseSpec(spec);
    canonical = formatSpec(parsed);
    if (parsed.kind === "quantized") own = parsed.bits;
    if (parsed.kind === "baseline" && parsed.type !== "stored") own = parsed.type === "fp32" ? 32 : 16;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    reason = `${spec} is no spec of kbit's (${error.message.replace(/^spec ".*?": |\.$/g, "")}), so its bits are not known`;
  }
  if ((bits ?? own) === undefined) throw new InputError(`${source}: ${reason}; say ${sayKey(source, "bits")} N.`);
  if (bits !== undefined && own !== undefined && bits !== own)
    throw new InputError(
      `${source}: ${canonical} has ${own} bits a weight, not ${bits}; leave ${sayKey(source, "bits").replace(":", "")} out, or say another spec.`,
    );
  return { spec: canonical, bits: (bits ?? own)! };
}
