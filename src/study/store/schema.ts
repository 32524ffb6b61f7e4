// The tables of a result store and the steps that make them: what is queried has a column, the rest is JSON.
// Written with Kysely's schema builder in types that SQLite and PostgreSQL both have.

import { type Kysely, sql } from "kysely";

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
  /** When it was stored, by the database's clock, in milliseconds since 1970. */
  added: number | null;
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
  /** Name of the study that asked for it; null in rows from before it was kept. */
  study: string | null;
}

/** A result that came out differently when it was computed again. */
export interface DisagreementTable {
  id: string;
  result_id: string;
  model: string;
  spec: string;
  task: string;
  reason: string;
  date: string;
}

/** A study whose experiments were put in the queue. */
export interface StudyTable {
  name: string;
  /** Experiments of the study when it was last enqueued, those included that had a result. */
  experiments: number;
  /** 1: its experiments wait until it goes on. 2: it was cancelled, and what comes back of it is dropped. */
  paused: number;
}

/** An experiment that has no result yet. Its row goes when the result comes, in the same transaction. */
export interface JobTable {
  /** The id that the result will have. */
  id: string;
  /** Name of the study that asked for it last, and the run that did. */
  study: string;
  run: string;
  /** `queued`, `paused`, `running` or `failed`; `cancelled` only within the transaction that drops it. */
  state: string;
  /** JSON of the `PlannedExperiment`. */
  experiment: string;
  compute_type: string;
  /** Bytes that it needs. */
  memory: number;
  /** The higher first; then by rank and cost. */
  priority: number;
  /** Among the tasks of one model at one spec, which share what is loaded: the first one of each before any second. */
  rank: number;
  cost: number;
  /** In the plan, for those of equal cost. */
  position: number;
  /** Of the model at the spec. */
  batch: string;
  /** How often it was begun. */
  attempts: number;
  /** Not to be begun before, by the database's clock. */
  ready: number;
  /** Who runs it. */
  worker: string | null;
  /** Ids of workers that do not have what it needs, with commas. */
  refused: string;
  /** Why the last attempt failed. */
  reason: string | null;
}

/** A process that takes jobs. */
export interface WorkerTable {
  id: string;
  /** Host, boot and process namespace: where its process id means something; and the process id. */
  place: string;
  process: number;
  /** Counted up as a sign of life, every `beat_ms` milliseconds. */
  beat: number;
  beat_ms: number;
  /** When it last counted, by the database's clock. */
  seen: number;
  /** JSON of `CrewReport` in crew.ts, of which the queue reads what the worker can take. */
  report: string;
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
  disagreements: DisagreementTable;
  studies: StudyTable;
  jobs: JobTable;
  workers: WorkerTable;
}

/** The steps in order; step i makes version i + 1. A step that was released is never edited: add one. */
export const migrations: readonly ((db: Kysely<Tables>) => Promise<void>)[] = [
  createFirstTables,
  createDocumentTable,
  addChance,
  createQueue,
  addStudyOfFailure,
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

async function createQueue(db: Kysely<Tables>): Promise<void> {
  await db.schema.alterTable("results").addColumn("added", "double precision").execute();
  await db.schema.createIndex("results_by_time").on("results").column("added").execute();
  await db.schema
    .createTable("disagreements")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("result_id", "text", (column) => column.notNull().references("results.id"))
    .addColumn("model", "text", (column) => column.notNull())
    .addColumn("spec", "text", (column) => column.notNull())
    .addColumn("task", "text", (column) => column.notNull())
    .addColumn("reason", "text", (column) => column.notNull())
    .addColumn("date", "text", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("studies")
    .addColumn("name", "text", (column) => column.primaryKey())
    .addColumn("experiments", "bigint", (column) => column.notNull())
    .addColumn("paused", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("jobs")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("study", "text", (column) => column.notNull())
    .addColumn("run", "text", (column) => column.notNull())
    .addColumn("state", "text", (column) => column.notNull())
    .addColumn("experiment", "text", (column) => column.notNull())
    .addColumn("compute_type", "text", (column) => column.notNull())
    .addColumn("memory", "bigint", (column) => column.notNull())
    .addColumn("priority", "integer", (column) => column.notNull())
    .addColumn("rank", "integer", (column) => column.notNull())
    .addColumn("cost", "double precision", (column) => column.notNull())
    .addColumn("position", "integer", (column) => column.notNull())
    .addColumn("batch", "text", (column) => column.notNull())
    .addColumn("attempts", "integer", (column) => column.notNull())
    .addColumn("ready", "double precision", (column) => column.notNull())
    .addColumn("worker", "text")
    .addColumn("refused", "text", (column) => column.notNull())
    .addColumn("reason", "text")
    .execute();
  const queued = (name: string, columns: ("priority desc" | "rank" | "cost" | "position" | "batch")[]) =>
    db.schema.createIndex(name).on("jobs").columns(columns).where(sql.ref("state"), "=", "queued").execute();
  await queued("jobs_in_order", ["priority desc", "rank", "cost", "position"]);
  await queued("jobs_by_batch", ["batch"]);
  await db.schema
    .createIndex("jobs_by_worker")
    .on("jobs")
    .column("worker")
    .where(sql.ref("state"), "=", "running")
    .execute();
  await db.schema
    .createTable("workers")
    .addColumn("id", "text", (column) => column.primaryKey())
    .addColumn("place", "text", (column) => column.notNull())
    .addColumn("process", "integer", (column) => column.notNull())
    .addColumn("beat", "bigint", (column) => column.notNull())
    .addColumn("beat_ms", "integer", (column) => column.notNull())
    .addColumn("seen", "double precision", (column) => column.notNull())
    .addColumn("report", "text", (column) => column.notNull())
    .execute();
}

async function addStudyOfFailure(db: Kysely<Tables>): Promise<void> {
  await db.schema.alterTable("failures").addColumn("study", "text").execute();
}
