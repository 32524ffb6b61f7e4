// Text files that the user names: read whole, and only if they are text.

import { type DataFile, readDataFile } from "../evaluate/data-node.ts";
import { InputError } from "../input-error.ts";

/** A file's text. @throws InputError if there is no such file, or it is no UTF-8 text */
export async function readTextFile(path: string): Promise<string> {
  return (await readHashedText(path)).text;
}

/** A file's text and its hash. @throws InputError if there is no such file, or it is no UTF-8 text */
export async function readHashedText(path: string): Promise<DataFile> {
  const file = await readDataFile(path, []);
  if (file.format === "text") return file;
  throw new InputError(`${path} is a Parquet file, not a text; kbit eval --column NAME reads texts from one.`);
}
