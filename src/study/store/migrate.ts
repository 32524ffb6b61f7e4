// Brings a store to the version of this kbit, or says why it cannot be used.

import type { Kysely } from "kysely";
import { InputError } from "../../input-error.ts";
import { migrations, type Tables } from "./schema.ts";

/**
 * Applies the steps of the schema that are missing, all in one transaction.
 *
 * @throws InputError if the database holds other tables, or was written by a newer kbit
 */
export async function migrate(db: Kysely<Tables>, path: string): Promise<void> {
  if ((await readVersion(db, path)) === migrations.length) return;
  await db.transaction().execute(async (transaction) => {
    const version = await readVersion(transaction, path); // again: another process may have been faster
    if (version === 0) await createVersionTable(transaction);
    for (let step = version; step < migrations.length; step++) {
      await migrations[step](transaction);
      await transaction
        .insertInto("kbit_schema")
        .values({ version: step + 1, applied: new Date().toISOString() })
        .execute();
    }
  });
}

/** Version of the database; 0 for an empty one. */
async function readVersion(db: Kysely<Tables>, path: string): Promise<number> {
  const tables = (await db.introspection.getTables()).map((table) => table.name);
  if (tables.length === 0) return 0;
  if (!tables.includes("kbit_schema"))
    throw new InputError(
      `The database ${path} was not made by kbit (it holds a table ${tables[0]}); name another file.`,
    );
  const { version } = await db
    .selectFrom("kbit_schema")
    .select((eb) => eb.fn.max("version").as("version"))
    .executeTakeFirstOrThrow();
  if (version > migrations.length)
    throw new InputError(
      `The store ${path} has schema version ${version}, this kbit knows versions up to ${migrations.length}; update kbit or name another file.`,
    );
  return version;
}

async function createVersionTable(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable("kbit_schema")
    .addColumn("version", "integer", (column) => column.primaryKey())
    .addColumn("applied", "text", (column) => column.notNull())
    .execute();
}
