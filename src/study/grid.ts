// From specs and grids as they are written to a list of distinct specs.
// Which combinations are legal is known to parseSpec alone: what it refuses in a grid is left out with a note.

import { InputError } from "../input-error.ts";
import { formatSpec, parseSpec } from "../quantize/spec-text.ts";
import { formatGlob } from "./glob.ts";
import type { SpecChoice } from "./study.ts";
import type { Grid } from "./study-schema.ts";

/** Specs, and one sentence for each combination that was left out. */
export interface ExpandedSpecs {
  readonly specs: readonly SpecChoice[];
  readonly notes: readonly string[];
}

/** One combination of a grid: the value of each dimension, and the spec text that it makes. */
interface Combination {
  readonly values: Readonly<Record<string, unknown>>;
  readonly text: string;
}

/**
 * Expands a list of spec texts and grids, in order; the second of two equal specs is dropped.
 *
 * @param entries - spec texts (with a range of bits if wanted: `int3-8:b64`) and grids
 * @param readText - reads the codebook of `file:PATH`
 * @param fail - makes the error for entry `index`, with its place
 * @throws what `fail` makes, if a written spec cannot be parsed or nothing of an entry is left
 */
export function expandSpecs(
  entries: readonly (string | Grid)[],
  readText: (path: string) => string,
  fail: (index: number, sentence: string) => Error,
): ExpandedSpecs {
  const specs = new Map<string, SpecChoice>();
  const notes: string[] = [];
  entries.forEach((entry, index) => {
    const isSingle = typeof entry === "string" && !bitsRange.test(entry);
    const exclusion = createExclusion(typeof entry === "string" ? undefined : entry.exclude);
    const leftOut = new Map<string, { readonly text: string; readonly reason: string; more: number }>(); // by kind of reason
    let kept = 0;
    const add = (combination: Combination, mustBeLegal: boolean) => {
      let choice: SpecChoice;
      try {
        const spec = parseSpec(combination.text, readText);
        choice = { text: formatSpec(spec), spec };
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        if (mustBeLegal) throw fail(index, error.message);
        if (exclusion.excludes(combination, combination.text)) return;
        const reason = error.message.replace(/^spec ".*?": /, "");
        const kind = reason.replace(/ \d+$/, ""); // bnbfp has 4 bits, not 3, 5, 6, ..
        const known = leftOut.get(kind);
        if (known) known.more++;
        else leftOut.set(kind, { text: combination.text, reason, more: 0 });
        return;
      }
      if (exclusion.excludes(combination, choice.text)) return;
      kept++;
      if (!specs.has(choice.text)) specs.set(choice.text, choice);
    };
    for (const combination of combine(entry)) add(combination, isSingle);
    if (typeof entry !== "string") for (const text of list(entry.baselines)) add({ values: {}, text }, true);
    if (typeof entry !== "string" && entry.exponentBits !== undefined && !list(entry.types).some(isFloatType))
      notes.push(
        `exponentBits says nothing of ${list(entry.types).join(", ")}: only float has exponent bits of choice.`,
      );
    const reasons = [...leftOut.values()].map(
      ({ text, reason, more }) => `Left out ${text}${more > 0 ? ` and ${more} more` : ""}: ${reason}`,
    );
    if (kept === 0)
      throw fail(index, `nothing is left of these specs; ${reasons.at(-1) ?? "exclude leaves everything out."}`);
    notes.push(...reasons);
    for (const rule of exclusion.listUnused()) notes.push(`exclude ${rule} leaves nothing out.`);
  });
  return { specs: [...specs.values()], notes };
}

const bitsRange = /^([a-z]+)([2-8])-([2-8])(?=:|$)/;

/** The values of a key that takes one or many. */
function list<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}

/** 2..8 of `3`, `"3-8"`, or a list of these. */
function listBits(bits: Grid["bits"]): number[] {
  return list<number | string>(bits).flatMap((item) => {
    const [first, last = first] = String(item).split("-").map(Number);
    return Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => Math.min(first, last) + i);
  });
}

