// Checks of claims about the number of bits, at equal total bits, on the kind of spec that a family has most of. They are
// about the models that were measured, with the noise of documents and seeds; where rows carry no documents, about models
// trained alike.

import { testParallel } from "../equal-bits.ts";
import type { Frame } from "./frame.ts";
import {
  boundsOf,
  decideNegligible,
  decidePositive,
  type Finding,
  formatNumber,
  type Labelled,
  lackEvidence,
} from "./verdict.ts";

/** Gap growth over the common range below which curves count as parallel, in the loss's unit. */
const parallelWithin = 0.05;

/** 4 bits have a lower loss than every other precision at equal bits. */
export function checkFourBits(frame: Frame): Finding {
  return compareAll(frame, (bits) => bits !== 4, "4 bits against each other precision at equal bits");
}

/** 4 bits have a lower loss than 3 at equal bits. */
export function checkThreeBits(frame: Frame): Finding {
  return compareAll(frame, (bits) => bits === 3, "4 bits against 3 at equal bits");
}

function compareAll(frame: Frame, isRival: (bits: number) => boolean, what: string): Finding {
  const { unit, kind, whyNot } = frame;
  const equalBits = frame.measured ?? frame.equalBits;
  if (equalBits === undefined) return lackEvidence(whyNot, unit);
  if (!equalBits.precisions.includes(4)) return lackEvidence("No precision of 4 bits was measured.", unit);
  const rivals = equalBits.precisions.filter((bits) => isRival(bits) && equalBits.range(4, bits) !== null);
  if (rivals.length === 0) return lackEvidence("No other precision was measured around the same budgets.", unit);
  if (isRival(5) && !(rivals.some((bits) => bits < 4) && rivals.some((bits) => bits > 4)))
    return lackEvidence("Fewer bits than 4 or more than 4 were not measured around the same budgets.", unit);
  const effects = rivals.map(
    (bits): Labelled => ({ label: `over ${bits} bits`, estimate: equalBits.meanAdvantage(4, bits) }),
  );
  const found = decidePositive(effects, unit, `${what} (${kind})`);
  const finding = addAlike(frame, found, () =>
    rivals.map((bits) => ({ label: `over ${bits} bits`, estimate: frame.equalBits!.meanAdvantage(4, bits) })),
  );
  const broken = frame.unstable.filter((row) => isRival(row.bitsPerWeight)).length;
  if (broken === 0) return finding;
  return {
    ...finding,
    reason: `${finding.reason} Unstable runs of rivals were left out (${broken}), which favours them.`,
  };
}

/** Above 3 bits the gap to 16 bits is the same at every budget; 3 bits depart from that. */
export function checkParallel(frame: Frame): Finding {
  const { unit, kind, whyNot } = frame;
  const equalBits = frame.measured ?? frame.equalBits;
  if (equalBits === undefined) return lackEvidence(whyNot, unit);
  const upper = equalBits.precisions.filter((bits) => bits >= 4);
  if (upper.length < 3) return lackEvidence("Fewer than three precisions of 4 bits and more were measured.", unit);
  const { pValue, growths } = testParallel(equalBits, upper);
  const effects = growths.map(({ bits, growth }): Labelled => ({ label: `of ${bits} bits`, estimate: growth }));
  const reference = upper[upper.length - 1];
  const what = `Growth of the gap to ${reference} bits over the budgets both have (${kind})`;
  const finding = decideNegligible(effects, unit, what, parallelWithin);
  const reason = `${finding.reason} Parallel curves: p ${pValue < 1e-4 ? "< 0.0001" : `= ${formatNumber(pValue)}`}.`;
  if (finding.verdict !== "holds" || equalBits.range(3, 4) === null) return { ...finding, pValue, reason };
  const three = equalBits.growth([3], 4);
  if (three.standardError === null) return { ...finding, pValue, reason };
  const [low, high] = boundsOf(three, 1);
  const departs = low > 0 || high < 0;
  return { ...finding, pValue, reason: `${reason} 3 bits ${departs ? "depart from it" : "do not depart from it"}.` };
}

/** Beside what holds of the models that were measured: the smallest advantage to be expected of others trained alike. */
function addAlike(frame: Frame, finding: Finding, list: () => Labelled[]): Finding {
  if (frame.measured === undefined || frame.equalBits === undefined) return finding;
  const known = list().filter(({ estimate }) => estimate.standardError !== null && Number.isFinite(estimate.value));
  if (known.length === 0) return finding;
  const least = known.reduce((a, b) => (b.estimate.value < a.estimate.value ? b : a));
  const [low, high] = boundsOf(least.estimate, 1);
  const range = `[${formatNumber(low)}, ${formatNumber(high)}]`;
  const seeds = frame.measured.hasSeeds ? " and of seeds" : "";
  return {
    ...finding,
    alike: { effect: least.estimate.value, interval: [low, high] },
    reason: `${finding.reason} That is of these models, with the noise of documents${seeds}; by a law for others trained alike ${least.label} ${formatNumber(least.estimate.value)} ${range}.`,
  };
}
