// Kysely on Node's built-in SQLite: the only file that knows which database serves the queries.
// A second dialect (PostgreSQL) would stand beside it; the schema and the queries stay as they are.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { pathToFileURL } from "node:url";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { InputError } from "../../input-error.ts";

/** How long a writer waits for another process that holds the database, in milliseconds. */
const busyTimeoutMs = 60_000;

/**
 * Opens an SQLite file and describes it to Kysely.
 *
 * @param path - the file, or `:memory:`; it is created where it is missing
 * @throws the error of node:sqlite, with its `errcode`, if the file cannot be used
 */
export function openSqlite(path: string): Dialect {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs, enableForeignKeyConstraints: true });
  try {
    // A write-ahead log lets readers and one writer go on side by side; with it, NORMAL loses nothing when a process dies.
    database.exec("pragma journal_mode = wal; pragma synchronous = normal;");
  } catch (error) {
    database.close();
    throw error;
  }
  return describe(database);
}

/** Opens an SQLite file for reading; what is written beside it goes on being seen. @throws as `openSqlite` */
export function openReadOnly(path: string): Dialect {
  return describe(new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs }));
}

/**
 * Opens an SQLite file for reading where nothing can be made beside it, as on a medium that takes no writing: the file is
 * taken as it is now.
 *
 * @throws InputError if results are still in a log beside the file; else as `openSqlite`
 */
export function openImmutable(path: string): Dialect {
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new InputError(
      `The store ${path} cannot be read here: results are still in ${path}-wal; copy both to where you may write.`,
    );
  }
  const url = pathToFileURL(resolve(path));
  url.searchParams.set("immutable", "1");
  return describe(new DatabaseSync(url, { readOnly: true }));
}

function describe(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new PatientDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
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
