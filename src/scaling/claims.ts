// Checks the findings of the paper on rows: one answer a claim, from every family that the rows have.
// The claims are data (claims/table.ts); here rows become frames, and the findings of families become one.

import type { ResultRow } from "../result.ts";
import { createFrame, type Frame } from "./claims/frame.ts";
import { type Claim, claims } from "./claims/table.ts";
import { type Finding, lackEvidence, type Verdict } from "./claims/verdict.ts";
import { groupSeries, type Series } from "./series.ts";
import { findUnstable, type StabilityOptions } from "./stability.ts";

/** The answer to one claim. */
export interface ClaimAnswer extends Finding {
  readonly id: string;
  readonly section: string;
  readonly sentence: string;
  readonly needs: string;
  /** One a family where the rows have several. */
  readonly families?: readonly (Finding & { readonly family: string })[];
}

/** How claims are checked. */
export interface ClaimOptions extends StabilityOptions {
  readonly family?: string;
}

/**
 * The answer to each claim of the table. Effects are those of the family with most models among those that decided the
 * verdict. A claim that holds in one family and not in another does not hold.
 */
export function checkClaims(rows: readonly ResultRow[], options: ClaimOptions = {}): ClaimAnswer[] {
  const unstable = new Set(findUnstable(rows, options).map((one) => one.row));
  const stable = rows.filter((row) => !unstable.has(row));
  const frames = chooseSeries(groupSeries(stable, { family: options.family })).map((series) =>
    createFrame(
      series.family,
      series.metric,
      series.rows,
      stable.filter((row) => row.model.family === series.family),
      [...unstable].filter((row) => row.model.family === series.family && row.key.task === series.task),
    ),
  );
  const none = rows.length > 0 && stable.length === 0 ? "All results are unstable." : "There are no results to check.";
  return claims.map((claim) => answerClaim(claim, frames, none));
}

// One a family: its losses on a text if it has any; groupSeries has put the one with most models first.
function chooseSeries(all: readonly Series[]): Series[] {
  const families = [...new Set(all.map((series) => series.family))];
  return families.map((family) => {
    const own = all.filter((series) => series.family === family);
    return own.find((series) => series.metric.better === "lower") ?? own[0];
  });
}

function answerClaim(
  { id, section, sentence, needs, check }: Claim,
  frames: readonly Frame[],
  none: string,
): ClaimAnswer {
  const findings = frames.map((frame) => ({ family: frame.family, ...clean(check(frame)) }));
  const about = { id, section, sentence, needs };
  if (findings.length === 0) return { ...about, ...lackEvidence(none) };
  if (findings.length === 1) {
    const { family: _, ...finding } = findings[0];
    return { ...about, ...finding };
  }
  const which = (verdict: Verdict) => findings.filter((one) => one.verdict === verdict);
  const [against, ours] = [which("does not hold"), which("holds")];
  const { family, ...shown } = against[0] ?? ours[0] ?? findings[0];
  const counted = [
    ["holds in", ours],
    ["does not hold in", against],
    ["not enough evidence in", which("not enough evidence")],
  ] as const;
  const summary = counted
    .flatMap(([words, list]) => (list.length > 0 ? [`${words} ${list.map((one) => one.family).join(", ")}`] : []))
    .join("; ")
    .replace(/^./, (letter) => letter.toUpperCase());
  return { ...about, ...shown, reason: `${summary}. ${family}: ${shown.reason}`, families: findings };
}

function clean(finding: Finding): Finding {
  const { effect } = finding;
  return { ...finding, effect: effect !== null && Number.isFinite(effect) ? effect : null };
}
