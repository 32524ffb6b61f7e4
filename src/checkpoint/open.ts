// Opens the checkpoint in a folder of files, on disk or in the browser's memory: finds config and weights, whatever
// their format, and reads weights only when asked. open-node.ts adds paths and the Hub.

import { InputError } from "../input-error.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type ByteSource, createMemorySource, type Folder, type TensorFile } from "./bytes.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { openGguf } from "./gguf/open.ts";
import { openPacked } from "./packed.ts";
import { isPacked } from "./packed-metadata.ts";
import { openSafetensors } from "./safetensors.ts";
import { openShards, parseJson, readTextFile } from "./shards.ts";
import { openTorchFile } from "./torch-file.ts";

/** Names under which weights lie in a folder, first match wins; an index names its shards. */
export const weightFiles = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
] as const;

/**
 * Opens a checkpoint whose files are in memory, as in a browser.
 *
 * @param files - the bytes of each file by its name: `config.json`, `model.safetensors`, `tokenizer.json`, ..
 * @param source - what to call it in messages
 */
export function openCheckpointFiles(files: ReadonlyMap<string, Uint8Array>, source: string): Promise<Checkpoint> {
  return openFolder({
    source,
    has: (fileName) => files.has(fileName),
    list: () => [...files.keys()],
    open: async (fileName) => createMemorySource(`${source}/${fileName}`, files.get(fileName)!),
    path: (fileName) => `${source}/${fileName}`,
  });
}

/**
 * Opens the checkpoint in a folder.
 *
 * @param weightFile - the file that holds the weights; default: the first of `weightFiles` that is there
 * @throws InputError if config or weights are missing or malformed
 */
export async function openFolder(folder: Folder, weightFile?: string): Promise<Checkpoint> {
  const gguf = weightFile ?? findGguf(folder);
  if (gguf?.endsWith(".gguf")) return openGgufFile(await folder.open(gguf));
  const config = await readConfig(folder);
  const fileName = weightFile ?? weightFiles.find((name) => folder.has(name));
  if (!fileName) throw new InputError(`${folder.source} has no weights; expected one of ${weightFiles.join(", ")}.`);
  const openFile = async (name: string): Promise<TensorFile> => {
    const source = await folder.open(name);
    return name.endsWith(".safetensors") ? openSafetensors(source) : openTorchFile(source);
  };
  const file = fileName.endsWith(".index.json")
    ? await openShards(folder, fileName, openFile)
    : await openFile(fileName);
  try {
    return isPacked(file) ? openPacked(folder, config, file) : createCheckpoint(folder, config, file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The GGUF file of a folder that has no other weights; it brings its own config and tokenizer. */
function findGguf(folder: Folder): string | undefined {
  if (weightFiles.some((name) => folder.has(name))) return undefined;
  const files = folder.list?.().filter((name) => name.endsWith(".gguf")) ?? [];
  if (files.length > 1) {
    throw new InputError(`${folder.source} has ${files.length} GGUF files; give the path of one, such as ${files[0]}.`);
  }
  return files[0];
}

async function openGgufFile(file: ByteSource): Promise<Checkpoint> {
  try {
    return await openGguf(file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readConfig(folder: Folder): Promise<Record<string, unknown>> {
  const where = folder.path("config.json");
  if (!folder.has("config.json")) {
    const sentence = folder.has("family.json")
      ? "is a family of models; give one of the folders named in its family.json"
      : "has no config.json, which says what the weights mean";
    throw new InputError(`${folder.source} ${sentence}.`);
  }
  let config: unknown;
  try {
    config = parseJson(await readTextFile(folder, "config.json"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(`${where} is not valid JSON: ${error.message}.`);
    throw error;
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new InputError(`${where} is not a JSON object.`);
  }
  return config as Record<string, unknown>;
}

function createCheckpoint(folder: Folder, config: Record<string, unknown>, file: TensorFile): Checkpoint {
  const find = (name: string) => {
    const header = file.tensors.get(name);
    if (!header) throw new InputError(`${folder.source} has no tensor ${name}.`);
    return { name, type: header.type, shape: header.shape };
  };
  return {
    source: folder.source,
    config,
    spec: undefined,
    tensors: file.tensors,
    fileBytes: file.fileBytes,
    files: file.files,
    read: async (name): Promise<Tensor> => ({ ...find(name), bytes: await file.readBytes(name) }),
    storedAs: (name) => ({ parts: [find(name)], isExact: true }),
    readText: async (fileName) => (folder.has(fileName) ? readTextFile(folder, fileName) : undefined),
    close: () => file.close(),
  };
}
