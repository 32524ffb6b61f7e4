// Models and data below the folders that a worker was given, and nowhere else: a job names paths of another machine, or
// of somebody who should not see this one. What a job needs is known by its hash, wherever below the roots it lies.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, join, sep } from "node:path";
import { InputError } from "../input-error.ts";

/** Folders that a worker may read. */
export interface Roots {
  readonly models: readonly string[];
  readonly data: readonly string[];
}

/** A worker has not what an experiment needs; another may have it. */
export class AbsentError extends InputError {}

/** Folders and files that are looked at below a root. */
const maxEntries = 100_000;
/** Folders below each other that are looked into. */
const maxDepth = 8;

/** Finds things below some folders. */
export interface Finder {
  readonly roots: readonly string[];
  /** Where `path` of another machine may be here: itself, then what ends like it, then what `isLike` it anywhere. */
  candidates(path: string, isLike: (path: string) => boolean): Iterable<string>;
}

/** @throws InputError if a root is no folder */
export function createFinder(folders: readonly string[]): Finder {
  const roots = folders.map((folder) => {
    const real = resolveReal(folder);
    if (real === undefined || !statSync(real).isDirectory()) throw new InputError(`There is no folder ${folder}.`);
    return real;
  });
  let listed: string[] | undefined;
  const isInside = (path: string) => roots.some((root) => path === root || path.startsWith(root + sep));
  /** The real path if it, and all that lies in it directly, is below a root. */
  const enter = (path: string): string | undefined => {
    const real = resolveReal(path);
    if (real === undefined || !isInside(real)) return undefined;
    if (!statSync(real).isDirectory()) return real;
    const leadsOut = (name: string) => !isInside(resolveReal(join(real, name)) ?? real);
    return readdirSync(real).some(leadsOut) ? undefined : real;
  };
  return {
    roots: folders,
    *candidates(path, isLike) {
      const parts = path.split(/[\\/]/).filter((part) => part !== "" && part !== "." && part !== "..");
      const endings = parts.map((_, i) => parts.slice(i).join(sep));
      const named = [path, ...endings.flatMap((ending) => roots.map((root) => join(root, ending)))];
      const seen = new Set<string>();
      const isNew = (real: string | undefined): real is string => {
        const isFirst = real !== undefined && !seen.has(real);
        if (isFirst) seen.add(real);
        return isFirst;
      };
      yield* named.map(enter).filter(isNew);
      listed ??= roots.flatMap((root) => list(root, maxDepth));
      yield* listed.filter(isLike).map(enter).filter(isNew);
    },
  };
}

/** Whether a folder holds the config.json of that hash. */
export function hasConfig(folder: string, configHash: string): boolean {
  try {
    return (
      createHash("sha256")
        .update(readFileSync(join(folder, "config.json")))
        .digest("hex") === configHash
    );
  } catch {
    return false;
  }
}

/** Whether two paths end with the same name. */
export function isNamed(path: string, other: string): boolean {
  return basename(path) === basename(other);
}

function resolveReal(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Everything below a folder; links are not followed. */
function list(folder: string, depth: number, found: string[] = []): string[] {
  let entries: ReturnType<typeof readEntries>;
  try {
    entries = readEntries(folder);
  } catch {
    return found; // a folder that may not be read
  }
  for (const entry of entries) {
    if (found.length >= maxEntries) break;
    const path = join(folder, entry.name);
    found.push(path);
    if (entry.isDirectory() && depth > 1) list(path, depth - 1, found);
  }
  return found;
}

const readEntries = (folder: string) => readdirSync(folder, { withFileTypes: true });
