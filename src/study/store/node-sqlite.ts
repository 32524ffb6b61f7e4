// Kysely on Node's built-in SQLite: files that are written, only read, or cannot even have a log beside them, and what
// SQLite's errors mean.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { pathToFileURL } from "node:url";
import {
  CompiledQuery,
  type DatabaseConnection,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from "kysely";
import { InputError } from "../../input-error.ts";
import type { Backend } from "./backend.ts";

/** How long a writer waits for another process that holds the database, in milliseconds. */
const busyTimeoutMs = 60_000;

/**
 * Opens an SQLite file and describes it to Kysely.
 *
 * @param path - the file, or `:memory:`; it is created where it is missing
 * @throws the error of node:sqlite, with its `errcode`, if the file cannot be used
 */
export function openSqlite(path: string): Backend {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  try {
    // A write-ahead log lets readers and one writer go on side by side; with it, NORMAL loses nothing when a process dies.
    database.exec("pragma journal_mode = wal; pragma synchronous = normal;");
  } catch (error) {
    database.close();
    throw error;
  }
  return describe(database, path);
}

/** Opens an SQLite file for reading; what is written beside it goes on being seen. @throws as `openSqlite` */
export function openReadOnly(path: string): Backend {
  return describe(connectReadOnly(path), path);
}

function connectReadOnly(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });
}

/**
 * Opens an SQLite file for reading where nothing can be made beside it, as on a medium that takes no writing: the file is
 * taken as it is now.
 *
 * @throws InputError if results are still in a log beside the file; else as `openSqlite`
 */
export function openImmutable(path: string): Backend {
  return describe(connectImmutable(path), path);
}

function connectImmutable(path: string): DatabaseSync {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new InputError(
      `The store ${path} cannot be read here: results are still in ${path}-wal; copy both to where you may write.`,
    );
  }
  const url = pathToFileURL(resolve(path));
  url.searchParams.set("immutable", "1");
  return new DatabaseSync(url, { readOnly: true });
}

/** Writes what an SQLite file that may only be read holds now into a new one. @throws as `openImmutable` */
export function copySqlite(path: string, copy: string): void {
  for (const connect of [connectReadOnly, connectImmutable]) {
    try {
      const database = connect(path);
      try {
        database.prepare("vacuum into ?").run(copy);
      } finally {
        database.close();
      }
      return;
    } catch (error) {
      if (connect === connectImmutable || !isUnwritable(error)) throw error;
    }
  }
}

function describe(database: DatabaseSync, path: string): Backend {
  return {
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new PatientDriver(database),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
    name: path,
    now: sql<number>`(unixepoch('subsec') * 1000)`,
    locksRows: false,
    explain: explainSqlite,
    isPassing: (error) => [5, 10, 13].includes(codeOf(error) ?? 0),
  };
}

/** Primary result codes, https://sqlite.org/rescode.html. */
const reasons: Record<number, string> = {
  3: "permission is denied",
  5: "another process has held it for a minute",
  8: "it is read-only",
  10: "the disk reported an error",
  11: "it is damaged; restore it from a copy, or name another file",
  13: "the disk is full",
  14: "it cannot be opened; check the path and its permissions",
  26: "it is not an SQLite file; name a store, or to read results an export that ends in .parquet, .jsonl or .csv",
};

/** Why SQLite refused, in half a sentence. */
export function explainSqlite(error: unknown): string | undefined {
  return reasons[codeOf(error) ?? 0];
}

/** Whether an error says that the file cannot be written, and perhaps can be read. */
export function isUnwritable(error: unknown): boolean {
  return [3, 8, 14].includes(codeOf(error) ?? 0);
}

/** Primary code of an error of SQLite. */
function codeOf(error: unknown): number | undefined {
  const code = error instanceof SyntaxError ? 11 : (error as { errcode?: number }).errcode;
  return code === undefined ? undefined : code & 0xff;
}

/** Kysely's driver with transactions as several processes and a full disk need them. */
class PatientDriver extends SqliteDriver {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    super({ database: adaptDatabase(database) });
    this.#database = database;
  }

  /** Takes the write lock at the beginning: a later upgrade from reading to writing would fail instead of wait. */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  /** SQLite may have rolled back by itself, as it does when the disk is full; a second time would hide that error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await super.rollbackTransaction(connection);
  }
}

/** The four methods that Kysely asks for, on node:sqlite, with each statement prepared once. */
function adaptDatabase(database: DatabaseSync): SqliteDatabase {
  const statements = new Map<string, ReturnType<SqliteDatabase["prepare"]>>();
  return {
    close: () => database.close(),
    prepare(sql) {
      let adapted = statements.get(sql);
      if (!adapted) {
        const statement = database.prepare(sql);
        adapted = {
          reader: statement.columns().length > 0,
          all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
          run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
          iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
        };
        if (statements.size < 100) statements.set(sql, adapted);
      }
      return adapted;
    },
  };
}
