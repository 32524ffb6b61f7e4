// What the queries of a store need to know of the database below them, and nothing more.

import type { Dialect, RawBuilder } from "kysely";
import { InputError } from "../../input-error.ts";

/** A database, SQLite or PostgreSQL, as the store and its queue use it. */
export interface Backend {
  readonly dialect: Dialect;
  /** Its path or address as it may be shown: without a password. */
  readonly name: string;
  /** Milliseconds by the database's own clock, which is one for all machines. */
  readonly now: RawBuilder<number>;
  /** Whether rows can be locked one by one: `for update skip locked`. */
  readonly locksRows: boolean;
  /** Run first in the transaction that changes the schema; keeps others out of it until the end. */
  readonly lockSchema?: RawBuilder<unknown>;
  /** The schema whose tables count as the store's; absent: all. */
  readonly schema?: RawBuilder<{ readonly name: string | null }>;
  /** Why the database refused, in half a sentence; undefined for what is no fault of it. */
  explain(error: unknown): string | undefined;
  /** Whether the same may succeed a moment later: a cut connection, a server that starts again. */
  isPassing(error: unknown): boolean;
}

/** An error of the database as a sentence, with that error as its cause. */
export function explainError(error: unknown, name: string, explain: Backend["explain"]): unknown {
  const reason = error instanceof InputError ? undefined : explain(error);
  return reason === undefined
    ? error
    : new InputError(`The store ${name} cannot be used: ${reason}.`, { cause: error });
}
