// kbit study status, failures, retry, pause, resume and cancel: how studies stand and what to do about it, from any machine.

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { findNearest, InputError } from "../input-error.ts";
import { formatCount, formatPlural } from "../report/units.ts";
import { findRowsFormat } from "../study/exchange/rows-file.ts";
import { readStatus, type StudyStatus } from "../study/status.ts";
import { openStore, type StudyStore } from "../study/store/store.ts";
import { createBlock } from "./block.ts";
import { formatSeconds, formatTable, paint, printJson, printLine } from "./terminal.ts";

interface StatusOptions {
  readonly db: string;
  readonly study?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
}

/** Adds the commands to `kbit study`. */
export function addStatusCommands(study: Command): void {
  const add = (name: string, description: string) =>
    study
      .command(name)
      .description(description)
      .requiredOption("--db <store>", "the store: an SQLite file or postgres://USER@HOST/DATABASE")
      .option("--json", "print one JSON document")
      .addHelpText(
        "after",
        `\nExample:\n  kbit study ${name.replace("<study>", "books")} --db postgres://me@db.example/kbit`,
      );
  add("status", "Print how far the studies of a store are, who works, and what failed.")
    .option("--watch", "go on until nothing is left")
    .action(runStatus);
  add(
    "failures",
    "Print the experiments that failed, those that will be tried again, and results that disagree.",
  ).action(runFailures);
  add("retry", "Put the experiments that failed for good in the queue again.")
    .option("--study <name>", "of this study alone")
    .action((options: StatusOptions) =>
      steer(options, options.study, async ({ queue, failures }) => {
        const jobs = await queue.retry(options.study);
        // Of models that did not open, and times that could not be taken: no worker can do anything about those.
        const left = (await failures()).filter(({ study }) => options.study === undefined || study === options.study);
        const rest =
          left.length > 0 ? ` ${left.length} more never came into the queue; kbit study run tries them again.` : "";
        const sentence = `${formatPlural(jobs, "experiment")} will be tried again.${rest}`;
        return { jobs, notQueued: left.length, sentence };
      }),
    );
  for (const isPause of [true, false])
    add(
      `${isPause ? "pause" : "resume"} <study>`,
      isPause ? "Let nothing new of a study begin; what runs goes on." : "Go on with a study that was paused.",
    ).action((name: string, options: StatusOptions) =>
      steer(options, name, async ({ queue }) => {
        if (!(await queue.pause(name, isPause)))
          throw new InputError(
            `${name} was cancelled, and nothing of it waits; kbit study run puts it in the queue again.`,
          );
        return { study: name, paused: isPause, sentence: `${name} ${isPause ? "is paused" : "goes on"}.` };
      }),
    );
  add("cancel <study>", "Take what waits of a study out of the queue; results stay, what runs may finish.").action(
    (name: string, options: StatusOptions) =>
      steer(options, name, async ({ queue }) => {
        const { cancelled, running } = await queue.cancel(name);
        const rest = running > 0 ? `; ${formatCount(running)} that ${running === 1 ? "runs" : "run"} may finish` : "";
        const sentence = `${formatPlural(cancelled, "experiment")} of ${name} taken out of the queue${rest}.`;
        return { study: name, cancelled, running, sentence };
      }),
  );
}

/** @throws InputError if a path names a file of exported rows, where nothing waits */
export function refuseExport(db: string): void {
  if (findRowsFormat(db) === undefined) return;
  throw new InputError(`${db} is a file of exported rows, which has no queue; name the store that they came from.`);
}

async function use<T>(db: string, work: (store: StudyStore) => Promise<T>): Promise<T> {
  refuseExport(db);
  const store = await openStore(db, { create: false });
  try {
    return await work(store);
  } catch (error) {
    throw store.explain(error);
  } finally {
    await store.close();
  }
}

