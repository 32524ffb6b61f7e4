// The queue of a study: experiments that have no result yet, who may take one, and what becomes of it. It lies in the store
// itself, so that a result and the end of its job are one transaction, in SQLite as in PostgreSQL.
// Every statement may be sent again when its answer was lost; time is the database's, life and death are counted in beats.

import { type ExpressionBuilder, type Kysely, sql, type Transaction } from "kysely";
import { InputError } from "../../input-error.ts";
import type { FailureRow, ResultRow } from "../../result.ts";
import type { Backend } from "./backend.ts";
import {
  dropJob,
  type Ending,
  endAttempt,
  endUntakeable,
  fromRow,
  isOfStudy,
  type Job,
  type Offer,
  type TakenJob,
  toRow,
  waitingState,
} from "./jobs.ts";
import { createOverview } from "./overview.ts";
import { addFailure, addRows, type Disagreement } from "./results.ts";
import type { Tables } from "./schema.ts";
import { createWorkers } from "./workers.ts";

export type { Job, Offer, TakenJob } from "./jobs.ts";

export type Queue = ReturnType<typeof createQueue>;

/** Jobs of a statement. */
const jobsAStatement = 500;
/** No attempt waits longer for the next, in milliseconds: a later time was written before the clock jumped. */
const maxWaitMs = 3_600_000;

