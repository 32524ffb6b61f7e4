// kbit demo: the main job on the bundled models, from quantization to the answer; what `npm start` runs.

import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Command, Option } from "commander";
import { InputError } from "../input-error.ts";
import { renderReport } from "../report/html.ts";
import { answerRows } from "../scaling/answer.ts";
import { selectShown } from "../scaling/shown.ts";
import { summarizeAnswer } from "../scaling/summary.ts";
import { openStore } from "../study/store/store.ts";
import type { Study } from "../study/study.ts";
import { parseStudy } from "../study/study-file.ts";
import { printAnswers } from "./report.ts";
import { runInTerminal } from "./study-run.ts";
import { commandName, paint, printJson, printLine } from "./terminal.ts";

/** The bundled families; each has a study of its name in experiments/. The first comes with the package too. */
const families = ["books", "neox", "llama"];

const nextSteps = `
The same on your own models:
  ${commandName} study run MODEL_FOLDER.. --specs fp16,nf3-8:b64 --text TEXT_FILE --db results.db
  ${commandName} report --db results.db --out report.html
and one model at one precision:
  ${commandName} eval MODEL_FOLDER --spec nf4:b64 --text TEXT_FILE
  ${commandName} quantize MODEL_FOLDER --spec nf4:b64 --out MODEL_FOLDER-nf4
  ${commandName} generate MODEL_FOLDER-nf4 --prompt "Once upon a time"`;

/** Adds `kbit demo`. */
export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description("Run the main job on the bundled models: quantize, measure, and say what each budget buys.")
    .addOption(
      new Option(
        "--family <name>",
        "the models: the small books, or a family trained with one recipe, in all sizes that are bundled",
      )
        .choices(families)
        .default(families[0]),
    )
    .option("--db <file>", "where results are kept", "kbit-demo.db")
    .option("--out <file>", "the report to write", "kbit-report.html")
    .option("--no-open", "do not open the report in a browser")
    .option("--json", "print one JSON document")
    .addHelpText("after", "\nExamples:\n  kbit demo --out report.html\n  kbit demo --family neox")
    .action(runDemo);
}

interface DemoOptions {
  readonly family: string;
  readonly db: string;
  readonly out: string;
  readonly open: boolean;
  readonly json?: boolean;
}

async function runDemo(options: DemoOptions): Promise<void> {
  const study = readStudy(options.family);
  const print = options.json ? () => {} : printLine;
  print(`${paint("bold", "kbit")}  Which model, at how many bits?`);
  print(`Quantizing ${study.models.length} bundled models at ${study.specs.length} precisions and measuring each.\n`);

  const store = await openStore(options.db);
  const summary = await runInTerminal(study, store, { isQuiet: options.json });
  const ids = new Set(summary.ids);
  const rows = (await store.rows({ documents: true })).filter((row) => ids.has(row.id));
  await store.close();
  process.exitCode = summary.interrupted ? 130 : summary.failures.length > 0 ? 1 : 0;
  if (summary.interrupted) return;

  const title = `Which model, at how many bits? The bundled ${options.family} family`;
  writeFileSync(options.out, renderReport({ rows, failures: summary.failures, title, facts: [["Study", study.name]] }));
  const answers = answerRows(rows);
  if (options.json) {
    printJson({ db: options.db, out: options.out, rows: rows.length, answers: answers.map(summarizeAnswer) });
    return;
  }
  printLine();
  printAnswers(answers, selectShown(rows, summary.failures));
  printLine(`\nThe report with the figure: ${paint("underline", resolve(options.out))}`);
  printLine(nextSteps);
  if (options.open) openInBrowser(resolve(options.out));
}

/** The study of a family. @throws InputError if it did not come along, as in the package, which is small */
function readStudy(family: string): Study {
  const path = fileURLToPath(new URL(`../../experiments/${family}.yaml`, import.meta.url));
  if (!existsSync(path))
    throw new InputError(
      `The family ${family} is not in the package, only in a clone of the repository; leave out --family.`,
    );
  return parseStudy(readFileSync(path, "utf8"), path);
}

/** Opens a file in the browser, if this is a terminal on a desktop; silent if that fails. */
function openInBrowser(path: string): void {
  const isDesktop = process.platform !== "linux" || process.env["DISPLAY"] || process.env["WAYLAND_DISPLAY"];
  if (!process.stdout.isTTY || !isDesktop || process.env["CI"]) return;
  const [command, ...args] = { darwin: ["open"], win32: ["cmd", "/c", "start", ""] }[process.platform as string] ?? [
    "xdg-open",
  ];
  spawn(command, [...args, pathToFileURL(path).href], { detached: true, stdio: "ignore" })
    .on("error", () => {})
    .unref();
}
