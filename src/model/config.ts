// Reads the fields of a config.json with checks, so that a wrong one is named in a sentence.
// It leaves out what the fields mean: that stands in architectures/.

import { InputError } from "../input-error.ts";

/** Reads fields by name; the first name that is present (and not null) counts, the others are older spellings. */
export interface ConfigReader {
  /** A whole number of at least 1 and at most a billion (or `min`); the default if absent; none: it must be there. */
  integer(names: string | readonly string[], fallback?: number, min?: number): number;
  /** A finite number above 0. */
  number(names: string | readonly string[], fallback?: number): number;
  boolean(names: string | readonly string[], fallback: boolean): boolean;
  /** One of the keys of `choices`; returns its value. */
  choice<T>(names: string | readonly string[], choices: Readonly<Record<string, T>>, fallback?: string): T;
  /** A list of strings, undefined if absent. */
  strings(name: string): readonly string[] | undefined;
  /** A reader of a nested object, undefined if absent; `defaults` stand for fields that it lacks. */
  object(name: string, defaults?: Readonly<Record<string, unknown>>): ConfigReader | undefined;
  has(name: string): boolean;
  /** Whether the field is there and says `null`: none, where an absent field would mean a default. */
  isNull(name: string): boolean;
  /** A list of finite numbers. */
  numbers(name: string): readonly number[];
  /** An error about a field. */
  fail(sentence: string): InputError;
}

/** A reader of a parsed config.json; `where` names it in messages. */
export function createConfigReader(config: Readonly<Record<string, unknown>>, where: string): ConfigReader {
  const fail = (sentence: string) => new InputError(`${where}: ${sentence}`);

  function find(names: string | readonly string[]): { name: string; value: unknown } {
    const all = typeof names === "string" ? [names] : names;
    const name = all.find((candidate) => Object.hasOwn(config, candidate) && config[candidate] != null);
    return name === undefined ? { name: all[0], value: undefined } : { name, value: config[name] };
  }
  function read<T>(
    names: string | readonly string[],
    expected: string,
    fallback: T | undefined,
    take: (value: unknown) => T | undefined,
  ): T {
    const { name, value } = find(names);
    if (value === undefined) {
      if (fallback !== undefined) return fallback;
      throw fail(`${name} is missing; ${expected} is expected.`);
    }
    const taken = take(value);
    if (taken === undefined) throw fail(`${name} is ${JSON.stringify(value).slice(0, 80)}; ${expected} is expected.`);
    return taken;
  }

  return {
    integer: (names, fallback, min = 1) =>
      read(names, `a whole number from ${min} to 1e9`, fallback, (value) =>
        Number.isInteger(value) && (value as number) >= min && (value as number) <= 1e9 ? (value as number) : undefined,
      ),
    number: (names, fallback) =>
      read(names, "a number above 0", fallback, (value) =>
        typeof value === "number" && Number.isFinite(value) && value > 0 ? value : undefined,
      ),
    boolean: (names, fallback) =>
      read(names, "true or false", fallback, (value) => (typeof value === "boolean" ? value : undefined)),
    choice(names, choices, fallback) {
      const key = read(names, `one of ${Object.keys(choices).join(", ")}`, fallback, (value) =>
        typeof value === "string" && Object.hasOwn(choices, value) ? value : undefined,
      );
      return choices[key];
    },
    strings(name) {
      if (find(name).value === undefined) return undefined;
      return read<readonly string[]>(name, "a list of strings", undefined, (value) =>
        Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined,
      );
    },
    object(name, defaults = {}) {
      if (find(name).value === undefined) return undefined;
      const nested = read<Record<string, unknown>>(name, "an object", undefined, (value) =>
        typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined,
      );
      return createConfigReader({ ...defaults, ...nested }, `${where}: ${name}`);
    },
    has: (name) => find(name).value !== undefined,
    isNull: (name) => Object.hasOwn(config, name) && config[name] === null,
    numbers: (name) =>
      read<readonly number[]>(name, "a list of numbers", undefined, (value) =>
        Array.isArray(value) && value.every((item) => Number.isFinite(item)) ? value : undefined,
      ),
    fail,
  };
}
