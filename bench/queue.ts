// What an experiment costs the database of a study: statements, bytes and milliseconds from the queue to the result, and how
// many workers one PostgreSQL could serve. Experiments are only pretended: the database alone is measured.
//   node bench/queue.ts [jobs in the queue] [processes]

import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { openStore } from "../src/study/store/store.ts";
import { startPostgres } from "../test/database/postgres.ts";
import { makeJob } from "../test/study/queue-jobs.ts";
import { makeRow } from "../test/study/rows.ts";

const [jobs, processes] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 4)];
const measuredJobs = Math.min(jobs, 2000);

if (process.argv[4] !== undefined) {
  // One of the processes: takes jobs and completes them as fast as it can.
  const store = await openStore(process.argv[4]);
  const holds: string[] = [];
  for (let i = 0; i < measuredJobs / processes; i++) {
    const job = await store.queue.claim({ worker: `w${process.pid}`, computeType: "float32", memory: 1e12, holds });
    const values = Float32Array.from({ length: 240 }, () => Math.random());
    const documents = { nll: { values, weights: values } };
    await store.queue.complete(makeRow(job!.experiment.cost - 100, { documents }));
  }
  await store.close();
} else {
  const server = await startPostgres();
  const address = await server.createDatabase();
  const store = await openStore(address);
  const client = new pg.Client(address);
  await client.connect();
  const ask = async (text: string) => Number(Object.values((await client.query(text)).rows[0])[0]);
  const written = () => ask("select pg_current_wal_lsn() - '0/0'");

  let started = performance.now();
  const all = Array.from({ length: jobs }, (_, i) => makeJob(i));
  await store.queue.enqueue("study", "run", all, jobs);
  console.log(`enqueue: ${((performance.now() - started) / jobs).toFixed(3)} ms each of ${jobs}`);
  console.log(`queue: ${((await ask("select pg_total_relation_size('jobs')")) / jobs).toFixed(0)} bytes each`);
  await client.query("checkpoint"); // pages that are written whole after one are no cost of an experiment

  const before = await written();
  started = performance.now();
  const children = Array.from({ length: processes }, () =>
    fork(fileURLToPath(import.meta.url), [String(jobs), String(processes), address]),
  );
  await Promise.all(children.map((child) => new Promise((resolve) => child.on("exit", resolve))));
  const seconds = (performance.now() - started) / 1000;
  const done = await ask("select count(*) from results");
  console.log(`claim and complete: ${(done / seconds).toFixed(0)} experiments a second by ${processes} processes`);
  console.log(`log: ${((await written()) - before) / done} bytes an experiment`);
  const kept = await ask(
    "select sum(pg_total_relation_size(t)) from unnest(array['results', 'metrics', 'documents']) t",
  );
  console.log(`results: ${(kept / done).toFixed(0)} bytes each, documents of 240 windows included`);

  const beats = 200;
  const at = (i: number) => ({ place: `host ${i}`, process: 1, beatMs: 10_000 });
  for (let i = 0; i < 1000; i++) await store.queue.beat(`worker-${i}`, at(i), {});
  started = performance.now();
  for (let i = 0; i < beats; i++) {
    await store.queue.beat(`worker-${i}`, at(i), {});
    await store.queue.suspects(`host ${i}`, 6);
  }
  console.log(`a sign of life of 1000 workers: ${((performance.now() - started) / beats).toFixed(2)} ms`);
  started = performance.now();
  await store.queue.counts();
  console.log(`count of what is left: ${(performance.now() - started).toFixed(0)} ms`);
  await client.end();
  await store.close();
  await server.close();
}
