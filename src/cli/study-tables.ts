// The tables of kbit study: what a store holds.

import { quoteShell } from "../report/command.ts";
import { explainAnswer } from "../report/headline.ts";
import type { TextColumn } from "../report/table.ts";
import { cleanText } from "../report/text.ts";
import { formatPlural, formatSize, formatValue } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { answerRows } from "../scaling/answer.ts";
import { nameData } from "../scaling/data-name.ts";
import { fitTable } from "./fit-table.ts";
import { pickMetric } from "./study-run.ts";
import { commandName, formatTable, paint, printLine, wrapText } from "./terminal.ts";

/** Prints what a store holds. */
export function printStore(rows: readonly ResultRow[], failures: readonly FailureRow[]): void {
  const columns: TextColumn[] = [
    { title: "model", align: "left" },
    { title: "spec", align: "left" },
    { title: "bits each", align: "right" },
    { title: "size", align: "right" },
    { title: "data", align: "left" },
    { title: "metric", align: "left" },
    { title: "value", align: "right" },
    { title: "error", align: "right" },
    { title: "time", align: "right" },
  ];
  const files = [...new Map(rows.map((row) => [row.key.dataHash, row])).values()];
  const hasSeveral = files.length > new Set(rows.map((row) => row.key.task)).size;
  const spared = ["time", "bits each", hasSeveral ? "error" : "data", "size", "error"];
  const width = process.stdout.columns ?? 110;
  const table = fitTable({ columns, rows: rows.map((row) => formatResult(row, files)) }, width, spared);
  printLine(formatTable(table.columns, table.rows));
  if (rows.length > 0 && table.columns.some(({ title }) => title === "bits each"))
    printLine(paint("dim", "bits each: all bits of the model over its parameters."));
  printLine(`\n${formatPlural(rows.length, "result")}, ${formatPlural(failures.length, "failure")}.`);
  for (const { model, spec, task, reason } of failures)
    printLine(`${paint("red", "failed")} ${model} ${spec} ${task}: ${reason}`);
}

/** Says which command makes the report, and what it can compare where families have one size each. */
export function printReportHint(db: string, rows: readonly ResultRow[]): void {
  printLine(`The report: ${commandName} report --db ${quoteShell(db)} --out report.html`);
  const answer = answerRows(rows)[0];
  if (answer?.series.across === undefined && answer?.series.apart === undefined) return;
  for (const line of explainAnswer(answer)) printLine(wrapText(line, process.stdout.columns ?? 100).join("\n"));
}

function formatResult(row: ResultRow, files: readonly ResultRow[]): string[] {
  const { key, model, bits, seconds } = row;
  const [name, { value, standardError }] = pickMetric(row);
  const error = standardError === undefined ? "" : formatValue(standardError);
  const density = formatValue(bits.total / model.parameters);
  const metric = key.task === name ? name : `${key.task} ${name}`;
  const data = cleanText(nameData(row, files), 28);
  const size = formatSize(bits.total);
  const time = Number.isNaN(seconds) ? "" : `${seconds.toFixed(1)} s`; // of an imported row
  return [model.name, key.spec, density, size, data, metric, formatValue(value), error, time];
}
