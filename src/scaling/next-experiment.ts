// Which single experiment would most likely change a recommendation: the one with the largest expected gain.
// What an experiment would give is as uncertain as its prediction; one that was done on a part of the data can be done on all.

import { type Candidate, measureDifference } from "./candidates.ts";
import { isMix } from "./facets.ts";
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

/**
 * The experiment of largest expected gain, `E max(0, d)` with `d` normal: for a prediction, how much better it may be
 * than the best; for a best that is a prediction, how much worse than the next; for a measurement on a part of the data, how
 * much better it may be than the best on all of it, with the best measured beside it unless both were. Null where no experiment has a chance of one in a thousand and the best
 * is measured. A mix is never measured again: no row says what its map is.
 *
 * @param candidates - those that fit, the recommended one first
 */
export function chooseNextExperiment(
  candidates: readonly Candidate[],
  metric: MetricFacts,
  readWhole: WholeReader,
): NextExperiment | null {
  const [best, ...others] = candidates;
  if (best === undefined) return null;
  const options = others.flatMap((one): NextExperiment[] => {
    const isOfPart = isPartial(one);
    if (one.standardError === null || !(one.source === "predicted" || isOfPart)) return [];
    if (isOfPart && !(isPartial(best) && [one, best].every(({ spec }) => !isMix(spec)))) return [];
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
  const worthwhile = options.filter(
    (one) => one.chance >= 1e-3 || (one.candidate === best && best.source === "predicted"),
  );
  return worthwhile.reduce<NextExperiment | null>(
    (a, b) => (a === null || b.expectedGain > a.expectedGain ? b : a),
    null,
  );
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
