// kbit study export: the results of a store as a file of rows.

import { statSync } from "node:fs";
import type { Command } from "commander";
import { formatPlural, formatSize } from "../report/units.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import { writeRows } from "../study/exchange/rows-file.ts";
import { printJson, printLine } from "./terminal.ts";

interface ExportOptions {
  readonly db: string;
  readonly out: string;
  readonly json?: boolean;
}

/** Adds `kbit study export`. */
export function addExportCommand(study: Command): void {
  study
    .command("export")
    .description("Write the results of a store into a file of rows, which every command takes for --db.")
    .requiredOption("--db <file>", "the results: a store, or a file of rows")
    .requiredOption("--out <file>", "where they go: .parquet or .jsonl with what each document scored, .csv without")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Every command that reads results takes such a file as --db.

Example:
  kbit study export --db results.db --out results.parquet`,
    )
    .action(runExport);
}

async function runExport({ db, out, json }: ExportOptions): Promise<void> {
  const store = await openRows(db);
  try {
    const rows = await store.rows({ documents: true });
    const failures = (await store.failures()).length;
    writeRows(out, rows);
    const { size } = statSync(out);
    if (json) printJson({ db: store.path, out, results: rows.length, bytes: size });
    else {
      printLine(`${formatPlural(rows.length, "result")} in ${out}, ${formatSize(8 * size)}.`);
      if (failures > 0)
        printLine(`${formatPlural(failures, "failure")} stay in the store: a file of rows has results alone.`);
    }
  } finally {
    await store.close();
  }
}
