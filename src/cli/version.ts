// The version of the package, read from its package.json so that it stands in one place.

import { readFileSync } from "node:fs";

/** Version of kbit, such as `0.1.0`. */
export const version: string = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
