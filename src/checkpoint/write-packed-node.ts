// Writes a checkpoint at a spec as packed safetensors files, one tensor at a time. Files get temporary names in the same
// folder and are renamed when all is on disk, so that a run that is killed leaves nothing under a final name.

import { existsSync } from "node:fs";
import { mkdir, open, readdir, realpath, rename, rm, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InputError } from "../input-error.ts";
import { isQuantized } from "../quantize/quantized.ts";
import type { Spec } from "../quantize/spec.ts";
import type { Tensor, TensorHeader } from "../tensor/tensor.ts";
import { type Checkpoint, sideFiles } from "./checkpoint.ts";
import { packTensor } from "./packed-layout.ts";
import { formatPackedMetadata } from "./packed-metadata.ts";
import { countBytes, formatSafetensorsHeader, placeTensors } from "./safetensors.ts";

/** Choices of `writePackedCheckpoint`. */
export interface WriteOptions {
  /** Replaces what an earlier run wrote into a folder that is not empty. */
  readonly force?: boolean;
  /** Tensor data of one file; a larger checkpoint is cut into shards. Default 4 GiB. */
  readonly maxShardBytes?: number;
  /** Weights that are read, and so quantized, at once; default 1. Together they stay below 1 GiB, or are two. */
  readonly readAhead?: number;
  /** Called before each tensor is written, with its name and how many weights were written before it, of how many. */
  readonly onProgress?: (name: string, weightsDone: number, weightsTotal: number) => void;
  /** Stops between two tensors and cleans up. */
  readonly signal?: AbortSignal;
}

/** What was written. */
export interface WrittenCheckpoint {
  /** Names of the files with weights. */
  readonly files: readonly string[];
  /** Bytes of tensor data, and of those files with headers. */
  readonly tensorBytes: number;
  readonly fileBytes: number;
}

/** Weights of one file: names of the checkpoint, and the tensors that they will be stored as at most. */
interface Shard {
  readonly names: string[];
  readonly parts: TensorHeader[];
  bytes: number;
}

const temporary = /^\.kbit-.*\.tmp$/;

/**
 * Writes a checkpoint, quantized or not, with its config and tokenizer.
 *
 * @param checkpoint - with a spec: a quantized view, or a packed checkpoint
 * @param folder - is made if it is not there
 * @throws InputError if the folder is not empty, or the disk is full; nothing is left behind then
 */
export async function writePackedCheckpoint(
  checkpoint: Checkpoint,
  folder: string,
  options: WriteOptions = {},
): Promise<WrittenCheckpoint> {
  const { spec } = checkpoint;
  if (!spec) throw new Error(`${checkpoint.source} has no spec; bring it to one with quantizeCheckpoint`);
  const isNew = !existsSync(folder);
  if (!isNew) await checkFolder(folder, checkpoint, options.force ?? false);
  const shards = planShards(checkpoint, options.maxShardBytes ?? 4 * 2 ** 30);
  await makeFolder(folder);
  const renames = new Map<string, string>(); // temporary name -> final name, in the order of renaming
  try {
    await checkSpace(folder, shards);
    const written = await writeShards(checkpoint, spec, folder, shards, renames, options);
    await writeSideFiles(checkpoint, folder, renames);
    if (options.force) await removeWeights(folder);
    for (const [from, to] of renames) await rename(join(folder, from), join(folder, to));
    await syncFolder(folder);
    return written;
  } catch (error) {
    for (const name of renames.keys()) await rm(join(folder, name), { force: true });
    if (isNew) await rm(folder, { recursive: true, force: true });
    throw isFull(error) ? new InputError(`The disk of ${folder} is full; nothing was left there.`) : error;
  }
}

/** Bytes before the tensor data in the files that `writePackedCheckpoint` makes of a checkpoint with a spec. */
export function countHeaderBytes(checkpoint: Checkpoint, options: WriteOptions = {}): number {
  const { spec } = checkpoint;
  if (!spec) throw new Error(`${checkpoint.source} has no spec; bring it to one with quantizeCheckpoint`);
  const shards = planShards(checkpoint, options.maxShardBytes ?? 4 * 2 ** 30);
  return shards.reduce((sum, shard) => sum + reserveHeader(checkpoint, spec, shard).reserved, 0);
}

