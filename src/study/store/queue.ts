// The queue of a study: experiments that have no result yet, who may take one, and what becomes of it. It lies in the store
// itself, so that a result and the end of its job are one transaction, in SQLite as in PostgreSQL.
// Every statement may be sent again when its answer was lost; time is the database's, life and death are counted in beats.

import { type ExpressionBuilder, type Kysely, sql, type Transaction } from "kysely";
import type { FailureRow, ResultRow } from "../../result.ts";
import type { PlannedExperiment } from "../plan.ts";
import type { Backend } from "./backend.ts";
import { addFailure, addRows, type Disagreement } from "./results.ts";
import type { JobTable, Tables } from "./schema.ts";

/** An experiment as the queue holds it. */
export interface Job {
  readonly experiment: PlannedExperiment;
  /** Bytes that it needs. */
  readonly memory: number;
  /** The higher first; among equals the cheaper. */
  readonly priority: number;
  /** Place among the tasks of its model at its spec. */
  readonly rank: number;
  /** What it shares with the other tasks of its model at its spec. */
  readonly batch: string;
}

/** A job that a worker holds. */
export interface TakenJob extends Job {
  readonly study: string;
  /** This attempt's number, from 1. */
  readonly attempt: number;
}

/** What a worker can take. */
export interface Offer {
  readonly worker: string;
  readonly computeType: string;
  /** Bytes that are free. */
  readonly memory: number;
  /** Only jobs of this run; absent: all. */
  readonly run?: string;
  /** What is loaded already: a job of it is preferred. */
  readonly batch?: string;
  /** Ids of the jobs that it holds: others that bear its name were lost with an answer, and are taken first. */
  readonly holds: readonly string[];
}

/** Why an attempt ended without a result. */
export interface Ending {
  readonly reason: string;
  /** Milliseconds until the next attempt; absent: there is none. */
  readonly retryInMs?: number;
}

/** A worker as the others see it. */
export interface WorkerBeat<Report> {
  readonly id: string;
  readonly place: string;
  readonly process: number;
  readonly beat: number;
  readonly beatMs: number;
  /** Milliseconds since it last counted, by the database's clock, which may have jumped. */
  readonly ageMs: number;
  readonly report: Report;
}

/** How many jobs of a study are in a state, and their cost together. */
export interface JobCount {
  readonly study: string;
  readonly state: "queued" | "paused" | "running" | "failed";
  readonly jobs: number;
  readonly cost: number;
}

/** A study in the queue. */
export interface QueuedStudy {
  readonly name: string;
  readonly experiments: number;
  readonly isPaused: boolean;
}

/** An attempt that will be made again, or was the last. */
export interface FailedJob {
  readonly id: string;
  readonly study: string;
  readonly state: JobCount["state"];
  readonly attempts: number;
  readonly reason: string;
  readonly experiment: PlannedExperiment;
}

export type Queue = ReturnType<typeof createQueue>;

/** Attempts after which a job whose workers die is not begun again. */
const maxLosses = 10;
/** Jobs of a statement. */
const jobsAStatement = 500;
/** No attempt waits longer for the next, in milliseconds: a later time was written before the clock jumped. */
const maxWaitMs = 3_600_000;

