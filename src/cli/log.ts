// What a long-running command tells: lines for people, or one JSON object a line for machines.

import { InputError } from "../input-error.ts";

/** Tells one thing, in either form; undefined where a form leaves it out. */
export type Log = (entry: Record<string, unknown> | undefined, line: string | undefined) => void;

/** @param form - `text` or `json` @throws InputError for another */
export function createLog(form: string, stream: NodeJS.WriteStream): Log {
  if (form !== "text" && form !== "json") throw new InputError(`--log ${form} is not known; expected text or json.`);
  return (entry, line) => {
    if (form === "text" && line !== undefined) stream.write(`${line}\n`);
    if (form === "json" && entry !== undefined)
      stream.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
  };
}
