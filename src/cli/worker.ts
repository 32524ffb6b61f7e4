// kbit worker: takes experiments from the queue of a store and computes them, until it is told to stop or nothing is left.

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { InputError } from "../input-error.ts";
import { selectKernels } from "../kernels/select-node.ts";
import { formatPlural, formatSize, formatValue } from "../report/units.ts";
import { type Crew, type CrewEvent, createCrew } from "../study/crew.ts";
import { countLanes, freeMemory } from "../study/jobs.ts";
import { createMeters } from "../study/meters.ts";
import { createFinder } from "../study/roots.ts";
import { openStore } from "../study/store/store.ts";
import { createLog } from "./log.ts";
import { parseWhole } from "./open-model.ts";
import { parseBytes } from "./size.ts";
import { pickMetric } from "./study-run.ts";
import { refuseExport } from "./study-status.ts";
import { formatSeconds, paint, printJson } from "./terminal.ts";

/** Adds `kbit worker`. */
export function addWorkerCommand(program: Command): void {
  program
    .command("worker")
    .description("Compute the experiments that kbit study run put in the queue of a store, on any number of machines.")
    .requiredOption("--db <store>", "the store: postgres://USER@HOST/DATABASE, or an SQLite file on this machine")
    .requiredOption("--models <folders...>", "folders that models are read below; nothing else is read")
    .option("--data <folders...>", "folders of texts and documents (default: those of --models)")
    .option("--workers <n>", "experiments at the same time (default: one a core)", parseWhole("--workers"))
    .option("--threads <n>", "threads of each one's kernels", parseWhole("--threads"), 1)
    .option("--memory <size>", "memory for all of them; larger experiments are left to others (default: what is free)")
    .option("--until-done", "end when nothing is queued, paused or running; otherwise wait for more")
    .option("--grace <seconds>", "time to finish at SIGTERM before the rest is handed back", parseWhole("--grace"), 60)
    .option(
      "--heartbeat <ms>",
      "between signs of life, at least 100; six missing ones are a death",
      parseHeartbeat,
      10_000,
    )
    .option("--log <form>", "text, or json: one object a line", "text")
    .option("--json", "print one JSON document at the end; the log goes to standard error")
    .addHelpText(
      "after",
      `
The password of the database comes from PGPASSWORD or ~/.pgpass. SIGTERM or Ctrl-C: finish or hand back; again: at once.
With --until-done it waits for studies that are paused, and says so.

Examples:
  kbit worker --db postgres://me@db.example/kbit --models /models --data /texts
  kbit worker --db postgres://me@db.example/kbit --models /models --workers 4 --memory 24GB --until-done --log json`,
    )
    .action(runWorker);
}

/** Between signs of life at least, in milliseconds. */
const shortestBeatMs = 100;
/** What a statement may take at least, in milliseconds: a busy server is not a silent one. */
const shortestStatementMs = 5000;
/** What connections have to close after a signal, in milliseconds. */
const closeMs = 500;

interface WorkerOptions {
  readonly db: string;
  readonly models: readonly string[];
  readonly data?: readonly string[];
  readonly workers?: number;
  readonly threads: number;
  readonly memory?: string;
  readonly untilDone?: boolean;
  readonly grace: number;
  readonly heartbeat: number;
  readonly log: string;
  readonly json?: boolean;
}

