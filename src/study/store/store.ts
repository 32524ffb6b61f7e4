// The result store: one file that keeps what was measured and what failed, row by row, for good.
// Rows are added and never changed; a study resumes by what is in it, laws and reports read it.

import { randomUUID } from "node:crypto";
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { type Dialect, type ExpressionBuilder, Kysely } from "kysely";
import { InputError } from "../../input-error.ts";
import type { FailureRow, ResultRow } from "../../result.ts";
import { migrate } from "./migrate.ts";
import { openImmutable, openReadOnly, openSqlite } from "./node-sqlite.ts";
import { joinRow, splitRow } from "./rows.ts";
import type { FailureTable, Tables } from "./schema.ts";

/** Rows of a statement: below the 32,766 values that SQLite takes in one. */
const rowsAStatement = 500;

/** How much a store holds. */
export interface StoreCount {
  readonly results: number;
  /** Attempts, also those that were made good later. */
  readonly failures: number;
}

/** What was measured and what failed. Several processes may hold the same store open and write. */
export interface Store {
  readonly path: string;
  /** Every result, in the order of date, then id; with `documents: true` those that have them carry them. */
  rows(options?: { readonly documents?: boolean }): Promise<ResultRow[]>;
  /** The newest failure of each experiment that has no result yet. */
  failures(): Promise<FailureRow[]>;
  /** How many results and failed attempts there are: cheap, and changes whenever something is added. */
  count(): Promise<StoreCount>;
  /** Whether there is a result of that id. */
  has(id: string): Promise<boolean>;
  /** Stores results in one transaction; one whose id is there already is left as it is. */
  add(rows: ResultRow | readonly ResultRow[]): Promise<void>;
  addFailure(row: FailureRow): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a store, and makes it if it is missing.
 *
 * @param path - an SQLite file, or `:memory:`
 * @param options - `create: false` refuses a file that is missing; one that may not be written can then be read
 * @throws InputError if the file is no store, is damaged, or was written by a newer kbit
 */
export async function openStore(path: string, options: { create?: boolean } = {}): Promise<Store> {
  checkPath(path, options.create ?? true);
  const openers = options.create === false ? [openSqlite, openReadOnly, openImmutable] : [openSqlite];
  for (const open of isWritable(path) ? openers : openers.slice(1)) {
    try {
      return await openBy(open, path);
    } catch (error) {
      if (open === openers.at(-1) || !unwritable.has(codeOf(error) ?? 0)) throw explainError(error, path);
    }
  }
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

async function openBy(open: (path: string) => Dialect, path: string): Promise<Store> {
  const db = new Kysely<Tables>({ dialect: open(path) });
  try {
    await migrate(db, path);
    return createStore(db, path);
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

function checkPath(path: string, create: boolean): void {
  if (/^\w+:\/\//.test(path))
    throw new InputError(
      `The store ${path.split("://")[0]}://.. cannot be used: a store is an SQLite file; name a path.`,
    );
  if (path === ":memory:") return;
  if (!create && !existsSync(path))
    throw new InputError(`There is no store at ${path}; kbit study run --db ${path} makes one.`);
  if (!existsSync(dirname(path)))
    throw new InputError(`The store ${path} cannot be made: there is no folder ${dirname(path)}; make it first.`);
}

/** Primary result codes of SQLite, https://sqlite.org/rescode.html. */
const sqliteErrors: Record<number, string> = {
  3: "permission is denied",
  5: "another process has held it for a minute",
  8: "it is read-only",
  10: "the disk reported an error",
  11: "it is damaged; restore it from a copy, or name another file",
  13: "the disk is full",
  14: "it cannot be opened; check the path and its permissions",
  26: "it is not an SQLite file; name another",
};

/** Codes of what cannot be written, and perhaps can be read. */
const unwritable: ReadonlySet<number> = new Set([3, 8, 14]);

/** Primary code of an error of SQLite. */
function codeOf(error: unknown): number | undefined {
  const code = error instanceof SyntaxError ? 11 : (error as { errcode?: number }).errcode;
  return code === undefined ? undefined : code & 0xff;
}

function explainError(error: unknown, path: string): unknown {
  const reason = sqliteErrors[codeOf(error) ?? 0];
  return reason ? new InputError(`The store ${path} cannot be used: ${reason}.`) : error;
}

function createStore(db: Kysely<Tables>, path: string): Store {
  const explain = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explainError(error, path);
    }
  };
  return {
    path,
    rows: (options) => explain(readRows(db, options?.documents ?? false)),
    failures: () => explain(readFailures(db)),
    count: () => explain(countRows(db)),
    has: async (id) =>
      (await explain(db.selectFrom("results").select("id").where("id", "=", id).executeTakeFirst())) !== undefined,
    add: (rows) => explain(addRows(db, [rows].flat() as ResultRow[])),
    addFailure: async ({ id, ...failure }) => {
      await explain(
        db
          .insertInto("failures")
          .values({ id: randomUUID(), result_id: id ?? null, ...failure })
          .execute(),
      );
    },
    close: () => db.destroy(),
  };
}

async function addRows(db: Kysely<Tables>, rows: readonly ResultRow[]): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    for (let start = 0; start < rows.length; start += rowsAStatement) {
      const chunk = rows.slice(start, start + rowsAStatement);
      const stored = await transaction
        .selectFrom("results")
        .select("id")
        .where(
          "id",
          "in",
          chunk.map((row) => row.id),
        )
        .execute();
      const seen = new Set(stored.map((row) => row.id));
      const added = chunk.filter((row) => !seen.has(row.id) && seen.add(row.id)).map(splitRow);
      if (added.length === 0) continue;
      await transaction
        .insertInto("results")
        .values(added.map((row) => row.result))
        .execute();
      const metrics = added.flatMap((row) => row.metrics);
      for (let first = 0; first < metrics.length; first += rowsAStatement)
        await transaction
          .insertInto("metrics")
          .values(metrics.slice(first, first + rowsAStatement))
          .execute();
      const documents = added.flatMap((row) => row.documents);
      if (documents.length > 0) await transaction.insertInto("documents").values(documents).execute();
    }
  });
}