/** Makes a folder and those above it; mkdir's own recursion never ends where a file system takes no new folders. */
async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await makeFolder(dirname(folder));
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") throw new InputError(`The folder ${folder} cannot be made (${code}); give another.`);
  }
}

/** Refuses a folder with files in it, and always that of the model itself; what a killed run left there is removed. */
async function checkFolder(folder: string, { files, source }: Checkpoint, force: boolean): Promise<void> {
  const place = await realpath(folder);
  for (const file of files ?? []) {
    if (dirname(await realpath(file)) === place) {
      throw new InputError(`${folder} holds ${source} itself, which would be lost; give another folder.`);
    }
  }
  const names = await readdir(folder);
  for (const name of names) if (temporary.test(name)) await rm(join(folder, name), { force: true });
  const others = names.filter((name) => !temporary.test(name));
  if (others.length === 0 || force) return;
  throw new InputError(
    `${folder} is not empty (it has ${others[0]}); give another folder, or --force to replace the model in it.`,
  );
}

/** Weights of an earlier model would lie beside the new ones. */
async function removeWeights(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^(model|pytorch_model)(-\d+-of-\d+)?\.(safetensors|bin)(\.index\.json)?$/.test(name))
      await rm(join(folder, name));
  }
}

async function checkSpace(folder: string, shards: readonly Shard[]): Promise<void> {
  const needed = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  const { blocks, bavail, bsize } = await statfs(folder);
  // A file system that has no blocks does not tell how full it is.
  if (blocks > 0 && needed > bavail * bsize) {
    throw new InputError(
      `${folder} needs ${formatBytes(needed)}, but its disk has ${formatBytes(bavail * bsize)} free.`,
    );
  }
}

function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT", "EFBIG"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function planShards(checkpoint: Checkpoint, maxBytes: number): Shard[] {
  const { storedAs } = checkpoint;
  if (!storedAs) throw new Error(`${checkpoint.source} does not tell how its weights are stored`);
  const shards: Shard[] = [{ names: [], parts: [], bytes: 0 }];
  for (const name of checkpoint.tensors.keys()) {
    const parts = storedAs(name).parts;
    const bytes = parts.reduce((sum, part) => sum + countBytes(part), 0);
    if (shards.at(-1)!.bytes + bytes > maxBytes && shards.at(-1)!.names.length > 0) {
      shards.push({ names: [], parts: [], bytes: 0 });
    }
    const shard = shards.at(-1)!;
    shard.names.push(name);
    shard.parts.push(...parts);
    shard.bytes += bytes;
  }
  return shards;
}

async function writeShards(
  checkpoint: Checkpoint,
  spec: Spec,
  folder: string,
  shards: readonly Shard[],
  renames: Map<string, string>,
  { onProgress, signal, readAhead = 1 }: WriteOptions,
): Promise<WrittenCheckpoint> {
  const countWeights = (name: string) =>
    checkpoint.tensors.get(name)!.shape.reduce((product, size) => product * size, 1);
  const weightsTotal = [...checkpoint.tensors.keys()].reduce((sum, name) => sum + countWeights(name), 0);
  let weightsDone = 0;
  async function* readAll(names: readonly string[]) {
    const sizes = names.map((name) => 4 * countWeights(name));
    let i = 0;
    for await (const weight of readInOrder(names, sizes, (name) => checkpoint.read(name), readAhead)) {
      signal?.throwIfAborted();
      onProgress?.(names[i], weightsDone, weightsTotal);
      yield weight;
      weightsDone += countWeights(names[i++]);
    }
  }
  const files: string[] = [];
  const fileOf = new Map<string, string>();
  let [tensorBytes, fileBytes] = [0, 0];
  for (const [i, shard] of shards.entries()) {
    const number = (n: number) => String(n).padStart(5, "0");
    const fileName =
      shards.length === 1 ? "model.safetensors" : `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`;
    const temporaryName = `.kbit-${process.pid}-${fileName}.tmp`;
    renames.set(temporaryName, fileName);
    const written = await writeShard(join(folder, temporaryName), checkpoint, spec, shard, readAll);
    for (const { name } of written.parts) fileOf.set(name, fileName);
    tensorBytes += written.tensorBytes;
    fileBytes += written.fileBytes;
    files.push(fileName);
  }
  if (shards.length > 1) {
    const index = { metadata: { total_size: tensorBytes }, weight_map: Object.fromEntries(fileOf) };
    await writeText(folder, "model.safetensors.index.json", `${JSON.stringify(index, null, 2)}\n`, renames);
  }
  return { files, tensorBytes, fileBytes };
}

