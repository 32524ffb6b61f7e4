// kbit eval --tasks: zero-shot tasks on documents; kbit eval --text --column: texts that are documents.

import { stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Document } from "../evaluate/documents.ts";
import { listLmEvalResults } from "../evaluate/lm-eval-results.ts";
import { countRead, findProfile } from "../evaluate/profiles.ts";
import { summarizeAccuracy } from "../evaluate/summary.ts";
import { formatTaskTable } from "../evaluate/table.ts";
import { evaluateTask, type TaskResult } from "../evaluate/task.ts";
import { listTokenizerWarnings } from "../evaluate/warnings.ts";
import { InputError } from "../input-error.ts";
import { describe, summarizeModel } from "./describe-model.ts";
import type { EvalOptions } from "./eval-options.ts";
import type { OpenModel } from "./open-model.ts";
import { readColumn, readTasks } from "./read-tasks.ts";
import { useScoreCache } from "./score-store.ts";
import { createProgress, printJson, printLine, printNote } from "./terminal.ts";
import { version } from "./version.ts";
import { describeWideRest } from "./wide-note.ts";

/** Reads the documents; what is returned scores a model on them. @throws InputError if something cannot be used */
export async function prepareTasks(options: EvalOptions): Promise<(opened: OpenModel) => Promise<void>> {
  for (const name of ["window", "stride", "convention"] as const) {
    if (options[name] !== undefined)
      throw new InputError(
        `--${name} goes with --text, not with ${options.column === undefined ? "--tasks" : "--column"}.`,
      );
  }
  const profile = findProfile(options.profile);
  const chosen =
    options.column === undefined
      ? await readTasks(options.tasks!, options.data, countRead(profile, options.limit))
      : [await readColumn(options.text!, options.column, countRead(profile, options.limit))];
  if (options.output !== undefined) await checkOutput(options.output);
  return async (opened) => {
    const results: TaskResult[] = [];
    const date = new Date();
    const texts = chosen.flatMap(({ documents }) => documents.slice(0, 20)).flatMap(listTexts);
    const warnings = listTokenizerWarnings(opened.model, texts, profile.special);
    const wide = describeWideRest(opened.checkpoint, opened.bits, opened.parameters);
    if (wide) warnings.push(wide);
    const { model, countFound, close } = await useScoreCache(opened, options.cache);
    try {
      for (const { task, documents } of chosen) {
        const progress = createProgress(task.name);
        const result = await evaluateTask(model, task, documents, {
          profile: profile.name,
          limit: options.limit,
          bootstrapIterations,
          onProgress: (phase, done, total) => progress.update(done, total, phases[phase]),
        }).finally(() => progress.finish());
        results.push(result);
      }
    } finally {
      close();
    }
    const seconds = (Date.now() - date.getTime()) / 1000;
    if (options.output !== undefined) {
      const entries = chosen.map((entry, i) => ({ ...entry, result: results[i] }));
      const { checkpoint, spec, parameters } = opened;
      const document = listLmEvalResults(entries, {
        model: checkpoint.source,
        modelArgs: `pretrained=${checkpoint.source},spec=${spec},kernels=${opened.model.kernels.name}`,
        parameters: parameters.parameters,
        computeType: opened.model.kernels.computeType,
        maxLength: opened.model.maxLength,
        limit: options.limit,
        bootstrapIterations,
        profile: profile.name,
        kbit: version,
        started: date,
        seconds,
      });
      await writeFile(options.output, `${JSON.stringify(document, null, 2)}\n`);
    }
    for (const { task, cut, documents } of results) {
      if (cut === 0) continue;
      warnings.push(
        `The beginning of ${cut} of ${documents.length} documents of ${task} was cut to fit ${model.maxLength} tokens.`,
      );
    }
    const summary = summarizeAccuracy(results);
    if (options.json) {
      printJson({
        ...describe(opened),
        profile: profile.name,
        limit: options.limit ?? null,
        data: Object.fromEntries(chosen.map(({ task, sources }) => [task.name, sources])),
        results: Object.fromEntries(
          results.map(({ task, documents, profile: _, ...rest }) => [task, { ...rest, documents: documents.length }]),
        ),
        ...summary,
        warnings,
        cached: countFound(),
        seconds,
      });
      return;
    }
    printLine(formatTaskTable(results));
    if (summary) {
      const show = ({ value, standardError }: { value: number; standardError?: number }) =>
        `${value.toFixed(4)}${standardError === undefined ? "" : ` ± ${standardError.toFixed(4)}`}`;
      const { meanAccuracy, aboveChance } = summary;
      const count = meanAccuracy.n === 1 ? "1 task" : `${meanAccuracy.n} tasks`;
      printLine(
        `\nmean acc ${show(meanAccuracy)} over ${count}, ${show(aboveChance)} of the way from guessing to perfect`,
      );
    }
    for (const { task, overlong } of results.filter((result) => result.overlong > 0)) {
      const what = overlong === 1 ? "1 continuation is" : `${overlong} continuations are`;
      printLine(
        `${task}: ${what} longer than ${opened.model.maxLength} tokens and scored in windows; lm-eval refuses these`,
      );
    }
    printLine(`${profile.name}, ${summarizeModel(opened)}`);
    const found = countFound();
    if (found > 0) printLine(`${found} ${found === 1 ? "request" : "requests"} from an earlier run`);
    for (const warning of warnings) printNote(`Note: ${warning}`);
  };
}

const phases = { encode: "encoding", score: "scoring", bootstrap: "resampling" };

/** Resamples for the error of a perplexity, as lm-eval's default. */
const bootstrapIterations = 100_000;

/** The texts in a document's fields, for a try of the tokenizer. */
function listTexts(document: Document): string[] {
  return Object.values(document).flatMap((value) =>
    typeof value === "string" ? [value] : Array.isArray(value) ? value.filter((one) => typeof one === "string") : [],
  );
}

/** @throws InputError if a file could not be written there, before hours are spent on what it should hold */
async function checkOutput(path: string): Promise<void> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) throw new InputError(`--output ${path} is a folder; name a file.`);
  const folder = dirname(path);
  if (!(await stat(folder).catch(() => undefined))) {
    throw new InputError(`--output ${path} cannot be written: there is no folder ${folder}.`);
  }
}
