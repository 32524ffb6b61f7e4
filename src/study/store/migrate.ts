// Brings a store to the version of this kbit, or says why it cannot be used.

import type { Kysely } from "kysely";
import { InputError } from "../../input-error.ts";
import type { Backend } from "./backend.ts";
import { migrations, type Tables } from "./schema.ts";

/**
 * Applies the steps of the schema that are missing, all in one transaction that no other process can be in.
 *
 * @throws InputError if the database holds other tables, or was written by a newer kbit
 */
export async function migrate(db: Kysely<Tables>, backend: Backend): Promise<void> {
  if ((await readVersion(db, backend)) === migrations.length) return;
  await db.transaction().execute(async (transaction) => {
    if (backend.lockSchema) await backend.lockSchema.execute(transaction);
    const version = await readVersion(transaction, backend); // again: another process may have been faster
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
async function readVersion(db: Kysely<Tables>, { schema, name }: Backend): Promise<number> {
  const place = schema && (await schema.execute(db)).rows[0].name;
  if (place === null) throw new InputError(`The database ${name} has no schema to put tables in; see its search_path.`);
  const found = (await db.introspection.getTables()).filter((table) => place === undefined || table.schema === place);
  const tables = found.map((table) => table.name);
  if (tables.length === 0) return 0;
  if (!tables.includes("kbit_schema"))
    throw new InputError(`The database ${name} was not made by kbit (it holds a table ${tables[0]}); name another.`);
  const { version } = await db
    .selectFrom("kbit_schema")
    .select((eb) => eb.fn.max("version").as("version"))
    .executeTakeFirstOrThrow();
  if (version > migrations.length)
    throw new InputError(
      `The store ${name} has schema version ${version}, this kbit knows versions up to ${migrations.length}; update kbit or name another.`,
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