async function runWorker(options: WorkerOptions): Promise<void> {
  const { db, models, data = models, threads, heartbeat: beatMs, untilDone = false } = options;
  refuseExport(db);
  const log = createLog(options.log, options.json ? process.stderr : process.stdout);
  const memory = options.memory === undefined ? freeMemory() : Math.floor(parseBytes(options.memory, "--memory"));
  for (const folders of [models, data]) createFinder(folders); // a folder that is missing is told now
  const kernelsName = process.env["KBIT_KERNELS"] || undefined;
  const kernels = await selectKernels({ name: kernelsName, threads });
  const { name, computeType } = kernels;
  await kernels.close();

  const store = await openStore(db, { create: false, statementMs: Math.max(shortestStatementMs, 3 * beatMs) });
  const lanes = options.workers ?? countLanes(0, threads);
  const started = performance.now();
  const meters = await createMeters(store);
  const crew: Crew = createCrew(store, {
    lanes,
    threads,
    kernels: name,
    computeType,
    memory,
    roots: { models, data },
    untilDone,
    beatMs,
    onEvent(event) {
      meters.ofCrew(event);
      log(describeEvent(event), formatEvent(event));
    },
  });
  log(
    { event: "start", worker: crew.id, store: store.path, lanes, threads, memory, kernels: name, computeType },
    `${crew.id} works for ${store.path}: ${formatPlural(lanes, "experiment")} at a time in ${formatSize(8 * memory)}, kernels ${name}.`,
  );
  const stop = createStop(crew, options.grace * 1000, (words) => log({ event: "stop" }, words));
  try {
    await crew.work();
  } finally {
    await meters.close();
    await Promise.race([store.close(), stop.isStopped() ? sleep(closeMs) : new Promise(() => {})]);
    stop.forget();
  }
  const { done, failed } = crew.report();
  const seconds = (performance.now() - started) / 1000;
  log(
    { event: "end", done, failed, seconds },
    `${formatPlural(done, "result")}, ${failed} failed, in ${formatSeconds(seconds)}.`,
  );
  if (options.json) printJson({ db: store.path, worker: crew.id, done, failed, seconds });
  process.exitCode = failed > 0 ? 1 : 0;
  if (stop.isStopped()) process.stdout.write("", () => process.exit()); // a silent connection would hold it for a while
}

/** Stops a crew at the first signal with time to finish, at the second without; the third ends the process as it is. */
function createStop(crew: Crew, graceMs: number, tell: (words: string) => void) {
  let signals = 0;
  const stop = () => {
    signals++;
    if (signals > 2) process.exit(130);
    if (signals === 1)
      tell(`Stopping: what runs has ${formatSeconds(graceMs / 1000)} to finish; once more ends it now.`);
    void crew.stop(signals === 1 ? graceMs : 0);
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  return { isStopped: () => signals > 0, forget: () => process.off("SIGINT", stop).off("SIGTERM", stop) };
}

/** @throws InputError if it is shorter than what a busy machine can keep */
function parseHeartbeat(text: string): number {
  const beatMs = parseWhole("--heartbeat")(text);
  if (beatMs >= shortestBeatMs) return beatMs;
  throw new InputError(`--heartbeat takes at least ${shortestBeatMs} milliseconds, not ${beatMs}.`);
}

/** An event as an object of the log. */
function describeEvent(event: CrewEvent): Record<string, unknown> | undefined {
  const { kind } = event;
  if (kind === "progress") return undefined;
  if (kind === "buried" || kind === "waiting") return { event: kind, ...event, kind: undefined };
  if (kind === "disagreement") return { event: kind, ...event.disagreement };
  const { experiment, study, attempt } = event.job;
  const at = { event: kind, study, id: experiment.id, model: experiment.model.name, spec: experiment.spec.text };
  const job = { ...at, task: experiment.task.task, attempt };
  if (kind === "result") {
    const [metric, { value }] = pickMetric(event.row);
    return { ...job, seconds: event.row.seconds, metric, value };
  }
  return kind === "failure" ? { ...job, reason: event.failure.reason, final: event.isFinal } : job;
}

/** An event as a line; undefined for those that only the log has. */
function formatEvent(event: CrewEvent): string | undefined {
  switch (event.kind) {
    case "result": {
      const { key, model, seconds } = event.row;
      const [metric, { value }] = pickMetric(event.row);
      const named = key.task === metric ? metric : `${key.task} ${metric}`;
      return `${model.name}  ${key.spec}  ${named} ${formatValue(value)}  ${paint("dim", `${seconds.toFixed(1)} s`)}`;
    }
    case "failure": {
      const { model, spec, task, reason } = event.failure;
      return `${model}  ${spec}  ${task} ${paint("red", event.isFinal ? "failed" : "failed for now")}: ${reason}`;
    }
    case "handback": {
      const { model, spec, task } = event.job.experiment;
      return `${model.name}  ${spec.text}  ${task.task} handed back`;
    }
    case "disagreement":
      return paint("red", event.disagreement.reason);
    case "buried":
      return event.jobs > 0 ? `${formatPlural(event.jobs, "experiment")} taken back: ${event.reason}` : undefined;
    case "waiting":
      return `Waiting: ${event.reason}`;
    default:
      return undefined;
  }
}
