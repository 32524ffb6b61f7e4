// kbit study plan: the experiments of a study, their number, and the time, memory and disk that they take, before any runs.

import { existsSync } from "node:fs";
import { formatCount, formatPlural, formatSize } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { estimateRowBytes, type PlannedLine, type PlanPart, sumPlan } from "../study/estimate.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import { findRowsFormat } from "../study/exchange/rows-file.ts";
import { estimateMemory } from "../study/jobs.ts";
import { createCostModel, learnFromRows, spreadSeconds } from "../study/progress.ts";
import { describeMachine } from "../study/resources.ts";
import { countWorkers, planOnKernels } from "../study/run.ts";
import { isPostgresAddress } from "../study/store/postgres-address.ts";
import type { Study } from "../study/study.ts";
import { createProgress, formatSeconds, formatTable, printJson, printLine, printNote } from "./terminal.ts";

/** How a plan is made and shown. */
export interface PlanOptions {
  readonly db?: string;
  readonly workers?: number;
  readonly json?: boolean;
}

/** Plans a study and prints the plan. */
export async function planInTerminal(study: Study, { db, workers: asked, json }: PlanOptions): Promise<void> {
  const bar = createProgress("reading ");
  const plan = await planOnKernels(study, {
    kernels: process.env["KBIT_KERNELS"] || undefined,
    onEvent: (event) => event.kind === "hashing" && bar.update(event.index, event.total, event.model.name),
  });
  bar.finish();
  const stored = db === undefined ? [] : await readStored(db);
  const ids = new Set(stored.map(({ id }) => id));
  const model = createCostModel();
  learnFromRows(stored, plan.experiments, describeMachine(), model.observe);
  const experiments = plan.experiments.map(({ id, model: choice, spec, task, tokens, cost }) => ({
    model: choice.name,
    spec: spec.text,
    task: task.task,
    tokens: Math.round(tokens),
    seconds: model.estimate(cost, 1, task.task),
    isStored: ids.has(id),
    id,
  }));
  const missing = plan.experiments.filter(({ id }) => !ids.has(id));
  const workers = Math.min(countWorkers(plan, { workers: asked }), Math.max(1, missing.length));
  const left = experiments.filter(({ isStored }) => !isStored).map(({ seconds }) => seconds);
  const planned: PlanSummary = {
    study: study.name,
    experiments,
    models: sumPlan(experiments, "model"),
    tasks: sumPlan(experiments, "task"),
    failures: plan.failures,
    notes: [...study.notes, ...plan.notes],
    workers,
    seconds: spreadSeconds(left, workers),
    memoryBytes: workers * Math.max(0, ...missing.map(({ fileBytes }) => estimateMemory(fileBytes))),
    diskBytes: missing.reduce((sum, experiment) => sum + estimateRowBytes(experiment), 0),
  };
  if (json) printJson(planned);
  else printPlan(planned);
  process.exitCode = plan.failures.length > 0 ? 1 : 0;
}

/** What a store has; none yet has nothing, for a plan comes before the run that makes it. */
async function readStored(path: string): Promise<ResultRow[]> {
  if (!isPostgresAddress(path) && findRowsFormat(path) === undefined && !existsSync(path)) {
    printNote(`There is no store ${path} yet, so nothing is left out.`);
    return [];
  }
  const store = await openRows(path);
  try {
    return await store.rows();
  } finally {
    await store.close();
  }
}

/** What `study plan` shows. */
export interface PlanSummary {
  readonly study: string;
  readonly experiments: readonly (PlannedLine & { readonly id: string })[];
  readonly models: readonly PlanPart[];
  readonly tasks: readonly PlanPart[];
  readonly failures: readonly FailureRow[];
  readonly notes: readonly string[];
  readonly workers: number;
  /** Estimated, for what is missing, on all workers. */
  readonly seconds: number;
  /** Estimated, of all workers at the largest model that is missing. */
  readonly memoryBytes: number;
  /** Estimated, that the store grows by. */
  readonly diskBytes: number;
}

/** Experiments that are printed one by one; of more, sums are. */
const mostLines = 40;
/** Models that are printed one by one. */
const mostModels = 60;

function printPlan(plan: PlanSummary): void {
  const { experiments, models, tasks, failures, notes, workers, seconds, memoryBytes, diskBytes } = plan;
  if (experiments.length <= mostLines) printLine(formatLines(experiments));
  else {
    printLine(formatParts("model", models.slice(0, mostModels)));
    if (models.length > mostModels) printLine(`.. and ${formatCount(models.length - mostModels)} more models.`);
    printLine(`\n${formatParts("task", tasks)}`);
    printLine(`\n--json lists all ${formatCount(experiments.length)} experiments.`);
  }
  for (const note of notes) printNote(note);
  const reasons = new Map(failures.map(({ model, reason }) => [model, reason]));
  for (const [model, reason] of reasons) printLine(`${model} cannot be measured: ${reason}`);
  const missing = experiments.filter(({ isStored }) => !isStored).length;
  const rest = missing < experiments.length ? ` of ${formatCount(experiments.length)}` : "";
  const time = `about ${formatSeconds(seconds)} on ${formatPlural(workers, "worker")}`;
  const room = `${formatSize(8 * memoryBytes)} of memory, ${formatSize(8 * diskBytes)} of disk`;
  printLine(
    missing === 0
      ? `\nNothing to run: all ${formatPlural(experiments.length, "experiment")} are stored.`
      : `\n${formatPlural(missing, "experiment")}${rest} to run: ${time}, ${room}.`,
  );
}

function formatLines(lines: readonly PlannedLine[]): string {
  const columns = [
    { title: "model" },
    { title: "spec" },
    { title: "task" },
    { title: "tokens", align: "right" },
    { title: "about", align: "right" },
    { title: "" },
  ] as const;
  const rows = lines.map(({ model, spec, task, tokens, seconds, isStored }) => {
    return [model, spec, task, formatCount(tokens), formatSeconds(seconds), isStored ? "stored" : ""];
  });
  return formatTable(columns, rows);
}

function formatParts(title: string, parts: readonly PlanPart[]): string {
  const columns = [
    { title },
    { title: "experiments", align: "right" },
    { title: "to run", align: "right" },
    { title: "tokens", align: "right" },
    { title: "worker time", align: "right" },
  ] as const;
  const rows = parts.map(({ name, experiments, missing, tokens, seconds }) => {
    return [name, formatCount(experiments), formatCount(missing), formatCount(tokens), formatSeconds(seconds)];
  });
  return formatTable(columns, rows);
}
