// The models that the page may run and look into: those that come with kbit and those under one folder that was named.
// What can be read is listed once; a request names a model and one of its files and never a path.

import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { sideFiles } from "../checkpoint/checkpoint.ts";
import { weightFiles } from "../checkpoint/open.ts";
import { InputError } from "../input-error.ts";

/** The model family that comes with kbit. */
export const bundledModels = fileURLToPath(new URL("../../models/books", import.meta.url));

/** A model whose files the page may read. */
export interface ServedModel {
  readonly name: string;
  /** Bytes by file name: configuration, tokenizer and weights. */
  readonly files: Readonly<Record<string, number>>;
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Models by their number in the list, and their files by name. */
export interface ModelShelf {
  readonly models: readonly ServedModel[];
  /** Path of a listed file; undefined for anything else. */
  find(model: number, fileName: string): Promise<string | undefined>;
}

/**
 * Lists the models in folders: a folder that holds a `config.json` itself, and those of its subfolders that do.
 *
 * @throws InputError if a folder does not exist or holds no model
 */
export async function openShelf(folders: readonly string[]): Promise<ModelShelf> {
  const models: (ServedModel & { readonly folder: string; readonly root: string })[] = [];
  for (const folder of folders) {
    const root = await realpath(folder).catch(() => {
      throw new InputError(`There is no folder ${folder}; name one that holds models with --models.`);
    });
    const inside = await readdir(root, { withFileTypes: true }).catch(() => {
      throw new InputError(`${folder} is not a folder that can be read; name one that holds models with --models.`);
    });
    const before = models.length;
    const names = inside.map((entry) => entry.name).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    for (const place of [root, ...names.map((name) => join(root, name))]) {
      const files = await listFiles(place, root);
      if (!("config.json" in files) || !Object.keys(files).some((name) => isWeightFile(name))) continue;
      const bytes = Object.values(files).reduce((sum, size) => sum + size, 0);
      models.push({ name: basename(place), files, bytes, folder: place, root });
    }
    if (models.length === before) {
      throw new InputError(`${folder} holds no model: a folder with config.json and ${weightFiles[0]} was expected.`);
    }
  }
  return {
    models: models.map(({ name, files, bytes }) => ({ name, files, bytes })),
    async find(model, fileName) {
      const one = models[model];
      if (one === undefined || !Object.hasOwn(one.files, fileName)) return undefined;
      const path = join(one.folder, fileName);
      return (await isInside(path, one.root)) ? path : undefined; // again: a link may have been put there since
    },
  };
}

function isWeightFile(name: string): boolean {
  return (weightFiles as readonly string[]).includes(name) || /^[\w.-]+\.safetensors$/.test(name);
}

/** Size by name of the files in a folder that belong to a model and lie below the root, links followed. */
async function listFiles(folder: string, root: string): Promise<Record<string, number>> {
  const files: Record<string, number> = {};
  if (!(await isInside(folder, root))) return files;
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    if (!(sideFiles as readonly string[]).includes(name) && !isWeightFile(name)) continue;
    const path = join(folder, name);
    const facts = (await isInside(path, root)) ? await stat(path).catch(() => undefined) : undefined;
    if (facts?.isFile()) files[name] = facts.size;
  }
  return files;
}

async function isInside(path: string, root: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  return real !== undefined && (real === root || real.startsWith(root + sep));
}
