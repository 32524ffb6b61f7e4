// A checkpoint in several files: the index that says which file holds which tensor, checked against the files.
// The same for safetensors and for PyTorch's own format; the files' own readers do the rest.

import { InputError } from "../input-error.ts";
import type { TensorHeader } from "../tensor/tensor.ts";
import type { Folder, TensorFile } from "./bytes.ts";

/**
 * Opens every file that an index names and joins them into one.
 *
 * @param indexName - such as `model.safetensors.index.json`
 * @param openFile - opens one file of the folder
 * @throws InputError if a file lies outside the folder or is missing, or a tensor is not where the index says
 *   or, unlisted, in two files
 */
export async function openShards(
  folder: Folder,
  indexName: string,
  openFile: (fileName: string) => Promise<TensorFile>,
): Promise<TensorFile> {
  const where = folder.path(indexName);
  const fileOf = parseIndex(await readTextFile(folder, indexName), where);
  const files = new Map<string, TensorFile>();
  const close = async () => {
    for (const file of files.values()) await file.close();
  };
  try {
    for (const fileName of new Set(fileOf.values())) {
      if (!folder.has(fileName))
        throw new InputError(`${where} names ${fileName}, which is not there; the download is incomplete.`);
      files.set(fileName, await openFile(fileName));
    }
    return joinFiles(files, fileOf, where, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Text of a file of the folder. */
export async function readTextFile(folder: Folder, fileName: string): Promise<string> {
  const file = await folder.open(fileName);
  try {
    if (file.size > maxTextBytes)
      throw new InputError(`${file.name} has ${file.size} bytes, too many for a file of this kind.`);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(await file.read(0, file.size));
  } finally {
    await file.close();
  }
}

/** Parses JSON, allowing the byte order mark that `readTextFile` keeps. */
export function parseJson(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, ""));
}

const maxTextBytes = 256 * 2 ** 20;

function parseIndex(text: string, where: string): Map<string, string> {
  let map: unknown;
  try {
    map = (parseJson(text) as { weight_map?: unknown } | null)?.weight_map;
  } catch {
    throw new InputError(`${where} is not valid JSON.`);
  }
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0) {
    throw new InputError(`${where} has no weight_map that says which file holds which tensor.`);
  }
  const fileOf = new Map<string, string>();
  for (const [tensor, fileName] of Object.entries(map)) {
    if (typeof fileName !== "string" || !/^[^/\\\0]+$/.test(fileName) || fileName === "." || fileName === "..") {
      throw new InputError(
        `${where} puts ${tensor} into ${JSON.stringify(fileName)}; expected a file name in the same folder.`,
      );
    }
    fileOf.set(tensor, fileName);
  }
  return fileOf;
}

function joinFiles(
  files: ReadonlyMap<string, TensorFile>,
  listed: ReadonlyMap<string, string>,
  where: string,
  close: () => Promise<void>,
): TensorFile {
  const tensors = new Map<string, TensorHeader>();
  const fileOf = new Map(listed);
  let fileBytes = 0;
  for (const [fileName, file] of files) {
    for (const [name, header] of file.tensors) {
      // A tensor that the index forgot is taken where it is; where the index names another file, that one counts.
      if (!fileOf.has(name)) fileOf.set(name, fileName);
      else if (!listed.has(name)) throw new InputError(`${where} does not say which of two files holds ${name}.`);
      if (fileOf.get(name) === fileName) tensors.set(name, header);
    }
    fileBytes += file.fileBytes;
  }
  for (const [name, fileName] of listed) {
    if (!tensors.has(name)) throw new InputError(`${where} says that ${fileName} holds ${name}, but it does not.`);
  }
  return {
    tensors,
    metadata: [...files.values()].flatMap((file) => file.metadata),
    fileBytes,
    files: [...files.values()].flatMap((file) => file.files),
    readBytes: (name) => files.get(fileOf.get(name)!)!.readBytes(name),
    close,
  };
}
