// Spec text, the name of a quantization everywhere: command line, studies, result rows, file metadata.
//
//   SPEC     = BASELINE | TYPE BITS (":" OPTION)* | "file:" PATH (":" OPTION)* | "mix:" PATH
//   BASELINE = "fp16" | "bf16" | "fp32" | "stored"
//   TYPE     = a name of the table in data-types.ts; BITS = 2..8
//   PATH     = up to the last ".json" that is followed by ":" or the end; no option contains ".json", so colons in a
//              path are safe. In canonical text the codebook is `fileBITS:HASH`, 16 hexadecimal digits of its content.
//              That of a mix may be any; in canonical text it is `mix:HASH`.
//   OPTION   = an option of the type (eN, ieee | bnb | appendix; sram | eq6), bN | brow, a32 | dq,
//              center | center-median | center-block, proxyP | proxyP-self, embed, head
//
// Options may come in any order; the canonical text has them in this one, and has every choice that matters and no
// other: equal specs have one text, and parseSpec(formatSpec(spec)) = spec.

import { findNearest, InputError } from "../input-error.ts";
import { bitsOfCodebook, readUserCodebook } from "./codebooks/user-file.ts";
import { dataTypes } from "./data-types.ts";
import type { BaselineSpec, DataTypeName, MixEntry, MixSpec, QuantizedSpec, Spec } from "./spec.ts";
import * as mixes from "./spec-mix.ts";

/** What an option of every data type means. */
interface CommonOption {
  readonly pattern: RegExp;
  /** Its words, or an example where a number is in them; for hints. */
  readonly words: readonly string[];
  /** The fields that the word sets. @throws InputError if a number in it is out of range */
  readonly parse: (match: RegExpExecArray) => Partial<QuantizedSpec>;
  /** The word of a spec; undefined where the option is absent. */
  readonly format: (spec: QuantizedSpec) => string | undefined;
}

/** Options of every data type, in canonical order. */
const commonOptions: readonly CommonOption[] = [
  {
    pattern: /^b(row|\d+)$/,
    words: ["b64", "brow"],
    parse: ([word, size]) => ({
      block: size === "row" ? "row" : checkRange(word, Number(size), 16, 4096, "block sizes"),
    }),
    format: ({ block }) => (block === "tensor" ? undefined : `b${block}`),
  },
  {
    pattern: /^(a32|dq)$/,
    words: ["a32", "dq"],
    parse: ([word]) => ({ scales: word === "dq" ? "double" : "float32" }),
    format: ({ scales }) => ({ float16: undefined, float32: "a32", double: "dq" })[scales],
  },
  {
    pattern: /^center(?:-(median|block))?$/,
    words: ["center", "center-median", "center-block"],
    parse: ([, place]) => ({ center: (place as "median" | "block" | undefined) ?? "mean" }),
    format: ({ center }) =>
      ({ none: undefined, mean: "center", median: "center-median", block: "center-block" })[center],
  },
  {
    pattern: /^proxy(\d+(?:\.\d{1,6})?)(-self)?$/,
    words: ["proxy2", "proxy2-self"],
    parse: ([word, percent, self]) => ({
      proxy: { percent: checkRange(word, Number(percent), 1e-6, 99, "percents"), rule: self ? "self" : "previous" },
    }),
    format: ({ proxy }) => proxy && `proxy${formatDecimal(proxy.percent)}${proxy.rule === "self" ? "-self" : ""}`,
  },
  {
    pattern: /^embed$/,
    words: ["embed"],
    parse: () => ({ embed: true }),
    format: ({ embed }) => (embed ? "embed" : undefined),
  },
  {
    pattern: /^head$/,
    words: ["head"],
    parse: () => ({ head: true }),
    format: ({ head }) => (head ? "head" : undefined),
  },
];

const baselines: readonly BaselineSpec["type"][] = ["fp16", "bf16", "fp32", "stored"];
const plain = { block: "tensor", scales: "float16", center: "none", embed: false, head: false } as const;

/**
 * The spec that a text means, every choice made explicit.
 *
 * @param text - such as `float4:e2:b64:dq`; surrounding spaces are ignored
 * @param readText - reads the file of a `file:PATH` codebook or a `mix:PATH`
 * @throws InputError naming the part that is wrong and, where there is one, the nearest right one
 */
