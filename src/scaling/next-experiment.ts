// Which single experiment would most likely change a recommendation: the one with the largest expected gain.
// What an experiment would give is as uncertain as its prediction; one that was done on a part of the data can be done on all.

import { type Candidate, measureDifference } from "./candidates.ts";
import { isMix } from "./facets.ts";
import { hasLostDocuments } from "./mean-row.ts";
import { advantage, type MetricFacts } from "./metrics.ts";
import { normalProbability } from "./statistics.ts";
import { isPartial, type WholeReader } from "./whole.ts";

/** An experiment that is worth doing. */
export interface NextExperiment {
  readonly candidate: Candidate;
  /** What must be measured too, for the candidate to be compared with something. */
  readonly beside: Candidate | null;
  /** Probability that it changes the recommendation. */
  readonly chance: number;
  /** By how much the chosen value is expected to improve for it, in the metric's unit. */
  readonly expectedGain: number;
  /** One sentence. */
  readonly reason: string;
}

/** The experiment, or why none is worth doing. */
export interface ExperimentChoice {
  readonly experiment: NextExperiment | null;
  /** A sentence where experiments are possible and none is worth it. */
  readonly whyNone: string | null;
}

/**
 * An experiment is worth doing if it is expected to improve the choice by at least this share of the standard error that the
 * value of the best has anyway: other documents of the same kind move that by ten times as much.
 */
const worthwhileShare = 0.1;

/**
 * The experiment of largest expected gain, `E max(0, d)` with `d` normal: for a prediction, how much better it may be
 * than the best; for a best that is a prediction, how much worse than the next; for a measurement on a part of the data, how
 * much better it may be than the best on all of it, with the best measured beside it unless both were. A gain that is small
 * beside the error of the value is not worth it, except where the best itself is a prediction, which is always worth
 * measuring. A mix is never measured again: no row says what its map is. Nor are results that lost their documents: with
 * these they may be told apart as they are.
 *
 * @param candidates - those that fit, the recommended one first
 */
export function chooseNextExperiment(
  candidates: readonly Candidate[],
  metric: MetricFacts,
  readWhole: WholeReader,
): ExperimentChoice {
  const options = listExperiments(candidates, metric, readWhole);
  const best = options.reduce<NextExperiment | null>(
    (a, b) => (a === null || b.expectedGain > a.expectedGain ? b : a),
    null,
  );
  const [first] = candidates;
  if (best === null) {
    const isLost = first !== undefined && isPartial(first) && hasLostDocuments(first.row);
    return {
      experiment: null,
      whyNone: isLost ? "Without documents it cannot be told what is worth measuring next." : null,
    };
  }
  const noise = candidates.find(({ source }) => source === "measured")?.standardError ?? 0;
  const isCheck = options.find(({ candidate }) => candidate === first && first.source === "predicted");
  if (best.chance >= 1e-3 && best.expectedGain >= worthwhileShare * noise) return { experiment: best, whyNone: null };
  if (isCheck) return { experiment: isCheck, whyNone: null };
  const { name, spec } = best.candidate;
  const [gain, unit] = [formatSmall(best.expectedGain), metric.unit && ` ${metric.unit}`];
  const whyNone = `No experiment is worth its time: the most promising, ${name} at ${spec}, is expected to improve the ${metric.label} by ${gain}${unit}, and the value itself is only known to ${formatSmall(noise)} (standard error).`;
  return { experiment: null, whyNone };
}

/** All that could be measured, with what it is expected to gain. */
function listExperiments(
  candidates: readonly Candidate[],
  metric: MetricFacts,
  readWhole: WholeReader,
): NextExperiment[] {
  const [best, ...others] = candidates;
  if (best === undefined) return [];
  const options = others.flatMap((one): NextExperiment[] => {
    const isOfPart = isPartial(one);
    if (one.standardError === null || !(one.source === "predicted" || isOfPart)) return [];
    if (isOfPart && !(isPartial(best) && [one, best].every(({ row, spec }) => !isMix(spec) && !hasLostDocuments(row))))
      return [];
    const missing = isOfPart ? [one, best].filter((candidate) => readWhole(candidate) === null) : [one];
    if (missing.length === 0) return [];
    const { value, standardError } = measureDifference(metric, one, best);
    const gain = expectGain(value, (isOfPart ? standardError : null) ?? one.standardError);
    const how = !isOfPart
      ? "was not measured; the law predicts it, and it would be the best"
      : missing.length === 2
        ? "and the best so far were measured on a part of the data only; on all of it the former would be better"
        : `${one === missing[0] ? "was" : "is known on all of the data, the best so far was"} measured on a part of the data only; on all of it ${one.name} would be the best`;
    const reason = `${one.name} at ${one.spec} ${how} with a chance of ${percent(gain.chance)}.`;
    return [{ candidate: missing[0], beside: missing[1] ?? null, ...gain, reason }];
  });
  if (best.source === "predicted" && best.standardError !== null) {
    const measured = others.find((one) => one.source === "measured");
    if (measured === undefined)
      options.push({
        candidate: best,
        beside: null,
        chance: 1,
        expectedGain: 0,
        reason: `${best.name} at ${best.spec} is the best by prediction only.`,
      });
    else {
      const gain = expectGain(advantage(metric, measured.value, best.value), best.standardError);
      options.push({
        candidate: best,
        beside: null,
        ...gain,
        reason: `The best is a prediction; measured, it would lose to ${measured.name} at ${measured.spec} with a chance of ${percent(gain.chance)}.`,
      });
    }
  }
  return options;
}

function expectGain(mean: number, error: number): { chance: number; expectedGain: number } {
  if (!(error > 0)) return { chance: mean > 0 ? 1 : 0, expectedGain: Math.max(0, mean) };
  const z = mean / error;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const chance = normalProbability(z);
  return { chance, expectedGain: mean * chance + error * density };
}

function percent(share: number): string {
  return share < 0.01 ? "less than 1 %" : `${Math.round(100 * share)} %`;
}

function formatSmall(value: number): string {
  return value < 1e-5 ? "less than 0.00001" : String(Number(value.toPrecision(2)));
}
