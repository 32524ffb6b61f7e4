// From what zod says of a study file to one sentence: the first thing that is wrong, at its place, with the nearest name.

import type { z } from "zod";
import { findNearest } from "../input-error.ts";
import { knownKeys } from "./study-schema.ts";

/** Keys and indices that lead to a value of the file. */
export type ValuePath = readonly PropertyKey[];

/** What is wrong and where. */
export interface Problem {
  readonly path: ValuePath;
  /** Ends without a full stop. */
  readonly sentence: string;
  /** Whether the key at the end of the path is what is wrong, not its value. */
  readonly onKey: boolean;
}

type Issue = z.core.$ZodIssue;

/** The problem to tell first: an unknown key before others, since it explains a missing one. */
export function describeProblem(issues: readonly Issue[], raw: unknown): Problem {
  const found = issues.flatMap((issue) => resolveUnion(issue, []));
  const issue = found.find(({ code }) => code === "unrecognized_keys") ?? found[0];
  if (issue.code !== "unrecognized_keys")
    return { path: issue.path, sentence: describeIssue(issue, raw), onKey: false };
  const [wrong] = issue.keys;
  const at = { path: [...issue.path, wrong], onKey: true };
  const task = issue.path[0] === "tasks" ? String((valueAt(issue.path, raw) as { task?: unknown }).task) : undefined;
  const right = task !== undefined && task !== "latency" && { text: "data", data: "text" }[wrong];
  if (right)
    return { ...at, sentence: `there is no key "${wrong}" for ${task}; its ${nouns[right]} is named by "${right}"` };
  const place = issue.path.includes("exclude") ? knownKeys.specs : (knownKeys[String(issue.path[0] ?? "")] ?? []);
  const known = task === undefined ? place : place.filter((key) => keyFits(key, task));
  return { ...at, sentence: `there is no key "${wrong}" here; ${hint(wrong, known)}` };
}

const nouns: Record<string, string> = { text: "text", data: "file of documents, or its folder," };

/** Whether a task takes a key of tasks: a text has windows, documents have none, latency has neither. */
function keyFits(key: string, task: string): boolean {
  const ofLatency = ["context", "batch"].includes(key);
  if (task === "latency" || ofLatency) return key === "task" || (task === "latency" && ofLatency);
  return task === "perplexity"
    ? !["data", "profile"].includes(key)
    : !["text", "convention", "window", "stride"].includes(key);
}

/** "did you mean X?" or "expected one of ..". */
export function hint(word: string, valid: readonly string[]): string {
  const nearest = findNearest(word, valid);
  return nearest === undefined ? `expected one of ${valid.join(", ")}` : `did you mean ${nearest}?`;
}

/** The issues of the one branch of a union that fits by its type, with whole paths; the union itself if none does. */
function resolveUnion(issue: Issue, prefix: ValuePath): Issue[] {
  const path = [...prefix, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return [{ ...issue, path }];
  const branches = issue.errors.map((branch) => branch.flatMap((inner) => resolveUnion(inner, path)));
  const atRoot = (inner: Issue) => inner.path.length === path.length && wantsOther(inner);
  return branches.find((branch) => !branch.some(atRoot)) ?? [{ ...issue, path }];
}

/** Whether an issue says that the value is of another kind, not that something inside it is wrong. */
function wantsOther(issue: Issue): boolean {
  return ["invalid_type", "invalid_union", "invalid_value"].includes(issue.code);
}

/** What is wrong with a value, and what was expected; ends without a full stop. */
export function describeIssue(issue: Issue, raw: unknown): string {
  const value = valueAt(issue.path, raw);
  const expected = expectation(issue);
  if (value === undefined) return `${String(issue.path.at(-1) ?? "the file")} is missing; expected ${expected}`;
  const names = issue.code === "invalid_union" && "options" in issue ? (issue.options as string[]) : valuesOf(issue);
  if (typeof value === "string" && names.length > 0) return `"${value}" is not known; ${hint(value, names)}`;
  return `expected ${expected}, got ${kindOf(value)}`;
}

function valueAt(path: ValuePath, raw: unknown): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], raw);
}

/** The names that an issue would accept. */
function valuesOf(issue: Issue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  return issue.code === "invalid_union" ? issue.errors.flat().flatMap(valuesOf) : [];
}

function expectation(issue: Issue): string {
  if (issue.code === "invalid_type") return kinds[issue.expected] ?? issue.expected;
  if (issue.code === "too_small")
    return issue.origin === "number"
      ? `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`
      : (leastOf[issue.origin] ?? `at least ${issue.minimum}`);
  if (issue.code === "too_big") return `at most ${issue.maximum}`;
  if (issue.code === "invalid_value") return issue.values.join(" or ");
  if (issue.code === "invalid_union") return [...new Set(issue.errors.flat().map(expectation))].join(" or ");
  return issue.message.replace(/^expected /, "");
}

const leastOf: Record<string, string> = { string: "a text that is not empty", array: "at least one" };

const kinds: Record<string, string> = {
  string: "text",
  array: "a list",
  object: "keys with values",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

function kindOf(value: unknown): string {
  if (value === null) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "keys with values";
  return typeof value === "string" ? `"${value}"` : String(value);
}
