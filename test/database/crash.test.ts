// Studies that are killed: workers, scheduler and database end at random moments, as by kill -9 or a power cut. At the end
// every experiment has one row, the same as if nothing had happened. `npm run test:crash` does it two hundred times.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ResultRow } from "../../src/result.ts";
import { openStore } from "../../src/study/store/store.ts";
import { createRandom } from "../scaling/simulate.ts";
import { startPostgres, type TestServer } from "./postgres.ts";
import { type Running, start } from "./processes.ts";

const rounds = Number(process.env["KBIT_CRASH_ROUNDS"] ?? 10);
const seed = Number(process.env["KBIT_CRASH_SEED"] ?? Date.now() % 1e6);
const books = fileURLToPath(new URL("../../models/books", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kbit-crash-"));
let server: TestServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** Enough experiments for the rounds: the smallest model at many specs. */
const specs = ["int", "float", "dynamic", "quantile"]
  .flatMap((type) => [2, 3, 4, 5, 6, 7, 8].map((bits) => `${type}${bits}`))
  .filter((spec) => !["dynamic2", "float2"].includes(spec))
  .flatMap((spec) => [32, 64, 128, 256, 512, 1024, 2048, 4096].map((block) => `${spec}:b${block}`))
  .flatMap((spec) => [spec, `${spec}:center`])
  .slice(0, Math.max(40, 2 * rounds));
const input = [
  join(books, "books-0.2m"),
  ...["--specs", specs.join(",")],
  ...["--text", join(books, "heldout.txt"), "--window", "16", "--limit", "1"],
];
const kernels = { KBIT_KERNELS: "wasm" }; // a set that every machine has
const worker = (db: string) => ["worker", "--db", db, "--models", books, "--workers", "1", "--heartbeat", "300"];

/** Rows of a study, apart from when and how long. */
async function readResults(db: string) {
  const store = await openStore(db);
  const measured = ({ id, bits, metrics }: ResultRow) => ({ id, bits, metrics });
  const rows = (await store.rows()).map(measured).sort((a, b) => (a.id < b.id ? -1 : 1));
  const rest = { counts: await store.queue.counts(), disagreements: await store.disagreements() };
  await store.close();
  return { rows, ...rest };
}

test(
  `after ${rounds} kills of workers, scheduler and database every experiment has its row (seed ${seed})`,
  async () => {
    const db = await server.createDatabase();
    const random = createRandom(seed);
    const begin = {
      worker: () => start(worker(db), kernels),
      run: () => start(["study", "run", ...input, "--db", db], kernels),
    };
    const running: Record<string, Running> = { run: begin.run(), ada: begin.worker(), bob: begin.worker() };
    await sleep(3000);
    for (let round = 0; round < rounds; round++) {
      await sleep(100 + 900 * random());
      const victim = ["run", "ada", "bob", "database"][Math.floor(4 * random())];
      if (victim === "database") {
        await server.kill();
        await sleep(300 * random());
        await server.start();
      } else {
        await running[victim].kill();
        running[victim] = victim === "run" ? begin.run() : begin.worker();
      }
    }
    // One that began while the database was down has said so and ended; whoever runs it again finds everything.
    for (; (await running["run"].ended) === 2; running["run"] = begin.run())
      expect(running["run"].output()).toContain("cannot be used");
    const code = await running["run"].ended;
    expect([code, code === 0 ? "" : running["run"].output()]).toEqual([0, ""]);
    for (const name of ["ada", "bob"]) {
      while (running[name].output() === "") await sleep(20); // one that began a moment ago does not listen to signals yet
      running[name].child.kill("SIGTERM");
      const ended = await running[name].ended;
      const isRight = ended === 0 || (ended === 2 && running[name].output().includes("cannot be used"));
      expect([name, isRight, isRight ? "" : running[name].output()]).toEqual([name, true, ""]);
    }
    const { rows, counts, disagreements } = await readResults(db);
    expect(rows).toHaveLength(specs.length);
    expect(counts).toEqual([]);
    expect(disagreements).toEqual([]);

    const whole = join(folder, "whole.db");
    expect(await start(["study", "run", ...input, "--db", whole], kernels).ended).toBe(0);
    expect(rows).toEqual((await readResults(whole)).rows);
  },
  120_000 + 10_000 * rounds,
);
