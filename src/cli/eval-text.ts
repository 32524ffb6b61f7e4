// kbit eval --text: perplexity of a text.

import { basename } from "node:path";
import type { Convention } from "../evaluate/conventions.ts";
import { measurePerplexity, type PerplexityResult } from "../evaluate/perplexity.ts";
import { findProfile } from "../evaluate/profiles.ts";
import { listTokenizerWarnings, listWindowWarnings } from "../evaluate/warnings.ts";
import { InputError } from "../input-error.ts";
import { formatPlural } from "../report/units.ts";
import { describe, describeFew, fewTokens, summarizeModel } from "./describe-model.ts";
import type { EvalOptions } from "./eval-options.ts";
import type { OpenModel } from "./open-model.ts";
import { readHashedText } from "./read-text.ts";
import { useScoreCache } from "./score-store.ts";
import { createProgress, formatTable, printJson, printLine, printNote } from "./terminal.ts";
import { describeWideRest } from "./wide-note.ts";

/** What limits a perplexity, and what is odd about the model's size. */
function listEvalWarnings(
  { checkpoint, bits, parameters }: OpenModel,
  { tokens, windows }: PerplexityResult,
): string[] {
  const wide = describeWideRest(checkpoint, bits, parameters);
  const single = `A single window was scored, so that there is no standard error; use a longer text, or a smaller --window.`;
  return [
    ...(tokens < fewTokens ? [describeFew(tokens)] : windows.length < 2 ? [single] : []),
    ...(wide === undefined ? [] : [wide]),
  ];
}

/** Reads the text; what is returned measures a model on it. @throws InputError if options or text cannot be used */
export async function prepareText(file: string, options: EvalOptions): Promise<(opened: OpenModel) => Promise<void>> {
  if (options.data !== undefined) throw new InputError("--data goes with --tasks, not with --text.");
  if (options.profile !== undefined && options.convention !== "rolling") {
    throw new InputError("--profile goes with --tasks, or with --text and --convention rolling.");
  }
  if (options.output !== undefined) throw new InputError("--output goes with --tasks, not with --text.");
  const { text, sha256 } = await readHashedText(file);
  return async (opened) => {
    // Only rolling windows leave the tokenizer's own tokens to the profile.
    const special = options.convention === "rolling" ? findProfile(options.profile).special : "default";
    const warnings = listTokenizerWarnings(opened.model, [text], special);
    const { model, countFound, close } = await useScoreCache(opened, options.cache);
    const progress = createProgress(`Perplexity of ${basename(file)}`);
    const started = performance.now();
    const { window, stride, limit, profile } = options;
    const result = await measurePerplexity(model, text, {
      convention: options.convention as Convention | undefined,
      window,
      stride,
      limit,
      profile,
      onProgress: (done, total) => progress.update(done, total, `${done} of ${total} tokens`),
    }).finally(() => {
      progress.finish();
      close();
    });
    warnings.push(
      ...listWindowWarnings(model, result.convention, result.windows.length),
      ...listEvalWarnings(opened, result),
    );
    const seconds = (performance.now() - started) / 1000;
    if (options.json) {
      printJson({
        ...describe(opened),
        text: file,
        sha256,
        limit: limit ?? null,
        ...result,
        warnings,
        cached: countFound(),
        seconds,
      });
      return;
    }
    const { perplexity, nll, bitsPerByte, standardError } = result;
    const row = (name: string, value: number, slope: number) => [
      name,
      value.toFixed(4),
      standardError === undefined ? "" : `± ${(standardError * slope).toFixed(4)}`,
    ];
    const rows = [
      row("perplexity", perplexity, perplexity),
      row("nats a token", nll, 1),
      row("bits a byte", bitsPerByte, bitsPerByte / nll),
      ...(result.wordPerplexity === undefined ? [] : [["word perplexity", result.wordPerplexity.toFixed(4), ""]]),
      ...(result.bytePerplexity === undefined ? [] : [["byte perplexity", result.bytePerplexity.toFixed(4), ""]]),
    ];
    printLine(
      formatTable([{ title: "metric" }, { title: "value", align: "right" }, { title: "standard error" }], rows),
    );
    const found = countFound();
    const speed =
      found === 0
        ? `${Math.round(result.tokens / seconds)} a second`
        : `${found} of ${formatPlural(result.windows.length, "window")} from an earlier run`;
    printLine(`\n${result.convention}, ${result.tokens} tokens scored, ${speed}`);
    printLine(summarizeModel(opened));
    for (const warning of warnings) printNote(`Note: ${warning}`);
  };
}
