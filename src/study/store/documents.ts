// The documents of a row as bytes and back: a line of JSON that says what follows, then float32 values, deflated.
// Rows of large tasks stay small by it: ten thousand answers, right or wrong, are about two kilobytes.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { InputError } from "../../input-error.ts";
import type { DocumentValues } from "../../result.ts";

/** One metric of the header. */
interface Entry {
  readonly name: string;
  /** Documents. */
  readonly count: number;
  readonly weighted: boolean;
}

/** More than the documents of any task; a store that holds more was not written by kbit. */
const maxBytes = 2 ** 28;

/** The documents of a row as one blob. */
export function packDocuments(documents: Readonly<Record<string, DocumentValues>>): Uint8Array {
  const header: Entry[] = [];
  const parts: Uint8Array[] = [];
  for (const [name, { values, weights }] of Object.entries(documents)) {
    header.push({ name, count: values.length, weighted: weights !== undefined });
    for (const array of weights ? [values, weights] : [values]) {
      if (array.length !== values.length) throw new Error(`${name} has ${array.length} weights`);
      parts.push(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    }
  }
  return deflateRawSync(Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), ...parts]));
}

/** The inverse of `packDocuments`. @throws InputError if the bytes are not such a blob */
export function unpackDocuments(packed: Uint8Array): Record<string, DocumentValues> {
  try {
    const bytes = inflateRawSync(packed, { maxOutputLength: maxBytes });
    const end = bytes.indexOf(10);
    const header: Entry[] = JSON.parse(bytes.toString("utf8", 0, end));
    let at = end + 1;
    const take = (count: number) => {
      if (!Number.isSafeInteger(count) || count < 0 || count * 4 > bytes.length - at) throw new Error("too short");
      const values = new Float32Array(Uint8Array.from(bytes.subarray(at, at + count * 4)).buffer); // aligned
      at += count * 4;
      return values;
    };
    return Object.fromEntries(
      header.map(({ name, count, weighted }) => {
        const values = take(count);
        return [name, weighted ? { values, weights: take(count) } : { values }];
      }),
    );
  } catch {
    throw new InputError("The store holds documents that cannot be read; it is damaged, restore it from a copy.");
  }
}
