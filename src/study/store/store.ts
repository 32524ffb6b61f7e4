// The result store: an SQLite file or a PostgreSQL that keeps what was measured and what failed, row by row, for good.
// Rows are added and never changed; a study resumes by what is in it, laws and reports read it. The same queries serve both.

import { accessSync, constants, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Kysely } from "kysely";
import { InputError } from "../../input-error.ts";
import type { FailureRow, ResultRow } from "../../result.ts";
import { type Backend, explainError } from "./backend.ts";
import { migrate } from "./migrate.ts";
import { copySqlite, explainSqlite, isUnwritable, openImmutable, openReadOnly, openSqlite } from "./node-sqlite.ts";
import { isPostgresAddress } from "./postgres-address.ts";
import { createQueue, type Queue } from "./queue.ts";
import {
  addFailure,
  addRows,
  countRows,
  type Disagreement,
  readDisagreements,
  readFailures,
  readRows,
  type StoreCount,
} from "./results.ts";
import type { Tables } from "./schema.ts";

export type { Disagreement, StoreCount };

/** What was measured and what failed. Several processes may hold the same store open and write. */
export interface Store {
  /** Path or address, without a password. */
  readonly path: string;
  /** Every result, in the order of date, then id; with `documents: true` those that have them carry them. */
  rows(options?: { readonly documents?: boolean }): Promise<ResultRow[]>;
  /** The newest failure of each experiment that has no result yet. */
  failures(): Promise<FailureRow[]>;
  /** How many results and failed attempts there are: cheap, and changes whenever something is added. */
  count(): Promise<StoreCount>;
  /**
   * Stores results in one transaction; one whose id is there already is left as it is, and kept as a disagreement beside
   * it if the same kernels measured something else the second time.
   */
  add(rows: ResultRow | readonly ResultRow[]): Promise<void>;
  addFailure(row: FailureRow): Promise<void>;
  close(): Promise<void>;
}

/** A store that studies write. */
export interface StudyStore extends Store {
  /** What is left to compute, and who computes it. */
  readonly queue: Queue;
  /** Results that came out differently when they were computed again. */
  disagreements(): Promise<Disagreement[]>;
  /** An error of the queue as a sentence; an error of other kind as it is. */
  explain(error: unknown): unknown;
}

/** How a store is opened. */
export interface OpenOptions {
  /** False refuses a file that is missing; one that may not be written can then be read. */
  readonly create?: boolean;
  /** A server that is silent for so long, in milliseconds, is given up; default two minutes. */
  readonly statementMs?: number;
}

/**
 * Opens a store, and makes it if it is missing.
 *
 * @param path - an SQLite file, `:memory:`, or `postgres://USER@HOST:PORT/DATABASE`
 * @throws InputError if it is no store, is damaged, cannot be entered, or was written by a newer kbit
 */
export async function openStore(path: string, options: OpenOptions = {}): Promise<StudyStore> {
  if (isPostgresAddress(path)) {
    const { openPostgres } = await import("./node-postgres.ts"); // nobody else waits for its driver to load
    const backend = await openPostgres(path, options.statementMs);
    return openBy(backend).catch((error) => {
      throw explainError(error, backend.name, backend.explain);
    });
  }
  checkPath(path, options.create ?? true);
  const openers = options.create === false ? [openSqlite, openReadOnly, openImmutable] : [openSqlite];
  for (const open of isWritable(path) ? openers : openers.slice(1)) {
    try {
      return await openBy(open(path));
    } catch (error) {
      if (!isUnwritable(error) || (open === openers.at(-1) && options.create !== false))
        throw explainError(error, path, explainSqlite);
    }
  }
  if (options.create === false) return openOlder(path); // all that is left to fail for is a schema of an older version
  throw new InputError(`The store ${path} cannot be used: it may only be read; name another, or allow writing.`);
}

/** Whether a store may be written, as far as its own permissions say; SQLite would find out only with the first result. */
function isWritable(path: string): boolean {
  try {
    if (path !== ":memory:" && existsSync(path)) accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A store that may only be read, brought to the version of this kbit in a temporary copy, which goes when it is closed. */
async function openOlder(path: string): Promise<StudyStore> {
  const folder = mkdtempSync(join(tmpdir(), "kbit-store-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const copy = join(folder, "copy.db");
  try {
    copySqlite(path, copy);
    await (await openBy({ ...openSqlite(copy), name: path })).close();
    const store = await openBy({ ...openReadOnly(copy), name: path }); // so that nothing is written that would be lost
    const close = () => store.close().then(remove);
    return { ...store, close };
  } catch (error) {
    remove();
    throw explainError(error, path, explainSqlite);
  }
}

async function openBy(backend: Backend): Promise<StudyStore> {
  const db = new Kysely<Tables>({ dialect: backend.dialect });
  try {
    await migrate(db, backend);
    return createStore(db, backend);
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

function checkPath(path: string, create: boolean): void {
  if (/^\w+:\/\//.test(path))
    throw new InputError(
      `The store ${path.split("://")[0]}://.. cannot be used: a store is an SQLite file or postgres://USER@HOST/DATABASE.`,
    );
  if (path === ":memory:") return;
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new InputError(
      `The store ${path} cannot be used: it is a folder; name a file, such as ${join(path, "kbit.db")}.`,
    );
  if (!create && !existsSync(path))
    throw new InputError(`There is no store at ${path}; kbit study run --db ${path} makes one.`);
  if (!existsSync(dirname(path)))
    throw new InputError(`The store ${path} cannot be made: there is no folder ${dirname(path)}; make it first.`);
}

function createStore(db: Kysely<Tables>, backend: Backend): StudyStore {
  const explain = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explainError(error, backend.name, backend.explain);
    }
  };
  return {
    path: backend.name,
    rows: (options) => explain(readRows(db, options?.documents ?? false)),
    failures: () => explain(readFailures(db)),
    count: () => explain(countRows(db)),
    add: async (rows) => {
      await explain(
        db.transaction().execute((transaction) => addRows(transaction, backend, [rows].flat() as ResultRow[])),
      );
    },
    queue: createQueue(db, backend),
    explain: (error) => explainError(error, backend.name, backend.explain),
    disagreements: () => explain(readDisagreements(db)),
    addFailure: (failure) => explain(addFailure(db, failure)),
    close: () => db.destroy(),
  };
}