async function readRows(db: Kysely<Tables>, withDocuments: boolean): Promise<ResultRow[]> {
  // In this order a result that another process adds in between is left out whole.
  const results = await db.selectFrom("results").selectAll().orderBy("date").orderBy("id").execute();
  const metrics = await db.selectFrom("metrics").selectAll().execute();
  const metricsOf = Map.groupBy(metrics, (metric) => metric.result_id);
  const documents = withDocuments ? await db.selectFrom("documents").selectAll().execute() : [];
  const packedOf = new Map(documents.map((one) => [one.result_id, one.packed]));
  return results.map((result) => joinRow(result, metricsOf.get(result.id) ?? [], packedOf.get(result.id)));
}

async function countRows(db: Kysely<Tables>): Promise<StoreCount> {
  const { results, failures } = await db
    .selectNoFrom(({ selectFrom, fn }) => [
      selectFrom("results").select(fn.countAll<number>().as("n")).as("results"),
      selectFrom("failures").select(fn.countAll<number>().as("n")).as("failures"),
    ])
    .executeTakeFirstOrThrow();
  return { results: Number(results), failures: Number(failures) };
}

async function readFailures(db: Kysely<Tables>): Promise<FailureRow[]> {
  const failures = await db
    .selectFrom("failures")
    .selectAll()
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom("results").select("results.id").where(isMadeGood))))
    .orderBy("date")
    .execute();
  const newest = new Map<string, FailureTable>();
  for (const row of failures) {
    const experiment = row.result_id ?? JSON.stringify([row.model, row.spec, row.task]);
    newest.delete(experiment); // so that it moves to the end
    newest.set(experiment, row);
  }
  return [...newest.values()].map(({ id: _, result_id, ...failure }) =>
    result_id === null ? failure : { id: result_id, ...failure },
  );
}

/** Whether a result is that of an experiment that failed: by id, or where that is unknown by name and a later date. */
function isMadeGood({ or, and, eb, ref }: ExpressionBuilder<Tables, "results" | "failures">) {
  return or([
    eb("results.id", "=", ref("failures.result_id")),
    and([
      eb("failures.result_id", "is", null),
      eb("results.model", "=", ref("failures.model")),
      eb("results.spec", "=", ref("failures.spec")),
      eb("results.task", "=", ref("failures.task")),
      eb("results.date", ">=", ref("failures.date")),
    ]),
  ]);
}
