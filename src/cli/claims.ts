// kbit claims: each finding of the paper, checked on the results of a store.

import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import { formatNumber, type Verdict } from "../scaling/claims/verdict.ts";
import { checkClaims } from "../scaling/claims.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import { formatTable, lineWidth, paint, printJson, printLine, type Style, wrapText } from "./terminal.ts";

interface ClaimsOptions {
  readonly db: string;
  readonly family?: string;
  readonly cut?: "paper";
  readonly json?: boolean;
}

/** Adds `kbit claims`. */
export function addClaimsCommand(program: Command): void {
  program
    .command("claims")
    .description("Check each finding of the k-bit scaling paper on your own results.")
    .requiredOption("--db <file>", "the store of a study")
    .option("--family <name>", "only this family")
    .addOption(
      new Option("--cut <rule>", "also leave out what the paper's figures cut: perplexity above 100").choices([
        "paper",
      ]),
    )
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExample:\n  kbit claims --db results.db")
    .action(runClaims);
}

async function runClaims({ db, family, cut, json }: ClaimsOptions): Promise<void> {
  const rows = await readRows(db);
  if (rows.length === 0) throw new InputError("The store holds no results; kbit study run makes some.");
  if (family !== undefined && !rows.some((row) => row.model.family === family))
    throw new InputError(`The store has no results of --family ${family}; it has ${listFamilies(rows)}.`);
  const answers = checkClaims(rows, { family, cut });
  if (json) {
    printJson(answers);
    return;
  }
  const styles: Record<Verdict, Style> = { holds: "green", "does not hold": "red", "not enough evidence": "dim" };
  const cells = answers.map(({ id, verdict, effect, interval, unit }) => {
    const range = interval === null ? "" : `[${formatNumber(interval[0])}, ${formatNumber(interval[1])}]`;
    return [
      id,
      paint(styles[verdict], verdict),
      effect === null ? "" : formatNumber(effect),
      range,
      effect === null ? "" : unit,
    ];
  });
  const width = lineWidth();
  const columns = [
    { title: "Claim" },
    { title: "Verdict" },
    { title: "Effect", align: "right" },
    { title: "95 %" },
    { title: "" },
  ] as const;
  printLine(formatTable(columns, cells));
  for (const { id, sentence, section, verdict, effect, reason, needs } of answers) {
    const [first, ...rest] = wrapText(`${id}  ${sentence} (${/^\d/.test(section) ? "section " : ""}${section})`, width);
    printLine(`\n${paint("bold", id)}${first.slice(id.length)}`);
    for (const line of rest) printLine(line);
    const why = verdict === "not enough evidence" && effect === null ? `${reason} It needs ${needs}.` : reason;
    for (const line of wrapText(why, width)) printLine(line);
  }
}

/** All results of a store with their documents. @throws InputError if there is none */
export async function readRows(path: string): Promise<ResultRow[]> {
  const store = await openRows(path);
  try {
    return await store.rows({ documents: true });
  } finally {
    await store.close();
  }
}

function listFamilies(rows: readonly ResultRow[]): string {
  const names = [...new Set(rows.map((row) => row.model.family))];
  return names.length === 0 ? "no results at all" : names.slice(0, 8).join(", ");
}
