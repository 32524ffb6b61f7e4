// The part of the queue that knows who works: signs of life, and what becomes of the jobs of a worker that is dead.

import { type Kysely, sql } from "kysely";
import type { Backend } from "./backend.ts";
import { endAttempt, endUntakeable } from "./jobs.ts";
import type { Tables, WorkerTable } from "./schema.ts";

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

/** Attempts after which a job whose workers die is not begun again. */
const maxLosses = 10;

/** Workers in a database. */
export function createWorkers(db: Kysely<Tables>, backend: Backend) {
  const { now } = backend;
  const selectWorkers = () =>
    db.selectFrom("workers").selectAll().select(sql<number>`${now} - seen`.as("age")).orderBy("id");

  return {
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
    workers: async <Report>(): Promise<WorkerBeat<Report>[]> => (await selectWorkers().execute()).map(toBeat<Report>),

    /** Workers that may be dead: those of a place, and those silent for so many beats by a clock that may have jumped. */
    async suspects(place: string, beats: number): Promise<WorkerBeat<unknown>[]> {
      const rows = await selectWorkers()
        .where((eb) => {
          const silence = sql<number>`abs(${now} - seen)`;
          return eb.or([eb("place", "=", place), eb(silence, ">", sql<number>`${beats} * beat_ms`)]);
        })
        .execute();
      return rows.map(toBeat<unknown>);
    },

    /**
     * Removes a worker that is dead, unless it has counted on, and puts its jobs back; one that keeps losing its workers
     * fails. @returns how many it held; undefined if it counted on
     */
    bury: (worker: string, beat: number | undefined, reason: string): Promise<number | undefined> =>
      db.transaction().execute(async (transaction) => {
        const removed = await transaction
          .deleteFrom("workers")
          .where("id", "=", worker)
          .$if(beat !== undefined, (query) => query.where("beat", "=", beat!))
          .executeTakeFirst();
        if (removed.numDeletedRows === 0n) return undefined;
        const held = await transaction
          .selectFrom("jobs")
          .select(["id", "attempts"])
          .where("worker", "=", worker)
          .where("state", "=", "running")
          .execute();
        for (const { id, attempts } of held)
          await endAttempt(transaction, backend, id, worker, { reason, ...(attempts < maxLosses && { retryInMs: 0 }) });
        await endUntakeable(transaction, backend);
        return held.length;
      }),

    /** Removes a worker that ends as it should. */
    leave: (worker: string): Promise<void> =>
      db.transaction().execute(async (transaction) => {
        await transaction.deleteFrom("workers").where("id", "=", worker).execute();
        await endUntakeable(transaction, backend);
      }),
  };
}

function toBeat<Report>(row: WorkerTable & { age: number }): WorkerBeat<Report> {
  const { id, place, process, beat, beat_ms: beatMs, age, report } = row;
  return { id, place, process, beat: Number(beat), beatMs, ageMs: Number(age), report: JSON.parse(report) };
}
