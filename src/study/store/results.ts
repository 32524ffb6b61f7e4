// The queries of a store over results and failures. They say nothing of the database below them; store.ts opens it.

import { randomUUID } from "node:crypto";
import type { ExpressionBuilder, Kysely, Transaction } from "kysely";
import type { FailureRow, Metric, ResultRow } from "../../result.ts";
import type { Backend } from "./backend.ts";
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

/** A result that came out differently when it was computed again, on the same kernels. */
export interface Disagreement {
  /** Of the result that is kept. */
  readonly id: string;
  readonly model: string;
  readonly spec: string;
  readonly task: string;
  /** What differs, and where the second was computed. */
  readonly reason: string;
  readonly date: string;
}

/**
 * Stores rows; one whose id is there already is left as it is.
 *
 * @returns those that the same kernels had measured otherwise before; they are stored too
 */
export async function addRows(
  transaction: Transaction<Tables>,
  { now }: Backend,
  rows: readonly ResultRow[],
): Promise<Disagreement[]> {
  const disagreements: Disagreement[] = [];
  for (let start = 0; start < rows.length; start += rowsAStatement) {
    const byId = Map.groupBy(rows.slice(start, start + rowsAStatement), ({ id }) => id);
    const chunk = [...byId.values()].map(([first]) => first);
    const split = new Map(chunk.map((row) => [row.id, splitRow(row)]));
    const added = await transaction
      .insertInto("results")
      .values([...split.values()].map(({ result }) => ({ ...result, added: now })))
      .onConflict((conflict) => conflict.column("id").doNothing())
      .returning("id")
      .execute();
    const parts = added.map(({ id }) => split.get(id)!);
    const metrics = parts.flatMap((row) => row.metrics);
    for (let first = 0; first < metrics.length; first += rowsAStatement)
      await transaction
        .insertInto("metrics")
        .values(metrics.slice(first, first + rowsAStatement))
        .execute();
    const documents = parts.flatMap((row) => row.documents);
    if (documents.length > 0) await transaction.insertInto("documents").values(documents).execute();
    if (added.length === chunk.length) continue;
    const isNew = new Set(added.map(({ id }) => id));
    disagreements.push(
      ...(await compareRows(
        transaction,
        chunk.filter(({ id }) => !isNew.has(id)),
      )),
    );
  }
  if (disagreements.length > 0)
    await transaction
      .insertInto("disagreements")
      .values(disagreements.map(({ id, ...rest }) => ({ id: randomUUID(), result_id: id, ...rest })))
      .execute();
  return disagreements;
}

/** Rows against those of the same ids that are stored. Times of a token differ by nature. */
async function compareRows(db: Kysely<Tables>, again: readonly ResultRow[]): Promise<Disagreement[]> {
  const ids = again.map(({ id }) => id);
  const results = await db.selectFrom("results").selectAll().where("id", "in", ids).execute();
  const metrics = await db.selectFrom("metrics").selectAll().where("result_id", "in", ids).execute();
  const metricsOf = Map.groupBy(metrics, (metric) => metric.result_id);
  const stored = new Map(results.map((result) => [result.id, joinRow(result, metricsOf.get(result.id) ?? [])]));
  return again.flatMap((second) => {
    const first = stored.get(second.id);
    if (!first || first.kernels !== second.kernels || second.key.task === "latency") return [];
    const names = [...new Set([...Object.keys(first.metrics), ...Object.keys(second.metrics)])];
    const differing = names.filter((name) => !isSame(first.metrics[name], second.metrics[name]));
    if (differing.length === 0) return [];
    const values = differing.map(
      (name) => `${name} ${first.metrics[name]?.value ?? "absent"} and ${second.metrics[name]?.value ?? "absent"}`,
    );
    const reason = `Computed twice on ${first.kernels} with different results: ${values.join(", ")} (${first.machine}; ${second.machine}).`;
    const { id, key, model, date } = second;
    return [{ id, model: model.name, spec: key.spec, task: key.task, reason, date }];
  });
}