function combine(entry: string | Grid): Combination[] {
  if (typeof entry !== "string") return combineGrid(entry);
  const range = bitsRange.exec(entry);
  if (!range) return [{ values: {}, text: entry }];
  const [matched, type, first, last] = range;
  return listBits(`${first}-${last}`).map((bits) => ({ values: {}, text: type + bits + entry.slice(matched.length) }));
}

/** Every combination, in the order: types, bits, exponent bits, blocks, then the rest. */
function combineGrid(grid: Grid): Combination[] {
  const dimensions: [name: string, values: readonly unknown[]][] = [
    ["types", list(grid.types)],
    ["bits", listBits(grid.bits)],
    ["exponentBits", list(grid.exponentBits ?? "default")],
    ["blocks", list<unknown>(grid.blocks ?? "none")],
    ["scales", list(grid.scales ?? "float16")],
    ["centering", list(grid.centering ?? "none")],
    ["proxy", list(grid.proxy ?? 0)],
    ["embed", list(grid.embed ?? false)],
    ["head", list(grid.head ?? false)],
  ];
  let combinations: Record<string, unknown>[] = [{}];
  for (const [name, values] of dimensions)
    combinations = combinations.flatMap((start) => values.map((value) => ({ ...start, [name]: value })));
  return combinations
    .filter((values) => isFloat(values) || values.exponentBits === list<unknown>(grid.exponentBits ?? "default")[0])
    .map((values) => ({ values, text: formatCombination(values) }));
}

const isFloatType = (type: unknown) => String(type).split(":")[0] === "float";
const isFloat = (values: Record<string, unknown>) => isFloatType(values.types);

/** The spec text of a combination, options in the order of the grammar. */
function formatCombination(values: Record<string, unknown>): string {
  const [type, ...options] = String(values.types).split(":");
  const exponent = isFloat(values) && values.exponentBits !== "default" ? `e${values.exponentBits}` : "";
  const block = values.blocks === "none" ? "" : `b${values.blocks}`;
  const scale = { float16: "", float32: "a32", double: "dq" }[values.scales as string];
  const center = { none: "", mean: "center", median: "center-median", block: "center-block" }[
    values.centering as string
  ];
  const proxy = values.proxy === 0 ? "" : `proxy${values.proxy}`;
  const parts = [exponent, ...options, block, scale, center, proxy, values.embed && "embed", values.head && "head"];
  return [`${type}${values.bits}`, ...parts.filter(Boolean)].join(":");
}

/** What `exclude` of a grid leaves out, and which of its rules leave out nothing. */
interface Exclusion {
  excludes(combination: Combination, text: string): boolean;
  /** The rules that fitted no combination so far, as they are written. */
  listUnused(): string[];
}

/** Leaves out by a pattern over the text, or by values of dimensions that all fit. */
function createExclusion(exclude: Grid["exclude"]): Exclusion {
  const rules = list(exclude).map((rule) => ({ fits: createRule(rule), text: JSON.stringify(rule), isUsed: false }));
  return {
    excludes(combination, text) {
      let isExcluded = false;
      for (const rule of rules) {
        if (!rule.fits(combination, text)) continue;
        rule.isUsed = true;
        isExcluded = true;
      }
      return isExcluded;
    },
    listUnused: () => rules.filter(({ isUsed }) => !isUsed).map(({ text }) => text),
  };
}

function createRule(rule: string | object): (combination: Combination, text: string) => boolean {
  if (typeof rule === "string") {
    // Where options are named, others may follow: nf*:b64 is nf4:b64:embed too, but int4 is not int4:b64.
    const pattern = new RegExp(`^${formatGlob(rule.trim())}${rule.includes(":") ? "(:.*)?" : ""}$`);
    return (combination, text) => pattern.test(text) || pattern.test(combination.text);
  }
  const dimensions = Object.entries(rule).map(([name, value]): [string, readonly unknown[]] => [
    name,
    name === "bits" ? listBits(value as Grid["bits"]) : list<unknown>(value),
  ]);
  return ({ values }) => dimensions.every(([name, allowed]) => allowed.includes(values[name]));
}
