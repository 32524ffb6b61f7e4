// The id of a result: what it is found by, in every store and file.

import { createHash } from "node:crypto";
import { formatKey, type ResultKey } from "../result.ts";

/** SHA-256 of the canonical text of a key. */
export function hashKey(key: ResultKey): string {
  return createHash("sha256").update(formatKey(key)).digest("hex");
}
