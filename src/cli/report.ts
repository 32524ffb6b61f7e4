// kbit report: the answer of a store in the terminal, as a page, or as data.

import { existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import {
  describeCount,
  describeSeries,
  explainAnswer,
  explainDocuments,
  writeCertainty,
  writeHeadline,
} from "../report/headline.ts";
import { type ReportInput, renderReport } from "../report/html.ts";
import { renderMarkdown } from "../report/markdown.ts";
import {
  budgetTitles,
  cutBudgets,
  explainBudgets,
  explainShares,
  type TextTable,
  tabulateBudgets,
  tabulateShares,
} from "../report/table.ts";
import { drawTextPlot } from "../report/text-plot.ts";
import { countShown } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { type Answer, type AnswerOptions, answerRows } from "../scaling/answer.ts";
import { type ShownResults, selectShown } from "../scaling/shown.ts";
import { summarizeAnswer } from "../scaling/summary.ts";
import { openRows } from "../study/exchange/open-rows.ts";
import { fitsInto, fitTable } from "./fit-table.ts";
import { checkOptions, counts, parseBudgets, type ReportOptions, splitList } from "./report-options.ts";
import { formatTable, paint, printJson, printLine, type Style, wrapText } from "./terminal.ts";

/** Adds `kbit report`. */
export function addReportCommand(program: Command): void {
  program
    .command("report")
    .description("Show which model at how many bits each budget is best spent on.")
    .requiredOption("--db <file>", "the store of a study")
    .option("--out <file>", "write the report as one HTML file, or as Markdown where its name ends in .md")
    .option("--title <text>", "title of the page (default: the families)")
    .option("--metric <name>", "compare by this metric (default: acc of tasks, nll of texts)")
    .option("--task <name>", "only this task")
    .option("--family <name>", "only this family")
    .option("--data <name>", "only this text or file of documents, by its name or SHA-256")
    .addOption(
      new Option("--count <bits>", "bits that a model is charged for").choices(Object.keys(counts)).default("all"),
    )
    .option(
      "--type <names>",
      "only these data types, such as float,int (default: the best of each precision)",
      splitList,
    )
    .option("--block <sizes>", "only these block sizes, such as 64,row,tensor", splitList)
    .option("--budget <sizes>", "budgets, such as 500KB,2MB (default: round ones across the range)", parseBudgets)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      `
Examples:
  kbit report --db results.db --out kbit-report.html
  kbit report --db results.db --type float --block 64 --budget 1MB,2MB --json`,
    )
    .action(runReport);
}

async function runReport(options: ReportOptions): Promise<void> {
  if (options.out !== undefined) checkName(options.out);
  const store = await openRows(options.db);
  let rows: ResultRow[];
  let failures: FailureRow[];
  try {
    rows = await store.rows({ documents: true });
    failures = await store.failures();
  } finally {
    await store.close();
  }
  const chosen: AnswerOptions = {
    metric: options.metric,
    task: options.task,
    family: options.family,
    data: options.data,
    count: counts[options.count],
    types: options.type,
    blocks: options.block,
    budgets: options.budget,
  };
  checkOptions(options, rows);
  const answers = answerRows(rows, chosen);
  const shown = selectShown(rows, failures, chosen);
  if (options.out !== undefined) {
    const { title, out } = options;
    const input = { rows, failures, title, facts: [["Store", store.path]] as const, options: chosen };
    if (markdownName.test(out)) writeMarkdown(out, input);
    else writeWhole(out, renderReport(input));
  }
  if (options.json) {
    const { out = null } = options;
    const counts = { stored: rows.length, rows: shown.rows.length, unstable: shown.unstable.length };
    printJson({ db: store.path, out, ...counts, failures: shown.failures, answers: answers.map(summarizeAnswer) });
    return;
  }
  printAnswers(answers, shown);
  if (options.out !== undefined) printLine(`\nThe report: ${options.out}`);
}

const markdownName = /\.(md|markdown)$/i;

/** @throws InputError if a file's name says a format that reports do not have; a device or a pipe takes HTML */
function checkName(path: string): void {
  if (/\.html?$/i.test(path) || markdownName.test(path)) return;
  if (existsSync(path) && !statSync(path).isFile() && !statSync(path).isDirectory()) return;
  throw new InputError(`${path} does not end in .html, .htm or .md; name the format by it.`);
}

