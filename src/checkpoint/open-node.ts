// Opens a checkpoint by what the user wrote: a folder, a weight file with its config beside it, or a Hub id.

import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { InputError } from "../input-error.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type MapFile, openDiskFolder } from "./file-node.ts";
import { type DownloadOptions, fetchFromHub, parseHubId } from "./hub-node.ts";
import { openFolder } from "./open.ts";

/** Choices of `openCheckpoint`. */
export interface OpenOptions extends DownloadOptions {
  /** Weights are then views of the mapped file, which nobody may shorten while they are used; default: they are read. */
  readonly mapFile?: MapFile;
}

/**
 * Opens a checkpoint.
 *
 * @param pathOrId - a folder, a `.safetensors`, `.bin`, `.index.json` or `.gguf` file, or a Hub id `org/name[@revision]`
 * @throws InputError if there is none, it is malformed, or the Hub cannot be reached
 */
export async function openCheckpoint(pathOrId: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const stats = await stat(pathOrId).catch(() => undefined);
  if (stats?.isDirectory()) return openFolder(openDiskFolder(pathOrId, options.mapFile));
  if (stats) {
    if (!/\.(safetensors|bin|index\.json|gguf)$/.test(pathOrId)) {
      throw new InputError(
        `${pathOrId} is not a checkpoint; expected a folder or a .safetensors, .bin, .index.json or .gguf file.`,
      );
    }
    return openFolder(openDiskFolder(dirname(pathOrId), options.mapFile), basename(pathOrId));
  }
  const id = parseHubId(pathOrId);
  if (!id)
    throw new InputError(
      `There is no file or folder ${pathOrId}, and it is no Hub id of the form org/name[@revision].`,
    );
  return { ...(await openFolder(openDiskFolder(await fetchFromHub(id, options), options.mapFile))), source: pathOrId };
}
