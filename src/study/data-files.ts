// The data of an experiment: a file, or the files of a split on the Hub, known by the SHA-256 of their bytes one after another.
// Which tasks read them, and below which folders a worker may, stands elsewhere.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { fetchDataset, formatDataset, isOnHub, parseDatasetPlace } from "../checkpoint/hub-dataset-node.ts";
import { decodeData } from "../evaluate/data-node.ts";
import { InputError } from "../input-error.ts";
import { AbsentError } from "./roots.ts";

/** Where data are. */
export interface DataFiles {
  /** A path, or `hub:org/name@commit#[config/]split`. */
  readonly place: string;
  readonly files: readonly string[];
}

/** What a plan needs of data. */
export interface DataFacts {
  readonly place: string;
  readonly hash: string;
  /** Of the text, or of Parquet's rows as lines of JSON. */
  readonly bytes: number;
  readonly lines: number;
  /** Its beginning, for an estimate of its tokens. */
  readonly sample: string;
}

/** More than this does not fit a string of the engine. */
export const maxDataBytes = 500_000_000;

/** Bytes of a text that are encoded to see how many tokens it has. */
const sampleBytes = 1 << 15;

/** The files of a place; those on the Hub are downloaded where they are not in the cache. @throws InputError if they cannot be had */
export async function findDataFiles(place: string): Promise<DataFiles> {
  if (!isOnHub(place)) return { place, files: [place] };
  const { id, files } = await fetchDataset(parseDatasetPlace(place));
  let bytes = 0;
  for (const file of files) bytes += (await stat(file)).size;
  if (bytes > maxDataBytes)
    throw new InputError(`${place} has ${bytes} bytes; at most ${maxDataBytes} are read. Name a smaller split.`);
  return { place: `hub:${formatDataset(id)}`, files };
}

/** Reads data once, for their hash and size. @throws InputError if they cannot be read */
export async function readDataFacts(given: string): Promise<DataFacts> {
  const { place, files } = await findDataFiles(given);
  const hash = createHash("sha256");
  const facts = { bytes: 0, lines: 0, sample: "" };
  const add = (chunk: Uint8Array) => {
    if (facts.bytes === 0) facts.sample = Buffer.from(chunk.subarray(0, sampleBytes)).toString("utf8");
    facts.bytes += chunk.length;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) facts.lines++;
  };
  for (const file of files) {
    const isRows = /\.parquet$/i.test(file);
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      if (!isRows) add(chunk);
    }
    if (isRows) add(Buffer.from(await decodeData(await readFile(file), file)));
  }
  return { place, hash: hash.digest("hex"), ...facts, lines: Math.max(1, facts.lines) };
}

/** The text of files, their rows one after the other. @throws AbsentError if their bytes are not those of the hash */
export async function readCheckedText({ place, files }: DataFiles, hash: string): Promise<string> {
  const sum = createHash("sha256");
  const contents: Buffer[] = [];
  for (const file of files) {
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw new AbsentError(`The file ${file} cannot be read (${error.code}).`);
    });
    sum.update(bytes);
    contents.push(bytes);
  }
  if (sum.digest("hex") !== hash)
    throw new AbsentError(`${place} was changed while the study ran; run the study again to measure on the new file.`);
  const texts = [];
  for (const [i, bytes] of contents.entries()) texts.push(await decodeData(bytes, files[i]));
  return texts.length === 1 ? texts[0] : texts.map((text) => text.replace(/\n?$/, "\n")).join("");
}