/** Changes something and says what. @throws InputError if there is no such study */
function steer(
  { db, json }: StatusOptions,
  name: string | undefined,
  change: (store: StudyStore) => Promise<{ readonly sentence: string }>,
): Promise<void> {
  return use(db, async (store) => {
    const names = (await store.queue.studies()).map((study) => study.name);
    if (name !== undefined && !names.includes(name)) {
      const nearest = findNearest(name, names);
      const hint = nearest ? `did you mean ${nearest}?` : `it has ${names.join(", ") || "none"}.`;
      throw new InputError(`The store ${store.path} has no study ${name}; ${hint}`);
    }
    const { sentence, ...facts } = await change(store);
    if (json) printJson({ db: store.path, ...facts });
    else printLine(sentence);
  });
}

/** Seconds between looks. */
const watchSeconds = 2;

function runStatus({ db, watch, json }: StatusOptions): Promise<void> {
  return use(db, async (store) => {
    let status = await readStatus(store);
    if (json) return printJson(status);
    const block = createBlock(process.stdout);
    for (;;) {
      const lines = formatStatus(status);
      const isOver = !watch || status.studies.every(({ queued, running }) => queued + running === 0);
      if (isOver) block.end(lines);
      else block.show(lines);
      if (isOver) return;
      await sleep(watchSeconds * 1000);
      status = await readStatus(store);
    }
  });
}

/** The status as lines of text. */
export function formatStatus({
  store,
  results,
  perMinute,
  studies,
  workers,
  failed,
  troubles,
  disagreements,
}: StudyStatus): string[] {
  const lines = [`${store}: ${formatPlural(results, "result")}, ${formatCount(perMinute)} in the last minute.`];
  if (studies.length > 0) {
    const columns = ["study", "done", "running", "queued", "failed", "left"].map((title, i) => {
      return { title, align: i === 0 ? ("left" as const) : ("right" as const) };
    });
    const rows = studies.map(
      ({ name, isPaused, isCancelled, experiments, done, running, queued, failed, secondsLeft }) => [
        `${name}${isPaused ? " (paused)" : isCancelled ? " (cancelled)" : ""}`,
        `${formatCount(done)} of ${formatCount(experiments)}`,
        ...[running, queued, failed].map(formatCount),
        secondsLeft === undefined ? "" : formatSeconds(secondsLeft),
      ],
    );
    lines.push("", ...formatTable(columns, rows).split("\n"));
  }
  lines.push("", workers.length === 0 ? "Nobody works." : `${formatPlural(workers.length, "worker")}:`);
  for (const { id, report, silentSeconds, isSilent } of workers) {
    const state = isSilent ? paint("red", `silent for ${formatSeconds(silentSeconds)}`) : "";
    lines.push(`  ${id}  ${formatPlural(report.done, "result")}, ${report.failed} failed  ${state}`.trimEnd());
    for (const { model, spec, task, share, seconds } of report.running)
      lines.push(`    ${model} ${spec} ${task}  ${Math.round(100 * share)} %  ${formatSeconds(seconds)}`);
  }
  const again = troubles.filter(({ state }) => state !== "failed").length;
  if (failed + again > 0)
    lines.push("", `${failed} failed, ${again} will be tried again; kbit study failures says why.`);
  if (disagreements > 0)
    lines.push(paint("red", `${formatPlural(disagreements, "result")} came out differently the second time.`));
  return lines;
}

function runFailures({ db, json }: StatusOptions): Promise<void> {
  return use(db, async (store) => {
    const [failures, jobs, disagreements] = [
      await store.failures(),
      await store.queue.troubles(),
      await store.disagreements(),
    ];
    const waiting = jobs
      .filter(({ state }) => state !== "failed")
      .map(({ id, study, attempts, reason, experiment: { model, spec, task } }) => {
        return { id, study, model: model.name, spec: spec.text, task: task.task, attempts, reason };
      });
    if (json) return printJson({ db: store.path, failures, waiting, disagreements });
    for (const { model, spec, task, reason } of failures)
      printLine(`${paint("red", "failed")} ${model} ${spec} ${task}: ${reason}`);
    for (const { model, spec, task, attempts, reason } of waiting)
      printLine(`to be tried again (${formatPlural(attempts, "attempt")}) ${model} ${spec} ${task}: ${reason}`);
    for (const { model, spec, task, reason } of disagreements)
      printLine(`${paint("red", "differs")} ${model} ${spec} ${task}: ${reason}`);
    if (failures.length + waiting.length + disagreements.length === 0) printLine("Nothing has failed.");
  });
}
