// The tables of a result store and the steps that make them: what is queried has a column, the rest is JSON.
// Written with Kysely's schema builder in types that SQLite and PostgreSQL both have.

import type { Kysely } from "kysely";

/** One result row, without its metrics. */
export interface ResultTable {
  /** SHA-256 of the key's canonical text. */
  id: string;
  model: string;
  family: string;
  spec: string;
  bits_per_weight: number;
  total_bits: number;
  task: string;
  date: string;
  /** JSON of everything else in the row (`RestOfRow` in rows.ts). */
  rest: string;
}

/** One metric of one result. */
export interface MetricTable {
  result_id: string;
  name: string;
  value: number;
  standard_error: number | null;
  n: number;
  /** Of an accuracy: what guessing scores. */
  chance: number | null;
}

/** The documents of one result, for paired comparisons. */
export interface DocumentTable {
  result_id: string;
  /** As documents.ts packs them. */
  packed: Uint8Array;
}

/** One failed attempt. */
export interface FailureTable {
  id: string;
  /** The id that the result would have had, where it was known. */
  result_id: string | null;
  model: string;
  spec: string;
  task: string;
  reason: string;
  date: string;
}

/** One step of the schema that was applied to this database. */
export interface SchemaTable {
  version: number;
  applied: string;
}

/** Every table of a store. */
export interface Tables {
  kbit_schema: SchemaTable;
  results: ResultTable;
  metrics: MetricTable;
  documents: DocumentTable;
  failures: FailureTable;
}

/** The steps in order; step i makes version i + 1. A step that was released is never edited: add one. */
export const migrations: readonly ((db: Kysely<Tables>) => Promise<void>)[] = [
  createFirstTables,
  createDocumentTable,
  addChance,
];

async function createFirstTables(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable("results")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("model", "text", (column) => column.notNull())
    .addColumn("family", "text", (column) => column.notNull())
    .addColumn("spec", "text", (column) => column.notNull())
    .addColumn("bits_per_weight", "double precision", (column) => column.notNull())
    .addColumn("total_bits", "bigint", (column) => column.notNull())
    .addColumn("task", "text", (column) => column.notNull())
    .addColumn("date", "text", (column) => column.notNull())
    .addColumn("rest", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("results_by_name").on("results").columns(["model", "spec", "task"]).execute();
  await db.schema
    .createTable("metrics")
    .addColumn("result_id", "text", (column) => column.notNull().references("results.id"))
    .addColumn("name", "text", (column) => column.notNull())
    .addColumn("value", "double precision", (column) => column.notNull())
    .addColumn("standard_error", "double precision")
    .addColumn("n", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("metrics_key", ["result_id", "name"])
    .execute();
  await db.schema
    .createTable("failures")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("result_id", "text")
    .addColumn("model", "text", (column) => column.notNull())
    .addColumn("spec", "text", (column) => column.notNull())
    .addColumn("task", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("date", "text", (column) => column.notNull())
    .execute();
}

// `bytea` is PostgreSQL's name; SQLite takes any, and leaves blobs in such a column as they are.
async function createDocumentTable(db: Kysely<Tables>): Promise<void> {
  await db.schema
    .createTable("documents")
    .addColumn("result_id", "text", (column) => column.primaryKey().references("results.id"))
    .addColumn("packed", "bytea", (column) => column.notNull())
    .execute();
}

async function addChance(db: Kysely<Tables>): Promise<void> {
  await db.schema.alterTable("metrics").addColumn("chance", "double precision").execute();
}
