// What advice needs of models beside result rows: their shape, and the header that their file has at each spec.
// Configs and headers of checkpoints on this disk are read, no weights; nothing is downloaded.

import { existsSync } from "node:fs";
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
  /** Bytes of the header by model name, then spec text. */
  readonly headers: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/**
 * Facts of the models of `rows`: from the paths given, else from where the rows say that their models were, if they still
 * are there.
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
  for (const { name, path } of paths === undefined ? listPlaces(rows) : findModels({ paths }, process.cwd())) {
    try {
      const facts = await readFacts(path, specs);
      shapes.set(name, facts.shape);
      headers.set(name, facts.headers);
    } catch (error) {
      if (paths !== undefined || !(error instanceof InputError)) throw error;
    }
  }
  return { shapes, headers };
}

function listPlaces(rows: readonly ResultRow[]): { name: string; path: string }[] {
  const places = new Map<string, string>();
  for (const { model, paths } of rows) if (paths && existsSync(paths.model)) places.set(model.name, paths.model);
  return [...places].map(([name, path]) => ({ name, path }));
}

async function readFacts(path: string, specs: readonly string[]) {
  const checkpoint = await openCheckpoint(path);
  try {
    const { shape } = describeDecoder(checkpoint.config, checkpoint.tensors, checkpoint.source);
    const headers = new Map<string, number>();
    for (const spec of specs) {
      try {
        headers.set(spec, countHeaderBytes(quantizeCheckpoint(checkpoint, parseSpec(spec))));
      } catch (error) {
        if (!(error instanceof InputError)) throw error; // a user's codebook, whose file is not at hand
      }
    }
    return { shape: { ...shape, layers: shape.windows.length }, headers };
  } finally {
    await checkpoint.close();
  }
}