/** The queue in a database. */
export function createQueue(db: Kysely<Tables>, backend: Backend) {
  const { now } = backend;
  const inTransaction = <T>(work: (transaction: Transaction<Tables>) => Promise<T>) => db.transaction().execute(work);
  // Back in the queue, or to those who wait if the study was paused meanwhile.
  const waiting = (eb: ExpressionBuilder<Tables, "jobs">) =>
    eb
      .case()
      .when(eb.exists(isPaused(eb)))
      .then("paused")
      .else("queued")
      .end();

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
      .orderBy("priority", "desc")
      .orderBy("rank")
      .orderBy("cost")
      .orderBy("id")
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
      .executeTakeFirst();
  }

  /** Puts a job back, or ends it with the reason. @returns whether the worker still held it */
  async function put(transaction: Transaction<Tables>, id: string, worker: string, ending: Ending): Promise<boolean> {
    const { reason, retryInMs } = ending;
    const job = await transaction
      .updateTable("jobs")
      .set((eb) => ({
        state: retryInMs === undefined ? "failed" : waiting(eb),
        worker: null,
        reason,
        ready: sql<number>`${now} + ${retryInMs ?? 0}`,
      }))
      .where("id", "=", id)
      .where("worker", "=", worker)
      .where("state", "=", "running")
      .returning("experiment")
      .executeTakeFirst();
    if (job && retryInMs === undefined) await addFailure(transaction, describeFailure(job.experiment, reason));
    return job !== undefined;
  }

  return {
    /**
     * Puts experiments in the queue that have no result and are not in it. Those that failed are begun anew; those that
     * wait for another run become this run's.
     */
    async enqueue(study: string, run: string, jobs: readonly Job[], experiments: number): Promise<void> {
      await db
        .insertInto("studies")
        .values({ name: study, experiments, paused: 0 })
        .onConflict((conflict) => conflict.column("name").doUpdateSet({ experiments }))
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
                priority: eb.ref("excluded.priority"),
                attempts: eb.case().when("jobs.state", "=", "failed").then(0).else(eb.ref("jobs.attempts")).end(),
                ready: eb.case().when("jobs.state", "=", "failed").then(0).else(eb.ref("jobs.ready")).end(),
                refused: "",
              }))
              .where("jobs.state", "!=", "running"),
          )
          .execute();
      }
    },

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
        if (!row.isStored) return fromRow(row);
        await db.deleteFrom("jobs").where("id", "=", row.id).execute(); // a scheduler was a moment behind
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
      inTransaction((transaction) => put(transaction, id, worker, ending)),

    /** Gives a job back that was not finished, as if it had not been taken. */
    async handBack(id: string, worker: string): Promise<void> {
      await db
        .updateTable("jobs")
        .set((eb) => ({ state: waiting(eb), worker: null, attempts: eb("attempts", "-", 1) }))
        .where("id", "=", id)
        .where("worker", "=", worker)
        .where("state", "=", "running")
        .execute();
    },

    /** Gives a job back that this worker has not what it takes for; the last one that could says why it failed. */
    refuse: (id: string, worker: string, reason: string): Promise<boolean> =>
      inTransaction(async (transaction) => {
        const mine = transaction
          .selectFrom("jobs")
          .select(["refused", "compute_type"])
          .where("id", "=", id)
          .where("worker", "=", worker);
        const job = await mine.executeTakeFirst();
        if (!job) return false;
        const refused = [...job.refused.split(",").filter(Boolean), worker];
        const others = await transaction.selectFrom("workers").select("id").where("id", "not in", refused).execute();
        await transaction
          .updateTable("jobs")
          .set({ refused: refused.join(",") })
          .where("id", "=", id)
          .execute();
        await put(transaction, id, worker, { reason, ...(others.length > 0 && { retryInMs: 0 }) });
        return others.length === 0;
      }),

    /** A sign of life, with what others may know. */
    async beat(id: string, at: { place: string; process: number; beatMs: number }, report: unknown): Promise<void> {
      const { place, process, beatMs } = at;
      const changes = { seen: now, report: JSON.stringify(report) };
      await db
        .insertInto("workers")
        .values({ id, place, process, beat: 0, beat_ms: beatMs, ...changes })
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet((eb) => ({ beat: eb("workers.beat", "+", 1), ...changes })),
        )
        .execute();
    },

    /** Every worker that has not left. */
    async workers<Report>(): Promise<WorkerBeat<Report>[]> {
      const rows = await db
        .selectFrom("workers")
        .selectAll()
        .select(sql<number>`${now} - seen`.as("age"))
        .orderBy("id")
        .execute();
      return rows.map(({ id, place, process, beat, beat_ms: beatMs, age, report }) => {
        return { id, place, process, beat: Number(beat), beatMs, ageMs: Number(age), report: JSON.parse(report) };
      });
    },

    /**
     * Removes a worker that is dead, unless it has counted on, and puts its jobs back; one that keeps losing its workers
     * fails. @returns how many it held
     */
    bury: (worker: string, beat: number | undefined, reason: string): Promise<number> =>
      inTransaction(async (transaction) => {
        const removed = await transaction
          .deleteFrom("workers")
          .where("id", "=", worker)
          .$if(beat !== undefined, (query) => query.where("beat", "=", beat!))
          .executeTakeFirst();
        if (removed.numDeletedRows === 0n) return 0;
        const held = await transaction
          .selectFrom("jobs")
          .select(["id", "attempts"])
          .where("worker", "=", worker)
          .where("state", "=", "running")
          .execute();
        for (const { id, attempts } of held)
          await put(transaction, id, worker, { reason, ...(attempts < maxLosses && { retryInMs: 0 }) });
        return held.length;
      }),

    /** Removes a worker that ends as it should. */
    async leave(worker: string): Promise<void> {
      await db.deleteFrom("workers").where("id", "=", worker).execute();
    },

    async studies(): Promise<QueuedStudy[]> {
      const rows = await db.selectFrom("studies").selectAll().orderBy("name").execute();
      return rows.map(({ name, experiments, paused }) => {
        return { name, experiments: Number(experiments), isPaused: Number(paused) === 1 };
      });
    },

    async counts(run?: string): Promise<JobCount[]> {
      const rows = await db
        .selectFrom("jobs")
        .select(({ fn }) => ["study", "state", fn.countAll<number>().as("jobs"), fn.sum<number>("cost").as("cost")])
        .$if(run !== undefined, (query) => query.where("run", "=", run!))
        .groupBy(["study", "state"])
        .orderBy("study")
        .execute();
      return rows.map(({ study, state, jobs, cost }) => {
        return { study, state: state as JobCount["state"], jobs: Number(jobs), cost: Number(cost) };
      });
    },

    /** Jobs whose last attempt failed; `final` ones alone will not be tried again. */
    async troubles(filter: { readonly run?: string; readonly final?: boolean } = {}): Promise<FailedJob[]> {
      const rows = await db
        .selectFrom("jobs")
        .selectAll()
        .where("reason", "is not", null)
        .$if(filter.run !== undefined, (query) => query.where("run", "=", filter.run!))
        .$if(filter.final === true, (query) => query.where("state", "=", "failed"))
        .orderBy("id")
        .execute();
      return rows.map(({ id, study, state, attempts, reason, experiment }) => {
        return {
          id,
          study,
          state: state as JobCount["state"],
          attempts,
          reason: reason!,
          experiment: JSON.parse(experiment),
        };
      });
    },

    /** Stops or goes on with what waits of a study. @returns whether there is such a study */
    pause: (study: string, isToPause: boolean): Promise<boolean> =>
      inTransaction(async (transaction) => {
        const { numUpdatedRows } = await transaction
          .updateTable("studies")
          .set({ paused: isToPause ? 1 : 0 })
          .where("name", "=", study)
          .executeTakeFirst();
        const [from, to] = isToPause ? ["queued", "paused"] : ["paused", "queued"];
        await transaction
          .updateTable("jobs")
          .set({ state: to })
          .where("study", "=", study)
          .where("state", "=", from)
          .execute();
        return numUpdatedRows > 0n;
      }),

    /** Begins failed jobs anew. @param study - absent: of all @returns how many */
    async retry(study?: string): Promise<number> {
      const { numUpdatedRows } = await db
        .updateTable("jobs")
        .set((eb) => ({ state: waiting(eb), attempts: 0, ready: 0, refused: "" }))
        .where("state", "=", "failed")
        .$if(study !== undefined, (query) => query.where("study", "=", study!))
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    /** Ids and order of results stored since a time by the database's clock, and that time now. */
    async arrivals(since: number): Promise<{ readonly ids: readonly string[]; readonly now: number }> {
      const { at } = await db.selectNoFrom(now.as("at")).executeTakeFirstOrThrow();
      const rows = await db
        .selectFrom("results")
        .select("id")
        .where("added", ">=", since)
        .orderBy("added")
        .orderBy("id")
        .execute();
      return { ids: rows.map(({ id }) => id), now: Number(at) };
    },

    /** Whether the same call may succeed a moment later. */
    isPassing: backend.isPassing,
  };
}

function isPaused(eb: ExpressionBuilder<Tables, "jobs">) {
  return eb
    .selectFrom("studies")
    .select("studies.name")
    .whereRef("studies.name", "=", "jobs.study")
    .where("studies.paused", "=", 1);
}

function toRow(
  { experiment, memory, priority, rank, batch }: Job,
  study: string,
  run: string,
  state: string,
): JobTable {
  const { id, key, cost } = experiment;
  const { computeType: compute_type } = key;
  const fresh = { attempts: 0, ready: 0, worker: null, refused: "", reason: null };
  const text = JSON.stringify(experiment);
  return { id, study, run, state, experiment: text, compute_type, memory, priority, rank, cost, batch, ...fresh };
}

function fromRow({ study, experiment, memory, priority, rank, batch, attempts }: JobTable): TakenJob {
  return {
    study,
    experiment: JSON.parse(experiment),
    memory: Number(memory),
    priority,
    rank,
    batch,
    attempt: attempts,
  };
}

function describeFailure(experiment: string, reason: string): FailureRow {
  const { id, model, spec, task }: PlannedExperiment = JSON.parse(experiment);
  return { id, model: model.name, spec: spec.text, task: task.task, reason, date: new Date().toISOString() };
}
