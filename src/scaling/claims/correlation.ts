// The check of the claim that relates loss and accuracy of the same models and specs.

import type { ResultRow } from "../../result.ts";
import { averageAccuracies } from "../mean-accuracy.ts";
import { findMetric, readMetric } from "../metrics.ts";
import { groupBy, modelKey } from "../series.ts";
import { meanOf, pearson, spearman, tQuantile, varianceOf } from "../statistics.ts";
import type { Frame } from "./frame.ts";
import { type Finding, formatNumber, lackEvidence } from "./verdict.ts";

/** A correlation of at most this counts as close. The paper found -0.94. */
const closeCorrelation = -0.8;

/** Over models and specs, the loss on a text goes down as the mean accuracy on tasks goes up. */
export function checkCorrelation(frame: Frame): Finding {
  const pairs = pairWithAccuracy(frame);
  const models = [...groupBy(pairs, (one) => one.model).values()];
  const what = "Loss against mean zero-shot accuracy";
  if (frame.metric.better !== "lower") return lackEvidence("No loss on a text was measured.", "");
  if (pairs.length < 4)
    return lackEvidence("Fewer than four specs have both a loss on a text and an accuracy on tasks.", "");
  const correlate = (some: typeof pairs) =>
    pearson(
      some.map((one) => one.loss),
      some.map((one) => one.accuracy),
    );
  const effect = correlate(pairs);
  const ranks = spearman(
    pairs.map((one) => one.loss),
    pairs.map((one) => one.accuracy),
  );
  const seen = `${what}: Pearson ${formatNumber(effect)}, Spearman ${formatNumber(ranks)} over ${pairs.length} specs of ${models.length} models`;
  if (models.length < 3 || !Number.isFinite(effect))
    return {
      ...lackEvidence(`${seen}; an interval needs three models.`, ""),
      effect: Number.isFinite(effect) ? effect : null,
    };
  // Rows of a model are alike: models, not rows, are left out one by one, on Fisher's scale.
  const z = Math.atanh(clip(effect));
  const count = models.length;
  const pseudo = models.map(
    (out) => count * z - (count - 1) * Math.atanh(clip(correlate(pairs.filter((one) => !out.includes(one))))),
  );
  const center = meanOf(pseudo);
  const half = tQuantile(0.975, count - 1) * Math.sqrt(varianceOf(pseudo) / count);
  const interval = [
    Math.min(effect, Math.tanh(Math.min(center, z) - half)),
    Math.max(effect, Math.tanh(Math.max(center, z) + half)),
  ] as const;
  const verdict =
    interval[1] < closeCorrelation ? "holds" : interval[0] > closeCorrelation ? "does not hold" : "not enough evidence";
  const range = `[${formatNumber(interval[0])}, ${formatNumber(interval[1])}]`;
  return {
    verdict,
    effect,
    interval,
    unit: "",
    reason: `${seen}; Pearson's interval ${range}, close is below ${closeCorrelation}.`,
  };
}

interface Pair {
  readonly model: string;
  readonly loss: number;
  readonly accuracy: number;
}

// The mean over all tasks where a family has several; else the one task that it has.
function pairWithAccuracy(frame: Frame): Pair[] {
  const accuracy = findMetric("acc");
  const means = averageAccuracies(frame.allRows);
  const source: readonly ResultRow[] =
    means.length > 0 ? means : frame.allRows.filter((row) => readMetric(row, accuracy) !== undefined);
  const byCell = new Map(source.map((row) => [`${modelKey(row)} ${row.key.spec}`, row]));
  return frame.samples.flatMap((sample): Pair[] => {
    const row = byCell.get(`${sample.model} ${sample.row.key.spec}`);
    const reading = row && readMetric(row, accuracy);
    return reading && Number.isFinite(reading.value)
      ? [{ model: sample.model, loss: sample.loss, accuracy: reading.value }]
      : [];
  });
}

// Fisher's scale has no end; a perfect correlation is taken as one short of it.
function clip(r: number): number {
  const limit = 1 - 1e-12;
  return Math.max(-limit, Math.min(limit, r));
}