/** The metadata of a file, and the bytes of the largest header that it may need. */
function reserveHeader(checkpoint: Checkpoint, spec: Spec, shard: Shard) {
  const storedSelf = new Set(shard.parts.map(({ name }) => name));
  const matrices = shard.names.filter((name) => !storedSelf.has(name)).map((name) => checkpoint.tensors.get(name)!);
  const metadata = formatPackedMetadata(spec, matrices);
  return { metadata, reserved: formatSafetensorsHeader(placeTensors(shard.parts), metadata).length };
}

/**
 * Writes one file. Its header comes first but is known last, since codebooks that depend on data may be smaller than
 * planned: the place of the largest possible header is left free, and filled at the end.
 */
async function writeShard(
  path: string,
  checkpoint: Checkpoint,
  spec: Spec,
  shard: Shard,
  readAll: (names: readonly string[]) => AsyncIterable<Awaited<ReturnType<Checkpoint["read"]>>>,
): Promise<{ parts: TensorHeader[]; tensorBytes: number; fileBytes: number }> {
  const { metadata, reserved } = reserveHeader(checkpoint, spec, shard);
  const parts: TensorHeader[] = [];
  const file = await open(path, "wx");
  try {
    let position = reserved;
    for await (const weight of readAll(shard.names)) {
      for (const part of isQuantized(weight) ? packTensor(weight) : [weight]) {
        await writeFully(file, part, position);
        position += part.bytes.length;
        parts.push({ name: part.name, type: part.type, shape: part.shape });
      }
    }
    const header = formatSafetensorsHeader(placeTensors(parts), metadata, reserved);
    await file.write(header, 0, header.length, 0);
    await file.sync();
    return { parts, tensorBytes: position - reserved, fileBytes: position };
  } finally {
    await file.close();
  }
}

const maxBytesAhead = 2 ** 30;

/** Weights in order, those that follow being read while one is written. */
async function* readInOrder<T>(
  names: readonly string[],
  sizes: readonly number[],
  read: (name: string) => Promise<T>,
  ahead: number,
): AsyncGenerator<T> {
  const pending: Promise<T>[] = [];
  let bytes = 0;
  for (let current = 0, next = 0; current < names.length; current++) {
    const fits = () => pending.length < 2 || (pending.length <= ahead && bytes + sizes[next] <= maxBytesAhead);
    while (next < names.length && fits()) {
      const weight = read(names[next]);
      // Whoever fails first is reported; the others must not count as unhandled.
      weight.catch(() => {});
      pending.push(weight);
      bytes += sizes[next++];
    }
    yield await pending.shift()!;
    bytes -= sizes[current];
  }
}

const maxWriteBytes = 2 ** 30;

async function writeFully(file: Awaited<ReturnType<typeof open>>, { bytes }: Tensor, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const count = Math.min(maxWriteBytes, bytes.length - done);
    done += (await file.write(bytes, done, count, position + done)).bytesWritten;
  }
}

async function writeSideFiles(checkpoint: Checkpoint, folder: string, renames: Map<string, string>): Promise<void> {
  for (const fileName of sideFiles) {
    const text = await checkpoint.readText(fileName);
    if (text !== undefined) await writeText(folder, fileName, text, renames);
  }
}

async function writeText(folder: string, fileName: string, text: string, renames: Map<string, string>): Promise<void> {
  const temporaryName = `.kbit-${process.pid}-${fileName}.tmp`;
  renames.set(temporaryName, fileName);
  await writeFile(join(folder, temporaryName), text, { flag: "wx", flush: true });
}

/** Makes the new names last; some systems cannot sync a folder, which is no fault. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