function isSame(first: Metric | undefined, second: Metric | undefined): boolean {
  return first !== undefined && second !== undefined && Object.is(first.value, second.value) && first.n === second.n;
}

/** Results that came out differently the second time, the oldest first. */
export async function readDisagreements(db: Kysely<Tables>): Promise<Disagreement[]> {
  const found = await db.selectFrom("disagreements").selectAll().orderBy("date").orderBy("id").execute();
  return found.map(({ result_id, ...rest }) => ({ ...rest, id: result_id }));
}

/** Keeps a failed attempt. */
export async function addFailure(db: Kysely<Tables>, { id, reason, ...failure }: FailureRow): Promise<void> {
  await db
    .insertInto("failures")
    .values({ id: randomUUID(), result_id: id ?? null, reason: reason.replaceAll("\0", ""), ...failure })
    .execute();
}

/** Every result, or those of the ids, in the order of date, then id. */
export async function readRows(
  db: Kysely<Tables>,
  withDocuments: boolean,
  ids?: readonly string[],
): Promise<ResultRow[]> {
  if (ids !== undefined && ids.length > rowsAStatement) {
    const rest = await readRows(db, withDocuments, ids.slice(rowsAStatement));
    return [...(await readRows(db, withDocuments, ids.slice(0, rowsAStatement))), ...rest];
  }
  const results = await db
    .selectFrom("results")
    .selectAll()
    .$if(ids !== undefined, (query) => query.where("id", "in", ids!))
    .orderBy("date")
    .orderBy("id")
    .execute();
  // In this order a result that another process adds in between is left out whole.
  const metrics = await db
    .selectFrom("metrics")
    .selectAll()
    .$if(ids !== undefined, (query) => query.where("result_id", "in", ids!))
    .execute();
  const metricsOf = Map.groupBy(metrics, (metric) => metric.result_id);
  const documents = withDocuments ? await db.selectFrom("documents").selectAll().execute() : [];
  const packedOf = new Map(documents.map((one) => [one.result_id, one.packed]));
  return results.map((result) => joinRow(result, metricsOf.get(result.id) ?? [], packedOf.get(result.id)));
}

/** How many results and failed attempts there are. */
export async function countRows(db: Kysely<Tables>): Promise<StoreCount> {
  const { results, failures } = await db
    .selectNoFrom(({ selectFrom, fn }) => [
      selectFrom("results").select(fn.countAll<number>().as("n")).as("results"),
      selectFrom("failures").select(fn.countAll<number>().as("n")).as("failures"),
    ])
    .executeTakeFirstOrThrow();
  return { results: Number(results), failures: Number(failures) };
}

/** The newest failure of each experiment that has no result yet and will not be tried again by itself. */
export async function readFailures(db: Kysely<Tables>): Promise<FailureRow[]> {
  const failures = await db
    .selectFrom("failures")
    .selectAll()
    .where(({ not, exists, selectFrom }) => not(exists(selectFrom("results").select("results.id").where(isMadeGood))))
    .where(({ not, exists, selectFrom }) => {
      const jobs = selectFrom("jobs").select("jobs.id").whereRef("jobs.id", "=", "failures.result_id");
      return not(exists(jobs.where("jobs.state", "!=", "failed")));
    })
    .orderBy("date")
    .execute();
  const newest = new Map<string, FailureTable>();
  for (const row of failures) {
    const experiment = row.result_id ?? JSON.stringify([row.model, row.spec, row.task]);
    newest.delete(experiment); // so that it moves to the end
    newest.set(experiment, row);
  }
  return [...newest.values()].map(({ id: _, result_id, study, ...failure }) => ({
    ...(result_id !== null && { id: result_id }),
    ...failure,
    ...(study !== null && { study }),
  }));
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
