// From paths and globs to models with names and families.
// Whether a folder holds a model that can be read is found out later, experiment by experiment.

import { existsSync, globSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { parseHubId } from "../checkpoint/hub-node.ts";
import { findNearest, InputError } from "../input-error.ts";
import type { ModelChoice } from "./study.ts";

/** A model entry as it is written. */
export interface ModelEntry extends Partial<Pick<ModelChoice, "name" | "family" | "trainingTokens" | "seed">> {
  /** Paths, globs or Hub ids; the models of a family in the order of size. */
  readonly paths: readonly string[];
}

/**
 * The models of an entry: a folder with a family.json gives its family, a glob every such folder and every one with a
 * config.json.
 *
 * @param folder - what relative paths are relative to
 * @throws InputError if a path leads to nothing
 */
export function findModels({ paths, name, ...said }: ModelEntry, folder: string): ModelChoice[] {
  const found = paths.flatMap((path) => (/[*?[{]/.test(path) ? expandGlob(path, folder) : expandPath(path, folder)));
  if (name !== undefined && found.length > 1)
    throw new InputError(`The name ${name} stands for ${found.length} models; give each an entry of its own.`);
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  return found.map((model) => ({ ...model, ...given, name: name ?? model.name }));
}

function expandGlob(pattern: string, folder: string): ModelChoice[] {
  const inOrder = new Intl.Collator("en", { numeric: true }).compare;
  const found = globSync(pattern, { cwd: folder }).map((path) => resolve(folder, path));
  const models = found.sort(inOrder).flatMap((path) => {
    if (existsSync(join(path, "family.json"))) return readFamily(join(path, "family.json"));
    return existsSync(join(path, "config.json")) ? [nameModel(path)] : [];
  });
  if (models.length === 0)
    throw new InputError(
      found.length === 0
        ? `No model folder matches ${pattern} in ${folder}.`
        : `${pattern} matches no folder with a config.json (the first match is ${found[0]}).`,
    );
  return models;
}

function expandPath(path: string, folder: string): ModelChoice[] {
  const absolute = resolve(folder, path);
  const familyFile = join(absolute, "family.json");
  if (existsSync(familyFile)) return readFamily(familyFile);
  if (existsSync(absolute)) return [nameModel(absolute)];
  if (parseHubId(path) && !existsSync(dirname(absolute))) return [nameModel(path)];
  throw new InputError(`There is no model at ${absolute}; ${hintNeighbours(absolute)}`);
}

function hintNeighbours(path: string): string {
  const parent = dirname(path);
  if (!existsSync(parent)) return `there is no folder ${parent} either.`;
  const folders = readdirSync(parent).filter((name) => statSync(join(parent, name)).isDirectory());
  const nearest = findNearest(basename(path), folders);
  return nearest === undefined
    ? `${parent} holds ${folders.length} folders, none of a similar name.`
    : `did you mean ${nearest}?`;
}

const familySchema = z.looseObject({
  name: z.string().min(1),
  models: z
    .array(
      z.union([
        z.string(),
        z.looseObject({
          folder: z.string(),
          trainingTokens: z.number().positive().optional(),
          seed: z.int().optional(),
        }),
      ]),
    )
    .min(1),
});

/** The models that a family.json names, in its order of size. */
function readFamily(path: string): ModelChoice[] {
  const fail = (sentence: string) =>
    new InputError(
      `${path} ${sentence}; expected {"name": "..", "models": ["folder" or {"folder": "..", "trainingTokens": N, "seed": N}, ..]}.`,
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw fail(`is not JSON (${(error as Error).message})`);
  }
  const { data, error } = familySchema.safeParse(json);
  if (error) throw fail(`is not right at ${error.issues[0].path.join(".") || "its top"}`);
  return data.models.map((entry) => {
    const { folder, trainingTokens, seed } = typeof entry === "string" ? { folder: entry } : entry;
    return {
      ...nameModel(resolve(dirname(path), folder)),
      family: data.name,
      ...(trainingTokens !== undefined && { trainingTokens }),
      ...(seed !== undefined && { seed }),
    };
  });
}

/** Named by its folder; the family is the name without its size: `opt-125m` is of `opt`, `pythia-70m-deduped` of `pythia-deduped`. */
function nameModel(path: string): ModelChoice {
  const name = basename(path).replace(/\.(safetensors|bin)$/, "");
  const family = name.replace(/[-_]?\d+([.x]\d+)*[kmbt](?![a-z])/i, "").replace(/^[-_]+/, "");
  return { path, name, family: family === "" ? name : family };
}
