// Data that a command names: local files, or a split of a data set on the Hugging Face Hub.

import { type DatasetId, fetchDataset, isOnHub, parseDatasetPlace } from "../checkpoint/hub-dataset-node.ts";
import { readDataFile } from "../evaluate/data-node.ts";

/** A file that was read. */
export interface DataSource {
  readonly file: string;
  readonly sha256: string;
}

/** Text or documents, and where they are from. */
export interface ReadData {
  readonly text: string;
  readonly sources: readonly DataSource[];
}

/**
 * Reads what stands at a place; several files of a split are read one after the other.
 *
 * @param own - the data set that `hub` alone means
 * @param columns - of Parquet files, only these
 * @throws InputError if it cannot be read
 */
export async function readData(place: string, own?: DatasetId, columns?: readonly string[]): Promise<ReadData> {
  const files = isOnHub(place) ? (await fetchDataset(parseDatasetPlace(place, own))).files : [place];
  const read = [];
  for (const file of files) read.push({ file, ...(await readDataFile(file, columns)) });
  return {
    text: read.length === 1 ? read[0].text : read.map(({ text }) => text.replace(/\n?$/, "\n")).join(""),
    sources: read.map(({ file, sha256 }) => ({ file, sha256 })),
  };
}