export function parseSpec(text: string, readText?: (path: string) => string): Spec {
  const trimmed = text.trim();
  if (trimmed === "") throw new InputError("a spec is empty; write one such as int4:b64, or stored");
  try {
    const baseline = baselines.find((name) => name === trimmed);
    if (trimmed.startsWith("mix:")) return parseMix(trimmed.slice(4), readText);
    return baseline ? { kind: "baseline", type: baseline } : parseQuantized(trimmed, readText);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`spec "${trimmed}": ${error.message}`) : error;
  }
}

/** The canonical text of a spec. */
export function formatSpec(spec: Spec): string {
  if (spec.kind === "baseline") return spec.type;
  if (spec.kind === "mix") return `mix:${spec.hash}`;
  const complete = completeSpec(spec);
  const words: (string | undefined)[] = [`${spec.type}${spec.bits}`, spec.file?.hash];
  for (const [word, fields] of Object.entries(dataTypes[spec.type].options)) {
    if (entriesOf(fields).every(([field, value]) => complete[field] === value)) words.push(word);
  }
  for (const option of commonOptions) words.push(option.format(complete));
  return words.filter((word) => word !== undefined).join(":");
}

/**
 * The mix that a file's text means; one spec for everything is no mix but that spec.
 *
 * @param where - the file, for messages
 * @throws InputError naming the entry that is wrong
 */
export function parseMixText(text: string, where: string, readText?: (path: string) => string): Spec {
  const mix = mixes.readMix(text, where, (spec) => parseSpec(spec, readText), formatSpec);
  const [first, ...others] = mix.entries;
  return others.length === 0 && first.pattern === mixes.defaultPattern ? first.spec : mix;
}

/** A mix of the given entries. */
export function createMix(entries: readonly MixEntry[]): MixSpec {
  return mixes.createMix(entries, formatSpec);
}

/** The canonical JSON text of a mix, by which it can be read again. @throws InputError where only its hash is known */
export function formatMix(mix: MixSpec): string {
  return mixes.formatMix(mix, formatSpec);
}

function parseMix(path: string, readText?: (path: string) => string): Spec {
  if (/^[0-9a-f]{16}$/.test(path)) return { kind: "mix", entries: [], hash: path };
  if (path === "") throw new InputError("a mix needs the path of its file, as in mix:mix.json");
  if (!readText) throw new InputError("the file of a mix cannot be read here");
  return parseMixText(readText(path), path, readText);
}

function parseQuantized(text: string, readText?: (path: string) => string): QuantizedSpec {
  const head = /^file:/.test(text) ? parseFileHead(text, readText) : parseTypeHead(text);
  const setBy = new Map<string, string>(); // field -> word
  let spec: QuantizedSpec = { kind: "quantized", ...plain, ...head.fields };
  for (const word of head.words) {
    if (word === "") throw new InputError("an option is empty; options are separated by single colons");
    const fields = parseOption(word, spec);
    for (const [field] of entriesOf(fields)) {
      const earlier = setBy.get(field);
      if (earlier === word) throw new InputError(`"${word}" stands twice; once is enough`);
      if (earlier !== undefined) {
        throw new InputError(`"${earlier}" and "${word}" contradict each other; keep one of them`);
      }
      setBy.set(field, word);
    }
    spec = { ...spec, ...fields };
  }
  return completeSpec(spec);
}

/** Type, bits and the option words that follow. */
interface Head {
  readonly fields: Pick<QuantizedSpec, "type" | "bits" | "file">;
  readonly words: readonly string[];
}

function parseTypeHead(text: string): Head {
  const [head, ...words] = text.split(":");
  const [, name, digits] = /^(.*?)(\d*)$/s.exec(head)!;
  if (baselines.some((baseline) => baseline === head)) throw new InputError(`the baseline ${head} takes no options`);
  if (!Object.hasOwn(dataTypes, name)) {
    const [, ranged, first, last] = /^([a-z]+)(\d+)-(\d+)$/.exec(head) ?? [];
    if (ranged !== undefined && Object.hasOwn(dataTypes, ranged)) {
      const { bits } = dataTypes[ranged as DataTypeName];
      const beyond = [first, last].find((end) => !bits.includes(Number(end)));
      if (beyond) throw new InputError(`${ranged} has ${bits[0]} to ${bits.at(-1)} bits, not ${beyond}`);
      throw new InputError(`a range of bits is for studies; give one, such as ${ranged}${last}`);
    }
    const glued = splitGlued(head);
    if (glued !== undefined)
      throw new InputError(`options stand behind colons; did you mean "${[glued, ...words].join(":")}"?`);
    const names = Object.keys(dataTypes);
    if (name === "mix") throw new InputError("a mix needs the path of its file, as in mix:mix.json");
    const nearest = findNearest(head, [
      ...names.map((known) => known + (/^[2-8]$/.test(digits) ? digits : 4)),
      ...baselines,
    ]);
    throw new InputError(
      `unknown data type "${name}"${hint(nearest)}; there are ${[...names, ...baselines].join(", ")}`,
    );
  }
  const type = name as DataTypeName;
  const { bits: legal } = dataTypes[type];
  const bits = Number(digits);
  if (!digits) throw new InputError(`${type} needs its bits, such as ${type}${legal.includes(4) ? 4 : legal[0]}`);
  if (!legal.includes(bits)) {
    throw new InputError(
      `${type} has ${legal.length > 1 ? `${legal[0]} to ${legal.at(-1)}` : legal[0]} bits, not ${digits}`,
    );
  }
  if (type !== "file") return { fields: { type, bits }, words };
  const hash = words[0] ?? "";
  if (!/^[0-9a-f]{16}$/.test(hash))
    throw new InputError(`file${bits} needs the hash of a codebook, or write file:PATH.json`);
  return { fields: { type, bits, file: { path: "", codebook: [], hash } }, words: words.slice(1) };
}

