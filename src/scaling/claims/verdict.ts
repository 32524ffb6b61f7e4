// From estimates to a verdict: holds, does not hold, or not enough evidence. Intervals are of 95 %.
// An effect that is to be there must have its interval on the right side of zero; one that is to be absent must have its
// interval inside what is negligible. Where several must hold at once each is asked at 95 %; where one would refute the
// claim, it must do so at 95 % after a correction for their number (Bonferroni).

import { type Estimate, intervalOf } from "../contrast.ts";

export type Verdict = "holds" | "does not hold" | "not enough evidence";

/** What a check found. */
export interface Finding {
  readonly verdict: Verdict;
  /** In `unit`; null where nothing could be measured. */
  readonly effect: number | null;
  /** 95 %. */
  readonly interval: readonly [number, number] | null;
  readonly unit: string;
  /** One or two sentences: what was compared, and what is missing. */
  readonly reason: string;
  /** The effect to be expected of other models trained alike, where it was also asked of the measured ones alone. */
  readonly alike?: { readonly effect: number; readonly interval: readonly [number, number] };
  /** Of a test, where there is one. */
  readonly pValue?: number;
}

/** An estimate with what it is of. */
export interface Labelled {
  readonly label: string;
  readonly estimate: Estimate;
}

/** Below this a difference is of no practical size: 0.01 nats are 1 % of perplexity; of an error, one point in 100. */
const negligible = 0.01;

/** Nothing can be said, for this reason. */
export function lackEvidence(reason: string, unit = "nats"): Finding {
  return { verdict: "not enough evidence", effect: null, interval: null, unit, reason };
}

/** The claim that every one of the effects is above zero; what is reported is the smallest. */
export function decidePositive(effects: readonly Labelled[], unit: string, what: string): Finding {
  if (effects.length === 0) return lackEvidence(`No model has both sides of this comparison: ${what}.`, unit);
  const known = effects.filter((one) => one.estimate.standardError !== null);
  const least = effects.reduce((a, b) => (b.estimate.value < a.estimate.value ? b : a));
  if (known.length < effects.length) return tooFew(least, unit, what);
  const refuted = known.filter((one) => boundsOf(one.estimate, known.length)[1] < 0);
  const holds = known.every((one) => boundsOf(one.estimate, 1)[0] > 0);
  const shown = refuted.length > 0 ? refuted.reduce((a, b) => (b.estimate.value < a.estimate.value ? b : a)) : least;
  const verdict = holds ? "holds" : refuted.length > 0 ? "does not hold" : "not enough evidence";
  const tail = {
    holds: "the interval is above zero",
    "does not hold": "the interval is below zero",
    "not enough evidence": "the interval includes zero",
  }[verdict];
  return report(
    shown,
    verdict,
    unit,
    `${what}: ${shown.label}${effects.length > 1 && holds ? ", the closest," : ""} ${formatEffect(shown.estimate, unit)}; ${tail}.`,
  );
}

/** The claim that none of the effects is larger than what is negligible; what is reported is the largest. */
export function decideNegligible(
  effects: readonly Labelled[],
  unit: string,
  what: string,
  limit = negligible,
): Finding {
  if (effects.length === 0) return lackEvidence(`No model has both sides of this comparison: ${what}.`, unit);
  const known = effects.filter((one) => one.estimate.standardError !== null);
  const sizeOf = ({ estimate: { value } }: Labelled) => Math.abs(value);
  const largest = effects.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a));
  if (known.length < effects.length) return tooFew(largest, unit, what);
  const inside = known.every((one) => {
    const [low, high] = boundsOf(one.estimate, 1);
    return low > -limit && high < limit;
  });
  const outside = known.filter((one) => {
    const [low, high] = boundsOf(one.estimate, known.length);
    return low > limit || high < -limit;
  });
  const verdict = inside ? "holds" : outside.length > 0 ? "does not hold" : "not enough evidence";
  const shown = outside.length > 0 ? outside.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a)) : largest;
  const tail = {
    holds: `the interval is within ±${limit}`,
    "does not hold": `the interval is beyond ±${limit}`,
    "not enough evidence": `the interval reaches beyond ±${limit} and back`,
  }[verdict];
  return report(
    shown,
    verdict,
    unit,
    `${what}: ${shown.label}${effects.length > 1 ? ", the largest," : ""} ${formatEffect(shown.estimate, unit)}; ${tail}.`,
  );
}

/** A finding about one estimate. */
export function report({ estimate }: Labelled, verdict: Verdict, unit: string, reason: string): Finding {
  return { verdict, effect: estimate.value, interval: intervalOf(estimate), unit, reason };
}

/** The ends of the interval of `1 - 0.05 / tests`. @throws Error without a standard error */
export function boundsOf(estimate: Estimate, tests: number): [number, number] {
  const interval = intervalOf(estimate, 1 - 0.05 / tests);
  if (interval === null) throw new Error("an estimate without an error has no bounds");
  return interval;
}

function tooFew(one: Labelled, unit: string, what: string): Finding {
  const { value } = one.estimate;
  const effect = Number.isFinite(value) ? value : null;
  const seen = effect === null ? "" : `: ${one.label} ${formatNumber(effect)} ${unit}`;
  return {
    verdict: "not enough evidence",
    effect,
    interval: null,
    unit,
    reason: `${what}${seen}; too few models of one family have both sides for an interval.`,
  };
}

function formatEffect(estimate: Estimate, unit: string): string {
  const interval = intervalOf(estimate);
  const range = interval === null ? "" : ` [${formatNumber(interval[0])}, ${formatNumber(interval[1])}]`;
  return `${formatNumber(estimate.value)}${range} ${unit}`.trimEnd();
}

/** Three digits that count. */
export function formatNumber(value: number): string {
  if (Math.abs(value) < 5e-5) return "0";
  return String(Number(value.toPrecision(3)));
}
