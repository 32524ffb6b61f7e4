// Chooses a law by cross-validation: every model is held out once, and predicted from the others.
// What failed to fit is kept and shown; the winner is the law that predicts best, of equals the one with fewest parameters.

import { InputError } from "../input-error.ts";
import { type Fit, fitLaw } from "./fit.ts";
import { tokensVary } from "./laws/design.ts";
import type { Law } from "./laws/law.ts";
import { laws } from "./laws/laws.ts";
import type { Observation } from "./observations.ts";
import { isPicked } from "./random.ts";
import { groupBy } from "./series.ts";
import { keepMostTrained } from "./training.ts";

/** A law as it did. */
export interface Candidate {
  readonly law: Law;
  /** Undefined where the law could not be fitted at all. */
  readonly fit?: Fit;
  /**
   * Root mean square error of ln loss on models that were held out, given the model's row of most bits: what the law
   * says of quantization. Null with fewer than four models.
   */
  readonly heldOutError: number | null;
  /** The same with nothing known of the model that is held out. */
  readonly heldOutErrorOfSize: number | null;
  /** What is wrong with the fit, a sentence each. */
  readonly problems: readonly string[];
}

/** The choice. */
export interface LawChoice {
  readonly best: Candidate & { readonly fit: Fit };
  /** All, the best first, those that could not be fitted last. */
  readonly candidates: readonly Candidate[];
}

/** Laws whose held-out errors differ by less than this factor are equals. */
const equalWithin = 1.05;

/**
 * Fits and compares laws. Where tokens of training do not vary by themselves, only the models of most tokens of a size are
 * fitted. Of many results the law is chosen by some, and fitted to all.
 *
 * @throws InputError where none can be fitted, with the reason
 */
export function selectLaw(observations: readonly Observation[], candidates: readonly Law[] = laws): LawChoice {
  const precisions = new Set(observations.map((one) => one.bits));
  if (precisions.size === 1)
    throw new InputError(`A law needs at least 2 precisions; all results are at ${[...precisions][0]} bits.`);
  const models = [...new Map(observations.map((one) => [one.model, one])).values()];
  const usableRows = tokensVary(models) ? observations : keepMostTrained(observations, (one) => one.row);
  const some = thinOut(usableRows);
  const tried = candidates.map((law) => tryLaw(some, law));
  const fitted = tried.filter((one): one is Candidate & { fit: Fit } => one.fit !== undefined);
  if (fitted.length === 0) throw new InputError(tried[0].problems[0]);
  const errorOf = (one: Candidate) => one.heldOutError ?? Number.POSITIVE_INFINITY;
  const usable = fitted.filter((one) => one.fit.converged);
  const pool = usable.length > 0 ? usable : fitted;
  const least = Math.min(...pool.map(errorOf));
  const equals = pool.filter((one) => errorOf(one) <= least * equalWithin || least === Number.POSITIVE_INFINITY);
  const best = equals.reduce((a, b) => (b.fit.theta.length < a.fit.theta.length ? b : a));
  const others = tried.filter((one) => one !== best);
  others.sort((a, b) => Number(a.fit === undefined) - Number(b.fit === undefined) || errorOf(a) - errorOf(b));
  const whole = some.length < usableRows.length ? { ...best, fit: fitLaw(usableRows, best.law) } : best;
  return { best: whole, candidates: [whole, ...others] };
}

/** Results that laws are chosen by; of many more the time would grow and the choice would not change. */
const enough = 400;

// Evenly over the whole; of a baseline or a variant with few results all.
function thinOut(observations: readonly Observation[]): readonly Observation[] {
  if (observations.length <= 1.5 * enough) return observations;
  const counts = new Map<string, number>();
  const kindOf = ({ variant, bits }: Observation) => `${variant} ${bits}`;
  for (const one of observations) counts.set(kindOf(one), (counts.get(kindOf(one)) ?? 0) + 1);
  const share = enough / observations.length;
  return observations.filter((one, i) => counts.get(kindOf(one))! < 12 || isPicked(i, share));
}

function tryLaw(observations: readonly Observation[], law: Law): Candidate {
  let fit: Fit;
  try {
    fit = fitLaw(observations, law);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { law, heldOutError: null, heldOutErrorOfSize: null, problems: [error.message] };
  }
  return { law, fit, ...holdOut(observations, fit), problems: findProblems(fit) };
}

/** What is wrong with a fit, a sentence each; none if nothing is. */
function findProblems(fit: Fit): string[] {
  const problems: string[] = [];
  if (!fit.converged) problems.push("The optimizer did not converge.");
  const bound = fit.parameters.filter((one) => one.atBound).map((one) => one.name);
  if (bound.length > 0) problems.push(`At the end of the range searched, so not determined: ${bound.join(", ")}.`);
  if (fit.starts > 1 && fit.agreeing < 2) problems.push(`Only 1 of ${fit.starts} starts found this optimum.`);
  const scale = Math.sqrt(fit.noise.own + fit.noise.shared);
  const far = fit.residuals.filter((r) => Math.abs(r) > 4 * scale).length;
  if (far > 0) problems.push(`${far} of ${fit.residuals.length} residuals are beyond four deviations.`);
  if (fit.noise.sharedDegrees < 1) problems.push("Three models fix the base exactly: there are no intervals.");
  else if (fit.noise.ownDegrees < 1) problems.push("As many parameters as results: there are no intervals.");
  return problems;
}

function holdOut(observations: readonly Observation[], fit: Fit) {
  const models = groupBy(observations, (one) => one.model);
  if (models.size < 4) return { heldOutError: null, heldOutErrorOfSize: null };
  let anchored = 0;
  let anchoredRows = 0;
  let plain = 0;
  for (const [model, held] of models) {
    const rest = observations.filter((one) => one.model !== model);
    const without = fitLaw(rest, fit.law, { from: fit });
    const errors = held.map((one) => Math.log(one.loss) - Math.log(without.predict(one)));
    const anchor = held.reduce((most, one, i) => (one.bits > held[most].bits ? i : most), 0);
    plain += errors.reduce((sum, error) => sum + error * error, 0);
    anchored += errors.reduce((sum, error) => sum + (error - errors[anchor]) ** 2, 0);
    anchoredRows += held.length - 1;
  }
  return {
    heldOutError: anchoredRows > 0 ? Math.sqrt(anchored / anchoredRows) : null,
    heldOutErrorOfSize: Math.sqrt(plain / observations.length),
  };
}