/** Prints the answers: the first in full with its figure, the others as a sentence each. */
export function printAnswers(answers: readonly Answer[], shown: ShownResults): void {
  const [main, ...others] = answers;
  if (main === undefined) {
    printLine(
      shown.stored === 0 ? "The store holds no results yet." : "No result has that metric and passes the filters.",
    );
  } else {
    printAnswer(main);
  }
  for (const answer of others) {
    printLine(`\n${paint("bold", describeSeries(answer))}`);
    printLine(wrapText(writeHeadline(answer)[0], process.stdout.columns ?? 100).join("\n"));
  }
  const { results, failures, unstable } = countShown(shown);
  const counted = [results, failures && paint("red", failures), unstable && paint("yellow", unstable)];
  printLine(`\n${counted.filter((text) => text !== "").join(", ")}.`);
}

// The answer in a sentence, the table that it is the sum of, then the figure and who wins how often.
function printAnswer(answer: Answer): void {
  const width = process.stdout.columns ?? 100;
  const [first] = writeHeadline(answer);
  printLine(
    wrapText(first, width)
      .map((line) => paint("bold", line))
      .join("\n"),
  );
  if (answer.points.length === 0) return;
  for (const sentence of [...explainAnswer(answer), writeCertainty(answer), explainDocuments(answer)]) {
    if (sentence !== "") printLine(wrapText(sentence, width).join("\n"));
  }
  const told = new Set<string>();
  for (const [title, table] of splitBudgets(answer, width)) {
    const notes = explainBudgets(answer, table).filter((note) => !told.has(note));
    printTable(title, table, notes, width);
    for (const note of notes) told.add(note);
  }
  const columns = Math.min(100, Math.max(48, width));
  const plot = drawTextPlot(answer, { columns, rows: 19 }, (bits, mark) => paint(styleOf(bits), mark));
  if (plot.length > 0)
    printLine(`\n${paint("bold", `${describeSeries(answer)}, by ${describeCount(answer.count)}`)}\n${plot.join("\n")}`);
  const shares = fitTable(tabulateShares(answer), width, ["Models", "Wins, any two compared"]);
  printTable("How often each precision wins", shares, [explainShares(answer)], width);
}

/**
 * The table of budgets by its title; where it would be too wide, choices and precisions at equal size apart, so that specs are
 * whole: they are there to be copied.
 */
export function splitBudgets(answer: Answer, width: number): [string, TextTable][] {
  const [title, other] = budgetTitles;
  const spared = ["than", "Size"];
  const whole = fitTable(tabulateBudgets(answer), width, spared);
  if (fitsInto(whole, width)) return [[title, whole]];
  const choices = fitTable(cutBudgets(tabulateBudgets(answer))[0], width, [...spared, "Better by"]);
  const [, precisions] = cutBudgets(tabulateBudgets(answer, true));
  if (precisions === null) return [[title, choices]];
  return [
    [title, choices],
    [other, precisions],
  ];
}

function printTable(title: string, table: TextTable, notes: readonly string[], width: number): void {
  if (table.rows.length === 0) return;
  printLine(`\n${paint("bold", title)}\n${formatTable(table.columns, table.rows)}`);
  for (const note of notes) for (const line of wrapText(note, width)) printLine(paint("dim", line));
}

// Few bits warm, many cool, 16 as the text.
function styleOf(bitsPerWeight: number): Style {
  const styles: Record<number, Style> = {
    2: "yellow",
    3: "red",
    4: "redBright",
    5: "magentaBright",
    6: "magenta",
    7: "blueBright",
    8: "blue",
  };
  return styles[Math.round(bitsPerWeight)] ?? "bold";
}

// Figures stand in a folder beside the file, named as it is without its ending; none beside a device or a pipe.
function writeMarkdown(path: string, input: ReportInput): void {
  const folder = path.replace(/\.[^.]*$/, "");
  const isFile = !existsSync(path) || statSync(path).isFile();
  const { text, figures } = renderMarkdown(input, isFile ? basename(folder) : undefined);
  if (figures.size > 0 && existsSync(folder) && !statSync(folder).isDirectory()) {
    throw new InputError(`The figures of ${path} need a folder ${folder}, but that is a file; name another --out.`);
  }
  writeWhole(path, text);
  if (figures.size === 0) return;
  mkdirSync(folder, { recursive: true });
  for (const [name, svg] of figures) writeWhole(join(folder, name), svg);
}

// Under a temporary name first, so that a killed run leaves no half page; into a device or a pipe as it is.
function writeWhole(path: string, text: string): void {
  if (!existsSync(dirname(path))) throw new InputError(`There is no folder ${dirname(path)} to write ${path} in.`);
  if (existsSync(path) && !statSync(path).isFile()) {
    writeFileSync(path, text);
    return;
  }
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
