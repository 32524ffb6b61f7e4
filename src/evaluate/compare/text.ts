// Two models over one text in lock-step: a tile of logits of each, compared row by row and forgotten.
// Windows are those of conventions.ts; the statistics over tokens stand in tokens.ts, those over windows in paired.ts.

import { InputError } from "../../input-error.ts";
import type { LanguageModel, LogitTile, ScoreRequest } from "../../language-model.ts";
import { planText } from "../conventions.ts";
import { createNotFiniteError } from "../pairs.ts";
import type { PerplexityOptions } from "../perplexity.ts";
import type { TokenPair as Window } from "../profiles.ts";
import { estimatePairs, type Interval } from "./paired.ts";
import { collectTokens, compareRows, type TokenStatistics } from "./tokens.ts";

/** Both models on a text. */
export interface TextComparison extends TokenStatistics {
  /** Convention and its numbers, such as `windows-256-stride-256`. */
  readonly convention: string;
  readonly windows: number;
  /** `ratio` with an interval that takes windows, not tokens, as independent; undefined below `fewestPairs`. */
  readonly ratioInterval: Interval | undefined;
}

/**
 * Compares `other` with `base` on the windows of a text.
 *
 * @throws InputError if the two do not share tokens, or as `measurePerplexity` does
 */
export async function compareOnText(
  base: LanguageModel,
  other: LanguageModel,
  text: string,
  options: PerplexityOptions = {},
): Promise<TextComparison> {
  if (text === "") throw new InputError("The text is empty; give a text with at least two tokens.");
  const window = options.window ?? defaultWindow(base, other, options);
  const plan = planText(base, text, { ...options, window });
  checkSameTokens(base, other, plan.windows, planText(other, text, { ...options, window }).windows);

  const requests: ScoreRequest[] = plan.windows.map(({ context, continuation }) => ({
    context,
    continuations: [continuation],
  }));
  const total = plan.windows.reduce((count, { continuation }) => count + continuation.length, 0);
  const tokens = collectTokens(total);
  const losses = plan.windows.map(() => 0); // nll of other - nll of base
  const baseRows = readRows(base, requests);
  const otherRows = readRows(other, requests);
  try {
    let done = 0;
    for (const [index, { continuation }] of plan.windows.entries()) {
      for (const target of continuation) {
        const pair = compareRows(await takeRow(baseRows), await takeRow(otherRows), target);
        for (const [model, logProb] of [
          [base, pair.baseLogProb],
          [other, pair.logProb],
          [other, pair.divergence],
        ] as const) {
          if (!Number.isFinite(logProb)) throw createNotFiniteError(model, `window ${index + 1} of the text`);
        }
        tokens.add(pair);
        losses[index] += pair.baseLogProb - pair.logProb;
      }
      done += continuation.length;
      options.onProgress?.(done, total);
    }
  } finally {
    await baseRows.tiles.return();
    await otherRows.tiles.return();
  }
  const weights = plan.windows.map(({ continuation }) => continuation.length);
  const interval = estimatePairs(losses, weights);
  return {
    convention: plan.name,
    windows: plan.windows.length,
    ratioInterval: interval && { low: Math.exp(interval.low), high: Math.exp(interval.high) },
    ...tokens.summarize(),
  };
}

/** The window that fits both. */
function defaultWindow(base: LanguageModel, other: LanguageModel, { convention }: PerplexityOptions): number {
  const most = convention === "llama.cpp" ? 512 : convention === "rolling" ? Number.POSITIVE_INFINITY : 2048;
  return Math.min(base.maxLength, other.maxLength, most);
}

function checkSameTokens(
  base: LanguageModel,
  other: LanguageModel,
  baseWindows: readonly Window[],
  otherWindows: readonly Window[],
): void {
  const same = (a: readonly number[], b: readonly number[]) =>
    a.length === b.length && a.every((token, i) => token === b[i]);
  const isSame =
    base.vocabularySize === other.vocabularySize &&
    baseWindows.length === otherWindows.length &&
    baseWindows.every(
      ({ context, continuation }, i) =>
        same(context, otherWindows[i].context) && same(continuation, otherWindows[i].continuation),
    );
  if (isSame) return;
  throw new InputError(
    `${base.name} and ${other.name} do not read this text as the same tokens, so their distributions cannot be compared; compare the bits a byte that kbit eval gives for each.`,
  );
}

/** The rows of a model's tiles, one at a time. */
interface Rows {
  readonly tiles: AsyncGenerator<LogitTile, void, undefined>;
  readonly width: number;
  tile: LogitTile | undefined;
  next: number;
}

function readRows(model: LanguageModel, requests: readonly ScoreRequest[]): Rows {
  if (!model.readLogits) throw new InputError(`${model.name} gives no distributions, so it cannot be compared.`);
  return { tiles: model.readLogits(requests), width: model.vocabularySize, tile: undefined, next: 0 };
}

async function takeRow(rows: Rows): Promise<Float32Array> {
  if (!rows.tile || rows.next === rows.tile.rows) {
    const { value } = await rows.tiles.next();
    if (!value) throw new Error("a model gave fewer rows than it was asked for");
    rows.tile = value;
    rows.next = 0;
  }
  const start = rows.next++ * rows.width;
  return rows.tile.logits.subarray(start, start + rows.width);
}
