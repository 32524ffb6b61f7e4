// The tables of kbit study: what a study comes to, and what a store holds.

import { formatCount, formatPlural, formatSize, formatValue } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { pickMetric } from "./study-run.ts";
import { type Column, formatSeconds, formatTable, paint, printLine, printNote } from "./terminal.ts";

/** An experiment as `study plan` shows it. */
export interface PlannedLine {
  readonly model: string;
  readonly spec: string;
  readonly task: string;
  readonly tokens: number;
  /** Estimated, on one worker. */
  readonly seconds: number;
  readonly isStored: boolean;
}

/** What `study plan` shows. */
export interface PlanSummary {
  readonly experiments: readonly PlannedLine[];
  readonly failures: readonly FailureRow[];
  readonly notes: readonly string[];
  readonly workers: number;
  /** Estimated, for what is missing, on all workers. */
  readonly seconds: number;
}

/** Lines of a plan that are printed. */
const shownExperiments = 100;

/** Prints a plan. */
export function printPlan({ experiments, failures, notes, workers, seconds }: PlanSummary): void {
  const columns: Column[] = [
    { title: "model" },
    { title: "spec" },
    { title: "task" },
    { title: "tokens", align: "right" },
    { title: "about", align: "right" },
    { title: "" },
  ];
  const rows = experiments
    .slice(0, shownExperiments)
    .map((line) => [
      line.model,
      line.spec,
      line.task,
      formatCount(line.tokens),
      formatSeconds(line.seconds),
      line.isStored ? "stored" : "",
    ]);
  printLine(formatTable(columns, rows));
  if (experiments.length > shownExperiments)
    printLine(`.. and ${formatCount(experiments.length - shownExperiments)} more; --json prints all.`);
  for (const note of notes) printNote(note);
  const reasons = new Map(failures.map(({ model, reason }) => [model, reason]));
  for (const [model, reason] of reasons) printLine(`${model} cannot be measured: ${reason}`);
  const missing = formatPlural(experiments.filter(({ isStored }) => !isStored).length, "experiment");
  printLine(`\n${missing} to run, about ${formatSeconds(seconds)} on ${formatPlural(workers, "worker")}.`);
}

/** Prints what a store holds. */
export function printStore(rows: readonly ResultRow[], failures: readonly FailureRow[]): void {
  const columns: Column[] = [
    { title: "model" },
    { title: "spec" },
    { title: "bits a parameter", align: "right" },
    { title: "size", align: "right" },
    { title: "task" },
    { title: "metric" },
    { title: "value", align: "right" },
    { title: "error", align: "right" },
    { title: "time", align: "right" },
  ];
  printLine(formatTable(columns, rows.map(formatResult)));
  printLine(`\n${formatPlural(rows.length, "result")}, ${formatPlural(failures.length, "failure")}.`);
  for (const { model, spec, task, reason } of failures)
    printLine(`${paint("red", "failed")} ${model} ${spec} ${task}: ${reason}`);
}

function formatResult(row: ResultRow): string[] {
  const { key, model, bits, seconds } = row;
  const [name, { value, standardError }] = pickMetric(row);
  const error = standardError === undefined ? "" : formatValue(standardError);
  const density = formatValue(bits.total / model.parameters);
  const size = formatSize(bits.total);
  return [model.name, key.spec, density, size, key.task, name, formatValue(value), error, `${seconds.toFixed(1)} s`];
}
