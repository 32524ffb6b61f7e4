// Checks of claims that relate two measurements of the same model and spec: loss and accuracy, bits and latency.

import type { ResultRow } from "../../result.ts";
import { intervalOf } from "../contrast.ts";
import { estimateMeanEffect } from "../effect.ts";
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

/** Exponents of bits in latency that count as proportional. */
const proportional = [0.7, 1.3] as const;

/** At small batches the time a token is proportional to the model's bits; rows must carry `latencyMs`, at batch 1. */
export function checkLatency(frame: Frame): Finding {
  const timed = frame.allRows.filter((row) => (row.metrics["latencyMs"]?.value ?? 0) > 0);
  const slopes = [...groupBy(timed, modelKey).values()].flatMap((rows) => {
    const x = rows.map((row) => Math.log(row.bits.total));
    const y = rows.map((row) => Math.log(row.metrics["latencyMs"].value));
    const varies = new Set(x).size > 2;
    return varies
      ? [
          {
            size: rows[0].model.parameters,
            value: (pearson(x, y) * Math.sqrt(varianceOf(y))) / Math.sqrt(varianceOf(x)),
            parts: [],
          },
        ]
      : [];
  });
  if (slopes.length === 0)
    return lackEvidence(
      "No model has latencyMs, the time of a token at batch 1, at three precisions or more.",
      "exponent",
    );
  const estimate = estimateMeanEffect(slopes, frame.metric);
  const interval = intervalOf(estimate);
  const what = `ln latency over ln bits: slope ${formatNumber(estimate.value)}`;
  if (interval === null)
    return { ...lackEvidence(`${what}; an interval needs three models.`, "exponent"), effect: estimate.value };
  const [low, high] = interval;
  const isOutside = high < proportional[0] || low > proportional[1];
  const verdict =
    low > proportional[0] && high < proportional[1] ? "holds" : isOutside ? "does not hold" : "not enough evidence";
  return {
    verdict,
    effect: estimate.value,
    interval,
    unit: "exponent",
    reason: `${what} [${formatNumber(low)}, ${formatNumber(high)}]; 0.7 to 1.3 is proportional.`,
  };
}
