// The part of the queue that people ask and steer from any machine: counts, failures, results as they come, pause, cancel
// and retry.

import { type Kysely, sql } from "kysely";
import type { ResultRow } from "../../result.ts";
import type { PlannedExperiment } from "../plan.ts";
import type { Backend } from "./backend.ts";
import { endUntakeable, waitingState } from "./jobs.ts";
import { readRows } from "./results.ts";
import type { Tables } from "./schema.ts";

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
  readonly isCancelled: boolean;
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

/** The queue of a database as people see it. */
export function createOverview(db: Kysely<Tables>, backend: Backend) {
  const { now } = backend;
  return {
    async studies(): Promise<QueuedStudy[]> {
      const rows = await db.selectFrom("studies").selectAll().orderBy("name").execute();
      return rows.map(({ name, experiments, paused }) => {
        return { name, experiments: Number(experiments), isPaused: paused === 1, isCancelled: paused === 2 };
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

    /** Stops or goes on with what waits of a study. @returns whether there is such a study, and it was not cancelled */
    pause: (study: string, isToPause: boolean): Promise<boolean> =>
      db.transaction().execute(async (transaction) => {
        const { numUpdatedRows } = await transaction
          .updateTable("studies")
          .set({ paused: isToPause ? 1 : 0 })
          .where("name", "=", study)
          .where("paused", "!=", 2)
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        const [from, to] = isToPause ? ["queued", "paused"] : ["paused", "queued"];
        await transaction
          .updateTable("jobs")
          .set({ state: to })
          .where("study", "=", study)
          .where("state", "=", from)
          .execute();
        if (!isToPause) await endUntakeable(transaction, backend); // the workers that could may have left meanwhile
        return true;
      }),

    /**
     * Takes what waits of a study out of the queue. What runs may finish, and is dropped if it comes back without an end.
     *
     * @returns how many were taken out, and how many run
     */
    cancel: (study: string): Promise<{ readonly cancelled: number; readonly running: number }> =>
      db.transaction().execute(async (transaction) => {
        await transaction.updateTable("studies").set({ paused: 2 }).where("name", "=", study).execute();
        const waiting = transaction
          .deleteFrom("jobs")
          .where("study", "=", study)
          .where("state", "in", ["queued", "paused"]);
        // What is done already, where a scheduler was a moment behind, is not cancelled.
        await waiting.where("id", "in", transaction.selectFrom("results").select("results.id")).execute();
        const { numDeletedRows } = await waiting.executeTakeFirst();
        const cancelled = Number(numDeletedRows);
        await transaction
          .updateTable("studies")
          .set((eb) => ({ experiments: eb("experiments", "-", cancelled) }))
          .where("name", "=", study)
          .execute();
        const { running } = await transaction
          .selectFrom("jobs")
          .select(({ fn }) => fn.countAll<number>().as("running"))
          .where("study", "=", study)
          .where("state", "=", "running")
          .executeTakeFirstOrThrow();
        return { cancelled, running: Number(running) };
      }),

    /** Begins failed jobs anew, of cancelled studies too. @param study - absent: of all @returns how many */
    retry: (study?: string): Promise<number> =>
      db.transaction().execute(async (transaction) => {
        await transaction
          .updateTable("studies")
          .set({ paused: 0 })
          .where("paused", "=", 2)
          .$if(study !== undefined, (query) => query.where("name", "=", study!))
          .execute();
        const { numUpdatedRows } = await transaction
          .updateTable("jobs")
          .set((eb) => ({ state: waitingState(eb), attempts: 0, ready: 0, refused: "" }))
          .where("state", "=", "failed")
          .$if(study !== undefined, (query) => query.where("study", "=", study!))
          .executeTakeFirst();
        return Number(numUpdatedRows);
      }),

    /** Results stored in the last so many milliseconds, by the database's clock. */
    async countSince(ms: number): Promise<number> {
      const { n } = await db
        .selectFrom("results")
        .select(({ fn }) => fn.countAll<number>().as("n"))
        .where("added", ">", sql<number>`${now} - ${ms}`)
        .executeTakeFirstOrThrow();
      return Number(n);
    },

    /** Results stored since a time by the database's clock, the oldest first, and that time now. */
    async arrivals(since: number): Promise<{ readonly rows: readonly ResultRow[]; readonly now: number }> {
      const { at } = await db.selectNoFrom(now.as("at")).executeTakeFirstOrThrow();
      const ids = await db.selectFrom("results").select("id").where("added", ">=", since).orderBy("added").execute();
      const rows =
        ids.length === 0
          ? []
          : await readRows(
              db,
              false,
              ids.map(({ id }) => id),
            );
      return { rows, now: Number(at) };
    },
  };
}
