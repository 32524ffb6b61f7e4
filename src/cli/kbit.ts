// The command line: one file a command, and the one place where errors become sentences and exit codes.
// 0 done, 1 some experiments failed, 2 bad input, 130 interrupted, 70 a fault of kbit itself.

import { Command, CommanderError } from "commander";
import { findNearest, InputError } from "../input-error.ts";
import { addClaimsCommand } from "./claims.ts";
import { addCompareCommand } from "./compare.ts";
import { addDemoCommand } from "./demo.ts";
import { addEvalCommand } from "./eval.ts";
import { addGenerateCommand } from "./generate.ts";
import { addInspectCommand } from "./inspect.ts";
import { addMixCommand } from "./mix.ts";
import { addQuantizeCommand } from "./quantize.ts";
import { addRecommendCommand } from "./recommend.ts";
import { addReportCommand } from "./report.ts";
import { addStudyCommand } from "./study.ts";
import { addUiCommand } from "./ui.ts";
import { version } from "./version.ts";
import { addWorkerCommand } from "./worker.ts";

function createProgram(): Command {
  const program = new Command("kbit")
    .description("Which model, at how many bits? Quantizes language models to k bits, measures them, and says.")
    .version(version, "-V, --version")
    .showHelpAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride();
  for (const add of [
    addDemoCommand,
    addStudyCommand,
    addWorkerCommand,
    addReportCommand,
    addUiCommand,
    addClaimsCommand,
    addRecommendCommand,
    addMixCommand,
    addQuantizeCommand,
    addInspectCommand,
    addEvalCommand,
    addCompareCommand,
    addGenerateCommand,
  ]) {
    add(program);
  }
  for (const command of allCommands(program)) command.exitOverride().configureOutput({ outputError: () => {} });
  return program;
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}

/** The sentence for an error of commander, which words its own well enough but for unknown commands. */
function explainUsage(error: CommanderError, program: Command): string {
  const [message, suggestion] = error.message.replace(/^error: /, "").split("\n");
  const named = findNamed(program);
  const help = `see ${nameOf(named)} --help.`;
  if (error.code === "commander.missingMandatoryOptionValue") {
    const unknown = findUnknownOption(named);
    if (unknown !== undefined) {
      const nearest = findNearest(unknown, listLongOptions(named));
      return `unknown option '${unknown}'; ${nearest ? `did you mean ${nearest}?` : help}`;
    }
    const missing = named.options.filter(
      (option) => option.mandatory && named.getOptionValue(option.attributeName()) === undefined,
    );
    const are = missing.length === 1 ? "is" : "are";
    return `${missing.map(({ flags }) => flags).join(" and ")} ${are} missing; ${help}`;
  }
  if (error.code !== "commander.unknownCommand") {
    const meant = /^\(Did you mean (.*)\?\)$/.exec(suggestion ?? "")?.[1];
    return meant ? `${message}; did you mean ${meant}?` : `${message}; ${help}`;
  }
  const word = /'(.*)'/.exec(error.message)?.[1] ?? "";
  const names = named.commands.map((command) => command.name());
  const nearest = findNearest(word, names);
  const hint = nearest ? `did you mean ${nearest}?` : `expected one of ${names.join(", ")}.`;
  return `There is no command '${word}'; ${hint}`;
}

/** The command that the arguments name, as far as they name one. */
function findNamed(program: Command): Command {
  let named = program;
  for (const word of process.argv.slice(2)) {
    const next = named.commands.find((command) => command.name() === word);
    if (!next) break;
    named = next;
  }
  return named;
}

/** A command in words: `kbit study run`. */
function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function listLongOptions(command: Command): string[] {
  return command.options.flatMap(({ long }) => long ?? []);
}

/** The first option among the arguments that a command does not have; a value of another option is none. */
function findUnknownOption(command: Command): string | undefined {
  const takesValue = new Set(command.options.filter((option) => option.required).map(({ long }) => long));
  return process.argv
    .filter((word, i, words) => word.startsWith("--") && !takesValue.has(words[i - 1]))
    .map((word) => word.split("=")[0])
    .find((word) => word !== "--" && word !== "--help" && !listLongOptions(command).includes(word));
}

const fileErrors: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EISDIR: "it is a folder where a file was expected",
  ENOTDIR: "a part of the path is a file, not a folder",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EMFILE: "too many files are open",
  EPIPE: "its reader has gone",
};

/** Sentence and exit code of an error. */
function explain(error: unknown, program: Command): { sentence: string; exitCode: number } {
  if (error instanceof InputError) return { sentence: error.message, exitCode: 2 };
  if (error instanceof CommanderError) return { sentence: explainUsage(error, program), exitCode: 2 };
  if (error instanceof Error) {
    const { code, path } = error as NodeJS.ErrnoException;
    const why = code && fileErrors[code];
    if (why) return { sentence: path ? `Cannot use ${path}: ${why}.` : `A file cannot be used: ${why}.`, exitCode: 2 };
    return { sentence: error.stack ?? error.message, exitCode: 70 };
  }
  return { sentence: String(error), exitCode: 70 };
}

const program = createProgram();

// Whoever lists the processes of this machine sees their arguments, and with them a password in an address.
if (process.argv.some((word) => /^postgres(ql)?:\/\/[^/]*:[^/]*@/.test(word))) process.title = "kbit";

// A reader that has seen enough, such as head, ends what is printed and not what is done: a study goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") fail(error);
    if (stream === process.stdout && findNamed(program).name() === "generate") process.exit(0); // it does nothing else
  });
}

/** Says what went wrong, and ends. */
function fail(error: unknown): never {
  const { sentence, exitCode } = explain(error, program);
  process.stderr.write(`kbit: ${sentence}\n`);
  process.exit(exitCode);
}

try {
  if (process.argv.length <= 2) program.outputHelp();
  else await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError && error.exitCode === 0) process.exit(0);
  fail(error);
}
