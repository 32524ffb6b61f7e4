// What advice needs of models beside result rows: their shape, and the header that their file has at each spec.
// Configs and headers of checkpoints on this disk are read, no weights; nothing is downloaded.

import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { openCheckpoint } from "../checkpoint/open-node.ts";
import { countHeaderBytes } from "../checkpoint/write-packed-node.ts";
import { InputError } from "../input-error.ts";
import { describeDecoder } from "../model/architectures/index.ts";
import { quantizeCheckpoint } from "../model/quantized-view.ts";
import { parseSpec } from "../quantize/spec-text.ts";
import type { ResultRow } from "../result.ts";
import type { ModelShape } from "../scaling/memory.ts";
import { findModels } from "../study/models.ts";

/** Facts of models by their names. */
export interface ModelFacts {
  readonly shapes: ReadonlyMap<string, ModelShape>;
  /** Bytes of the header by model name, then spec text; of a mix, whose map no row has, an estimate. */
  readonly headers: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/**
 * Facts of the models of `rows`: from the paths given (models, families, or a folder of such), else from where the rows say
 * that their models were, if they still are there.
 *
 * @throws InputError if a path that was given leads to no model
 */
export async function readModelFacts(
  rows: readonly ResultRow[],
  paths: readonly string[] | undefined,
): Promise<ModelFacts> {
  const shapes = new Map<string, ModelShape>();
  const headers = new Map<string, Map<string, number>>();
  const specs = [...new Set(rows.map((row) => row.key.spec))];
  const names = new Set(rows.map((row) => row.model.name));
  for (const { name, path, isNamed } of paths === undefined ? listPlaces(rows) : paths.flatMap(listModels)) {
    if (!isNamed && !names.has(name)) continue;
    try {
      const facts = await readFacts(path, specs);
      shapes.set(name, facts.shape);
      headers.set(name, facts.headers);
    } catch (error) {
      if (isNamed || !(error instanceof InputError)) throw error;
    }
  }
  return { shapes, headers };
}

interface Place {
  readonly name: string;
  readonly path: string;
  /** Whether the user named it, rather than a folder around it. */
  readonly isNamed: boolean;
}

/** The models of a path, or those of the families and models one or two levels below a folder that is neither. */
function listModels(path: string): Place[] {
  const absolute = resolve(path);
  const found = existsSync(absolute) && !isModelOrFamily(absolute) ? searchFolder(absolute, 2) : [];
  if (found.length === 0) return findModels({ paths: [path] }, process.cwd()).map((one) => ({ ...one, isNamed: true }));
  return findModels({ paths: found }, process.cwd()).map((one) => ({ ...one, isNamed: false }));
}

function isModelOrFamily(folder: string): boolean {
  return ["family.json", "config.json"].some((name) => existsSync(join(folder, name)));
}

function searchFolder(folder: string, levels: number): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // a file, or closed to us
  }
  return entries
    .filter((one) => one.isDirectory() || one.isSymbolicLink())
    .flatMap((one) => {
      const path = join(folder, one.name);
      if (isModelOrFamily(path)) return [path];
      return levels > 1 ? searchFolder(path, levels - 1) : [];
    });
}

function listPlaces(rows: readonly ResultRow[]): Place[] {
  const places = new Map<string, string>();
  for (const { model, paths } of rows) if (paths && existsSync(paths.model)) places.set(model.name, paths.model);
  return [...places].map(([name, path]) => ({ name, path, isNamed: false }));
}

/** The header of a mix that names every matrix, its map included, to that of one spec: 1.14 and 1.15 of small models. */
const mixShare = 1.15;
/** Whose header is about the largest of one spec without nested scales. */
const withCodebook = "quantile4:b64:embed:head";

async function readFacts(path: string, specs: readonly string[]) {
  const checkpoint = await openCheckpoint(path);
  try {
    const { shape } = describeDecoder(checkpoint.config, checkpoint.tensors, checkpoint.source);
    const headers = new Map<string, number>();
    for (const spec of [...specs, withCodebook]) {
      try {
        headers.set(spec, countHeaderBytes(quantizeCheckpoint(checkpoint, parseSpec(spec))));
      } catch (error) {
        if (!(error instanceof InputError)) throw error; // a user's codebook or a mix, whose file is not at hand
      }
    }
    const largest = Math.max(...headers.values());
    if (headers.size > 0)
      for (const spec of specs) if (!headers.has(spec)) headers.set(spec, Math.ceil(mixShare * largest));
    return { shape: { ...shape, layers: shape.windows.length }, headers };
  } finally {
    await checkpoint.close();
  }
}
