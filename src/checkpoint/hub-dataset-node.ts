// Files of a split of a data set from the Hugging Face Hub, through the same cache as models.
// Data sets lie there in many ways: found are Parquet and JSONL files that carry the split's name, and where a data set has
// none, the Parquet files into which the Hub itself converts every one.

import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { datasetInfo, downloadFileToCacheDir, getHFHubCachePath, listFiles } from "@huggingface/hub";
import { InputError } from "../input-error.ts";
import { explainHubError, hubAccess, isOffline, withoutDebugOutput } from "./hub-node.ts";

/** A split of a data set on the Hub. */
export interface DatasetId {
  /** `org/name`. */
  readonly name: string;
  /** Branch, tag or commit; absent: `main`, or the Hub's conversion to Parquet if that holds no files of the split. */
  readonly revision?: string;
  /** Which of its configurations; absent: the only one, or `default`. */
  readonly config?: string;
  readonly split: string;
}

/** Files of a split. */
export interface FetchedDataset {
  /** The split, its revision the commit that the files are of. */
  readonly id: DatasetId;
  /** Paths in the cache, in order. */
  readonly files: readonly string[];
}

/** The branch into which the Hub converts data sets: `<config>/<split>/0000.parquet`. */
const converted = "refs/convert/parquet";

/** The revisions to look at, in order. */
const listRevisions = ({ revision }: DatasetId) => (revision === undefined ? ["main", converted] : [revision]);

/**
 * The split's files in the cache, downloaded where they are not there.
 *
 * @throws InputError if the Hub has no such split or cannot be reached and the cache has no copy
 */
export async function fetchDataset(id: DatasetId): Promise<FetchedDataset> {
  if (!isOffline()) {
    try {
      return await download(id);
    } catch (error) {
      if (error instanceof InputError) throw error;
      const cached = await findCached(id);
      if (cached) return cached;
      throw explainHubError("data set", formatDataset(id), error);
    }
  }
  const cached = await findCached(id);
  if (cached) return cached;
  throw new InputError(
    `${formatDataset(id)} is not in the cache ${getHFHubCachePath()}, and HF_HUB_OFFLINE forbids to download it.`,
  );
}

async function download(id: DatasetId): Promise<FetchedDataset> {
  const { name } = id;
  const access = hubAccess();
  const repo = { type: "dataset" as const, name };
  for (const revision of listRevisions(id)) {
    const sha = await findCommit(name, revision, revision === converted && id.revision === undefined);
    if (sha === undefined) continue;
    const there: string[] = [];
    for await (const entry of listFiles({ repo, revision: sha, recursive: true, ...access }))
      if (entry.type === "file") there.push(entry.path);
    const wanted = chooseFiles(there, id);
    if (wanted.length === 0) continue;
    const files: string[] = [];
    await withoutDebugOutput(async () => {
      for (const path of wanted) files.push(await downloadFileToCacheDir({ repo, path, revision: sha, ...access }));
    });
    if (revision !== sha) {
      const ref = join(files[0].slice(0, -wanted[0].length - 1), "../../refs", revision);
      await mkdir(dirname(ref), { recursive: true });
      await writeFile(ref, sha);
    }
    return { id: { ...id, revision: sha }, files };
  }
  throw new InputError(
    `${formatDataset(id)} on the Hub has no Parquet or JSONL files of that split; name another, or a revision that has.`,
  );
}

/** The commit of a revision; undefined for one that is not there and need not be. */
async function findCommit(name: string, revision: string, isOptional: boolean): Promise<string | undefined> {
  try {
    return (await datasetInfo({ name, revision, additionalFields: ["sha"], ...hubAccess() })).sha;
  } catch (error) {
    if (isOptional && (error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}

/** The files of a split, in order: its name is that of the file (`data/test-00000-of-00001.parquet`) or of its folder. */
function chooseFiles(there: readonly string[], { config = "default", split }: DatasetId): string[] {
  const ofSplit = there.filter((path) => /\.(parquet|jsonl)$/.test(path) && isOfSplit(path, split));
  const ofConfig = ofSplit.filter((path) => {
    const [file, ...folders] = path.split("/").reverse();
    return folders.includes(config) || file.startsWith(`${config}-`);
  });
  // A data set with one configuration need not name it.
  const isOnly = config === "default" && new Set(ofSplit.map(dirname)).size === 1;
  const chosen = ofConfig.length > 0 || !isOnly ? ofConfig : ofSplit;
  const parquet = chosen.filter((path) => path.endsWith(".parquet"));
  return (parquet.length > 0 ? parquet : chosen).sort();
}

function isOfSplit(path: string, split: string): boolean {
  const [file, folder] = path.split("/").reverse();
  const stem = file.replace(/\.(parquet|jsonl)$/, "").replace(/-\d+-of-\d+(-[0-9a-f]+)?$/, "");
  return stem === split || stem.endsWith(`-${split}`) || (folder === split && /^\d+$/.test(stem));
}

async function findCached(id: DatasetId): Promise<FetchedDataset | undefined> {
  const repo = join(getHFHubCachePath(), nameCacheFolder(id.name));
  for (const revision of listRevisions(id)) {
    const commit = (await readFile(join(repo, "refs", revision), "utf8").catch(() => revision)).trim();
    const folder = join(repo, "snapshots", commit);
    if (!existsSync(folder)) continue;
    const there = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
    const chosen = chooseFiles(there, id);
    if (chosen.length > 0) return { id: { ...id, revision: commit }, files: chosen.map((path) => join(folder, path)) };
  }
  return undefined;
}

/** Tells which paths are files of a data set in a copy of the cache, whatever their split. */
export function isOfDataset({ name }: DatasetId): (path: string) => boolean {
  const folder = `/${nameCacheFolder(name)}/snapshots/`;
  return (path) => /\.(parquet|jsonl)$/.test(path) && path.replaceAll("\\", "/").includes(folder);
}

/** The folder of a data set in the cache. */
function nameCacheFolder(name: string): string {
  return `datasets--${name.replace("/", "--")}`;
}

/** `org/name@revision#config/split`. */
export function formatDataset({ name, revision, config, split }: DatasetId): string {
  return `${name}${revision ? `@${revision}` : ""}#${config ? `${config}/` : ""}${split}`;
}

/** Whether a place is on the Hub: `hub`, or `hub:org/name[@revision][#[config/]split]`. */
export function isOnHub(place: string): boolean {
  return place === "hub" || place.startsWith("hub:");
}

/** The data set of a place on the Hub; `own` is what `hub` alone means. @throws as `parseDatasetId` */
export function parseDatasetPlace(place: string, own?: DatasetId): DatasetId {
  return parseDatasetId(place.slice("hub:".length) || own?.name || "", own);
}

/**
 * Parses `org/name[@revision][#[config/]split]`; what is missing comes from `own`.
 *
 * @throws InputError if it is not of that form, or the split is nowhere named
 */
export function parseDatasetId(text: string, own?: DatasetId): DatasetId {
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w-][\w./-]*))?(?:#(?:([\w.-]+)\/)?([\w.-]+))?$/.exec(text);
  if (!match || text.includes("..")) {
    throw new InputError(`"${text}" names no data set; expected org/name[@revision]#[config/]split.`);
  }
  const [, name, revision, config = own?.config, split = own?.split] = match;
  if (split === undefined) throw new InputError(`Say which split of ${name}: ${text}#test, for example.`);
  return { name, ...(revision !== undefined && { revision }), ...(config !== undefined && { config }), split };
}