/** The queue in a database. */
export function createQueue(db: Kysely<Tables>, backend: Backend) {
  const { now } = backend;
  const inTransaction = <T>(work: (transaction: Transaction<Tables>) => Promise<T>) => db.transaction().execute(work);

  async function take(offer: Offer, narrow: (eb: ExpressionBuilder<Tables, "jobs">) => ReturnType<typeof eb.and>) {
    const next = db
      .selectFrom("jobs as next")
      .select("next.id")
      .where("state", "=", "queued")
      .where((eb) => narrow(eb as unknown as ExpressionBuilder<Tables, "jobs">))
      .where("compute_type", "=", offer.computeType)
      .where("memory", "<=", offer.memory)
      .where((eb) => eb.or([eb("ready", "<=", now), eb("ready", ">", sql<number>`${now} + ${maxWaitMs}`)]))
      .where("refused", "not like", `%${offer.worker}%`)
      .$if(offer.holds.length > 0, (query) => query.where("next.id", "not in", offer.holds))
      .orderBy("priority", "desc")
      .orderBy("rank")
      .orderBy("cost")
      .orderBy("position")
      .limit(1)
      .$if(backend.locksRows, (query) => query.forUpdate().skipLocked());
    return db
      .updateTable("jobs")
      .set((eb) => ({ state: "running", worker: offer.worker, attempts: eb("attempts", "+", 1) }))
      .where("id", "=", next)
      .returningAll()
      .returning((eb) =>
        eb.exists(eb.selectFrom("results").select("results.id").whereRef("results.id", "=", "jobs.id")).as("isStored"),
      )
      .returning((eb) => isOfStudy(eb, 2).as("isCancelled"))
      .executeTakeFirst();
  }

  return {
    ...createWorkers(db, backend),
    ...createOverview(db, backend),

    /**
     * Puts experiments in the queue that have no result and are not in it. Those that failed are begun anew; those that
     * wait for another run become this run's. A study that was cancelled goes on.
     */
    async enqueue(study: string, run: string, jobs: readonly Job[], experiments: number): Promise<void> {
      await db
        .insertInto("studies")
        .values({ name: study, experiments, paused: 0 })
        .onConflict((conflict) =>
          conflict.column("name").doUpdateSet((eb) => ({
            experiments,
            paused: eb.case().when("studies.paused", "=", 2).then(0).else(eb.ref("studies.paused")).end(),
          })),
        )
        .execute();
      const { paused } = await db
        .selectFrom("studies")
        .select("paused")
        .where("name", "=", study)
        .executeTakeFirstOrThrow();
      const state = paused === 1 ? "paused" : "queued";
      for (let start = 0; start < jobs.length; start += jobsAStatement) {
        // In one order everywhere: two schedulers that lock the same rows in different orders would stop each other.
        const rows = jobs.slice(start, start + jobsAStatement).map((job) => toRow(job, study, run, state));
        rows.sort((a, b) => (a.id < b.id ? -1 : 1));
        await db
          .insertInto("jobs")
          .values(rows)
          .onConflict((conflict) =>
            conflict
              .column("id")
              .doUpdateSet((eb) => ({
                study,
                run,
                state,
                experiment: eb.ref("excluded.experiment"),
                memory: eb.ref("excluded.memory"),
                priority: eb.ref("excluded.priority"),
                rank: eb.ref("excluded.rank"),
                position: eb.ref("excluded.position"),
                attempts: eb.case().when("jobs.state", "=", "failed").then(0).else(eb.ref("jobs.attempts")).end(),
                ready: eb.case().when("jobs.state", "=", "failed").then(0).else(eb.ref("jobs.ready")).end(),
                refused: "",
              }))
              .where("jobs.state", "!=", "running"),
          )
          .execute();
      }
      // Without it the database takes the queue for the small one that it was, and sorts it whole for every claim.
      if (jobs.length >= jobsAStatement) await sql`analyze jobs`.execute(db);
    },

    /** Keeps why experiments of a study cannot come into the queue, in place of what was said when it was last planned. */
    keepUnplanned: (study: string, failures: readonly FailureRow[]): Promise<void> =>
      inTransaction(async (transaction) => {
        await transaction.deleteFrom("failures").where("study", "=", study).where("result_id", "is", null).execute();
        for (const failure of failures) await addFailure(transaction, { ...failure, study });
      }),

    /** Takes the next job that fits; undefined if there is none now. */
    async claim(offer: Offer): Promise<TakenJob | undefined> {
      for (;;) {
        const ofRun = (eb: ExpressionBuilder<Tables, "jobs">) =>
          offer.run === undefined ? eb.and([]) : eb("run", "=", offer.run);
        const row =
          (offer.batch === undefined
            ? undefined
            : await take(offer, (eb) => eb.and([ofRun(eb), eb("batch", "=", offer.batch!)]))) ??
          (await take(offer, (eb) => eb.and([ofRun(eb)])));
        if (row === undefined) return undefined;
        // A scheduler was a moment behind, or what came back met a cancel on its way.
        if (row.isStored) await db.deleteFrom("jobs").where("id", "=", row.id).execute();
        else if (row.isCancelled) await inTransaction((transaction) => dropJob(transaction, row.id));
        else return fromRow(row);
      }
    },

    /** Jobs that bear a worker's name and that it knows nothing of: the answer that gave them was lost. */
    async reclaim(worker: string, holds: readonly string[]): Promise<TakenJob[]> {
      const rows = await db
        .selectFrom("jobs")
        .selectAll()
        .where("worker", "=", worker)
        .where("state", "=", "running")
        .where((eb) => (holds.length === 0 ? eb.and([]) : eb("id", "not in", holds)))
        .execute();
      return rows.map(fromRow);
    },

    /** Stores a result and ends its job, whoever holds it by now. */
    complete: (row: ResultRow): Promise<readonly Disagreement[]> =>
      inTransaction(async (transaction) => {
        const disagreements = await addRows(transaction, backend, [row]);
        await transaction.deleteFrom("jobs").where("id", "=", row.id).execute();
        return disagreements;
      }),

    /** Ends an attempt that failed. */
    fail: (id: string, worker: string, ending: Ending) =>
      inTransaction((transaction) => endAttempt(transaction, backend, id, worker, ending)),

    /** Gives a job back that was not finished, as if it had not been taken. */
    handBack: (id: string, worker: string): Promise<void> =>
      inTransaction(async (transaction) => {
        const job = await transaction
          .updateTable("jobs")
          .set((eb) => ({ state: waitingState(eb), worker: null, attempts: eb("attempts", "-", 1) }))
          .where("id", "=", id)
          .where("worker", "=", worker)
          .where("state", "=", "running")
          .returning("state")
          .executeTakeFirst();
        if (job?.state === "cancelled") await dropJob(transaction, id);
      }),

    /**
     * Gives a job back that this worker has not what it takes for; where no other has, it ends with the reason.
     * @returns whether it has ended
     */
    refuse: (id: string, worker: string, reason: string): Promise<boolean> =>
      inTransaction(async (transaction) => {
        const job = await transaction
          .selectFrom("jobs")
          .select("refused")
          .where("id", "=", id)
          .where("worker", "=", worker)
          .executeTakeFirst();
        if (!job) return false;
        const refused = [...job.refused.split(",").filter(Boolean), worker].join(",");
        await transaction.updateTable("jobs").set({ refused }).where("id", "=", id).execute();
        await endAttempt(transaction, backend, id, worker, { reason, retryInMs: 0 });
        return (await endUntakeable(transaction, backend)).includes(id);
      }),

    /** Whether the same call may succeed a moment later: by the error of the database, or the sentence made of it. */
    isPassing: (error: unknown) => backend.isPassing(error instanceof InputError ? (error.cause ?? error) : error),
  };
}
