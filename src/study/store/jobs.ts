// Jobs between the table and the code, and what ends an attempt: shared by the parts of the queue.

import { type ExpressionBuilder, sql, type Transaction } from "kysely";
import { describeFailure } from "../failure.ts";
import type { PlannedExperiment } from "../plan.ts";
import type { Backend } from "./backend.ts";
import { addFailure } from "./results.ts";
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
  /** Place in the plan, for those of equal cost. */
  readonly position: number;
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
  /** Ids of the jobs that it is at: one of them that was taken from it, since it was silent, is no job for it. */
  readonly holds: readonly string[];
}

/** Why an attempt ended without a result. */
export interface Ending {
  readonly reason: string;
  /** Milliseconds until the next attempt; absent: there is none. */
  readonly retryInMs?: number;
}

/** Puts a job back, or ends it with the reason. @returns whether the worker still held it */
export async function endAttempt(
  transaction: Transaction<Tables>,
  { now }: Backend,
  id: string,
  worker: string,
  { reason, retryInMs }: Ending,
): Promise<boolean> {
  const job = await transaction
    .updateTable("jobs")
    .set((eb) => ({
      state: retryInMs === undefined ? "failed" : waitingState(eb),
      worker: null,
      reason,
      ready: sql<number>`${now} + ${retryInMs ?? 0}`,
    }))
    .where("id", "=", id)
    .where("worker", "=", worker)
    .where("state", "=", "running")
    .returning(["experiment", "study", "state"])
    .executeTakeFirst();
  if (job?.state === "cancelled") await dropJob(transaction, id);
  if (job && retryInMs === undefined) await keepFailure(transaction, job, reason);
  return job !== undefined;
}

/** Takes a job of a cancelled study out of the queue, and so one experiment from the study. */
export async function dropJob(transaction: Transaction<Tables>, id: string): Promise<void> {
  const job = await transaction.deleteFrom("jobs").where("id", "=", id).returning("study").executeTakeFirst();
  if (job === undefined) return;
  await transaction
    .updateTable("studies")
    .set((eb) => ({ experiments: eb("experiments", "-", 1) }))
    .where("name", "=", job.study)
    .execute();
}

/** What a worker can take, as far as its report says. */
interface Ability {
  readonly computeType?: string;
  /** Bytes. */
  readonly memory?: number;
  /** Only jobs of this run. */
  readonly run?: string;
}

/** Ends what was refused and waits, with the reason, where no worker that is there can still take it. @returns their ids */
export async function endUntakeable(transaction: Transaction<Tables>, { locksRows }: Backend): Promise<string[]> {
  const refused = await transaction
    .selectFrom("jobs")
    .selectAll()
    .where("state", "=", "queued")
    .where("refused", "!=", "")
    .orderBy("id")
    .execute();
  if (refused.length === 0) return [];
  // Locked, so that none leaves unseen: who comes after looks again.
  const present = await transaction
    .selectFrom("workers")
    .select(["id", "report"])
    .orderBy("id")
    .$if(locksRows, (query) => query.forShare())
    .execute();
  const workers = present.map(({ id, report }) => ({ id, able: JSON.parse(report) as Ability }));
  const ended: string[] = [];
  for (const job of refused) {
    const canTake = ({ id, able }: (typeof workers)[number]) =>
      !job.refused.split(",").includes(id) &&
      (able.computeType ?? job.compute_type) === job.compute_type &&
      (able.memory ?? Number.POSITIVE_INFINITY) >= Number(job.memory) &&
      (able.run ?? job.run) === job.run;
    if (workers.some(canTake)) continue;
    const { numUpdatedRows } = await transaction
      .updateTable("jobs")
      .set({ state: "failed" })
      .where("id", "=", job.id)
      .where("state", "=", "queued")
      .where("refused", "=", job.refused)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) continue;
    await keepFailure(transaction, job, job.reason ?? "No worker has what it takes.");
    ended.push(job.id);
  }
  return ended;
}

function keepFailure(
  transaction: Transaction<Tables>,
  { experiment, study }: Pick<JobTable, "experiment" | "study">,
  reason: string,
): Promise<void> {
  return addFailure(transaction, { ...describeFailure(JSON.parse(experiment), reason), study });
}

/** Back in the queue, or among those that wait, if the study was paused meanwhile, or to be dropped, if it was cancelled. */
export function waitingState(eb: ExpressionBuilder<Tables, "jobs">) {
  return eb.case().when(isOfStudy(eb, 1)).then("paused").when(isOfStudy(eb, 2)).then("cancelled").else("queued").end();
}

/** Whether the study of a job is paused (1) or cancelled (2). */
export function isOfStudy(eb: ExpressionBuilder<Tables, "jobs">, paused: 1 | 2) {
  const found = eb
    .selectFrom("studies")
    .select("studies.name")
    .whereRef("studies.name", "=", "jobs.study")
    .where("studies.paused", "=", paused);
  return eb.exists(found);
}

/** A job as a row of a study and a run. */
export function toRow(
  { experiment, memory, priority, rank, position, batch }: Job,
  study: string,
  run: string,
  state: string,
): JobTable {
  const { id, key, cost } = experiment;
  const { computeType: compute_type } = key;
  const fresh = { attempts: 0, ready: 0, worker: null, refused: "", reason: null };
  const text = JSON.stringify(experiment);
  return {
    id,
    study,
    run,
    state,
    experiment: text,
    compute_type,
    memory,
    priority,
    rank,
    cost,
    position,
    batch,
    ...fresh,
  };
}

/** A job from its row. */
export function fromRow({
  study,
  experiment,
  memory,
  priority,
  rank,
  position,
  batch,
  attempts: attempt,
}: JobTable): TakenJob {
  return {
    study,
    experiment: JSON.parse(experiment),
    memory: Number(memory),
    priority,
    rank,
    position,
    batch,
    attempt,
  };
}