/** `nf4:b64` of `nf4b64`: a type with bits, and behind it what could be options; undefined if it is not that. */
function splitGlued(head: string): string | undefined {
  const [, name, bits, rest] = /^([a-z]+)([2-8])[-_. ]?([a-z].*)$/s.exec(head) ?? [];
  if (name === undefined || !Object.hasOwn(dataTypes, name)) return undefined;
  const known = [
    ...Object.keys(dataTypes[name as DataTypeName].options),
    ...commonOptions.flatMap(({ words }) => words),
  ];
  const fits = (word: string) => known.includes(word) || commonOptions.some(({ pattern }) => pattern.test(word));
  const nearest = fits(rest) ? rest : findNearest(rest, known);
  return nearest && `${name}${bits}:${nearest}`;
}

function parseFileHead(text: string, readText?: (path: string) => string): Head {
  const [, path, options] = /^file:(.*\.json)(?::(.*))?$/s.exec(text) ?? [];
  if (path === undefined) throw new InputError("the path of a codebook ends in .json, as in file:values.json:b64");
  if (!readText) throw new InputError("a codebook file cannot be read here");
  const file = readUserCodebook(readText(path), path);
  return { fields: { type: "file", bits: bitsOfCodebook(file.codebook), file }, words: options?.split(":") ?? [] };
}

function parseOption(word: string, { type, bits }: Pick<QuantizedSpec, "type" | "bits">): Partial<QuantizedSpec> {
  const { options } = dataTypes[type];
  if (Object.hasOwn(options, word)) return options[word];
  for (const { pattern, parse } of commonOptions) {
    const match = pattern.exec(word);
    if (match) return parse(match);
  }
  if (type === "float" && /^e\d+$/.test(word)) {
    const most = Math.min(bits - 1, 7);
    throw new InputError(`"${word}" is out of range; float${bits} has 1 to ${most} exponent bits`);
  }
  const owner = Object.entries(dataTypes).find(([, row]) => Object.hasOwn(row.options, word))?.[0];
  if (owner) throw new InputError(`"${word}" is an option of ${owner}, not of ${type}`);
  const known = [...Object.keys(options), ...commonOptions.flatMap(({ words }) => words)];
  throw new InputError(`unknown option "${word}"${hint(findNearest(word, known))}; ${type} takes ${known.join(", ")}`);
}

/** Fills in defaults and removes choices without effect. */
function completeSpec(spec: QuantizedSpec): QuantizedSpec {
  const completed = dataTypes[spec.type].complete?.(spec) ?? spec;
  // The one block of a whole tensor has the tensor's mean.
  const center = completed.center === "block" && completed.block === "tensor" ? "mean" : completed.center;
  return { ...completed, center };
}

function checkRange(word: string, value: number, low: number, high: number, what: string): number {
  if (value < low || value > high) throw new InputError(`"${word}" is out of range; ${what} go from ${low} to ${high}`);
  return value;
}

/** Without an exponent, as the grammar has it. */
function formatDecimal(value: number): string {
  return value.toFixed(6).replace(/\.?0+$/, "");
}

function hint(nearest: string | undefined): string {
  return !nearest ? "" : `; did you mean "${nearest}"?`;
}

function entriesOf(fields: Partial<QuantizedSpec>): [keyof QuantizedSpec, unknown][] {
  return Object.entries(fields) as [keyof QuantizedSpec, unknown][];
}
