// Models from the Hugging Face Hub, through the cache that Python's huggingface_hub shares (HF_HOME, HF_HUB_CACHE).
// A complete copy in the cache is used where the Hub cannot be reached, or always with HF_HUB_OFFLINE=1.

import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { downloadFileToCacheDir, getHFHubCachePath, listFiles, modelInfo } from "@huggingface/hub";
import { InputError } from "../input-error.ts";
import { sideFiles } from "./checkpoint.ts";
import { weightFiles } from "./open.ts";

/** A model on the Hub. */
export interface HubId {
  readonly name: string;
  readonly revision: string;
}

/** How to follow a download. */
export interface DownloadOptions {
  /** Called before each file with its name, how many came before it and how many there are. */
  readonly onDownload?: (fileName: string, done: number, total: number) => void;
}

/** Parses `org/name[@revision]`; undefined if it is not of that form. */
export function parseHubId(text: string): HubId | undefined {
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?$/.exec(text);
  if (!match || text.includes("..")) return undefined;
  return { name: match[1], revision: match[2] ?? "main" };
}

/**
 * Folder of the model in the cache, downloaded where it is not there: config, tokenizer and one format of weights.
 *
 * @throws InputError if the Hub has no such model or cannot be reached and the cache has no copy
 */
export async function fetchFromHub(id: HubId, options: DownloadOptions): Promise<string> {
  if (!isOffline()) {
    try {
      return await download(id, options);
    } catch (error) {
      if (error instanceof InputError) throw error;
      const cached = await findCached(id);
      if (cached) return cached;
      throw explainHubError("model", format(id), error);
    }
  }
  const cached = await findCached(id);
  if (cached) return cached;
  throw new InputError(
    `${format(id)} is not in the cache ${getHFHubCachePath()}, and HF_HUB_OFFLINE forbids to download it.`,
  );
}

/** Whether the Hub may not be asked. */
export function isOffline(): boolean {
  return /^(1|on|yes|true)$/i.test(process.env.HF_HUB_OFFLINE ?? "");
}

/** Where the Hub is, and what it is asked with. */
export function hubAccess(): { hubUrl: string | undefined; accessToken: string | undefined } {
  return {
    hubUrl: process.env.HF_ENDPOINT?.replace(/\/+$/, "") || undefined,
    accessToken: process.env.HF_TOKEN || undefined,
  };
}

async function download({ name, revision }: HubId, { onDownload }: DownloadOptions): Promise<string> {
  const access = hubAccess();
  const repo = { type: "model" as const, name };
  const { sha } = await modelInfo({ name, revision, additionalFields: ["sha"], ...access });
  const there: string[] = [];
  for await (const entry of listFiles({ repo, revision: sha, ...access }))
    if (entry.type === "file") there.push(entry.path);
  const wanted = chooseFiles(there);
  if (wanted.length === 0) throw new InputError(`${name} on the Hub has no weights in safetensors or PyTorch format.`);
  let folder = "";
  await withoutDebugOutput(async () => {
    for (const [i, path] of wanted.entries()) {
      onDownload?.(path, i, wanted.length);
      const file = await downloadFileToCacheDir({ repo, path, revision: sha, ...access });
      folder = file.slice(0, -path.length - 1);
    }
  });
  onDownload?.("", wanted.length, wanted.length);
  if (revision !== sha) {
    const ref = join(folder, "../../refs", revision);
    await mkdir(dirname(ref), { recursive: true });
    await writeFile(ref, sha);
  }
  return folder;
}

/** Side files and one format of weights; no weights: nothing. */
function chooseFiles(there: readonly string[]): string[] {
  const weights = weightFiles.find((name) => there.includes(name));
  if (!weights) return [];
  const shard = weights.startsWith("model.") ? /^model-\d+-of-\d+\.safetensors$/ : /^pytorch_model-\d+-of-\d+\.bin$/;
  const shards = weights.endsWith(".index.json") ? there.filter((path) => shard.test(path)) : [];
  return [...sideFiles.filter((name) => there.includes(name)), ...shards, weights];
}

/** The Hub's client reports every file with console.debug, which is standard output in Node. */
export async function withoutDebugOutput(run: () => Promise<void>): Promise<void> {
  const { debug } = console;
  console.debug = () => {};
  try {
    await run();
  } finally {
    console.debug = debug;
  }
}

/** The snapshot in the cache, if its config and weights are there; weights come last, so that they say it is complete. */
async function findCached({ name, revision }: HubId): Promise<string | undefined> {
  const repo = join(getHFHubCachePath(), `models--${name.replace("/", "--")}`);
  const commit = await readFile(join(repo, "refs", revision), "utf8").catch(() => revision);
  const folder = join(repo, "snapshots", commit.trim());
  const isComplete =
    existsSync(join(folder, "config.json")) && weightFiles.some((file) => existsSync(join(folder, file)));
  return isComplete ? folder : undefined;
}

/** What an error of the Hub's client means. `what` is a model or a data set, `id` its name. */
export function explainHubError(what: "model" | "data set", id: string, error: unknown): InputError {
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  const missing = what === "model" ? `There is no file or folder ${id.replace(/@.*/, "")}, and the` : "The";
  if (statusCode === 404) return new InputError(`${missing} Hub has no ${what} ${id}.`);
  if (statusCode === 401 || statusCode === 403) {
    return new InputError(`The Hub does not give access to ${id}: it does not exist, or it needs a token in HF_TOKEN.`);
  }
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new InputError(`The disk of the cache ${getHFHubCachePath()} is full; free some space or set HF_HOME.`);
  }
  const why = statusCode
    ? `it answered ${statusCode}`
    : message === "fetch failed"
      ? "there is no connection"
      : message;
  return new InputError(`${missing} Hub could not be reached (${why}); give the path of a downloaded ${what}.`);
}

function format({ name, revision }: HubId): string {
  return revision === "main" ? name : `${name}@${revision}`;
}
