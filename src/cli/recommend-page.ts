// An advice as data: what `kbit recommend --json` prints; recommend-text.ts prints it for people.

import { formulaOf } from "../scaling/laws/law.ts";
import type { Option, Recommendation } from "../scaling/recommend.ts";
import { formatRuns } from "./recommend-command.ts";

function summarizeOption(one: Option, metricName: string) {
  const {
    name,
    family,
    spec,
    bitsPerWeight,
    bytes,
    value,
    interval,
    source,
    needed,
    headerBytes,
    fileBytes,
    cacheBytes,
    workspaceBytes,
    tokensPerSecond,
    speedSource,
  } = one;
  const metric = { name: metricName, value };
  return {
    model: name,
    family,
    spec,
    bitsPerWeight,
    bytes,
    metric,
    interval,
    source,
    needed,
    headerBytes,
    fileBytes,
    cacheBytes,
    workspaceBytes,
    tokensPerSecond,
    speedSource,
  };
}

/** The advice as data. */
export function summarizeAdvice(
  {
    metric,
    task,
    criterion,
    budget,
    best,
    alternatives,
    frontier,
    nextExperiment,
    noExperiment,
    nextLarger,
    precision,
    optimism,
    answer,
    assumptions,
    details,
    laws,
  }: Recommendation,
  db: string,
) {
  const name = metric.logarithm ? `ln ${metric.name}` : metric.name;
  const beside = nextExperiment?.beside ?? null;
  const of = (one: Option) => summarizeOption(one, name);
  return {
    budget,
    task,
    criterion,
    answer,
    best: best && { ...of(best), optimism },
    alternatives: alternatives.map((one) => ({
      ...of(one),
      difference: one.difference,
      differenceInterval: one.differenceInterval,
    })),
    frontier: frontier.map((one) => ({ ...of(one), fits: one.fits })),
    nextExperiment: nextExperiment && {
      model: nextExperiment.candidate.name,
      spec: nextExperiment.candidate.spec,
      task,
      chance: nextExperiment.chance,
      expectedGain: nextExperiment.expectedGain,
      reason: nextExperiment.reason,
      beside: beside && { model: beside.name, spec: beside.spec },
      command: formatRuns(nextExperiment, db)?.join(" && ") ?? null,
    },
    noExperiment,
    nextLarger,
    precision,
    assumptions,
    details,
    laws: laws.map(({ family, choice, whyNot }) => ({
      family,
      whyNot,
      law: choice?.best.law.name,
      residuals: choice?.best.fit.observations.map(({ row, loss }, i) => {
        const residual = choice.best.fit.residuals[i];
        return {
          model: row.model.name,
          spec: row.key.spec,
          measured: loss,
          fitted: loss * Math.exp(-residual),
          residual,
        };
      }),
      candidates: choice?.candidates.map(({ law, fit, heldOutError, heldOutErrorOfSize, problems }) => {
        const parameters = fit && Object.fromEntries(fit.parameters.map((one) => [one.name, one.value]));
        return {
          law: law.name,
          formula: fit ? formulaOf(law, fit.design) : law.formula,
          source: law.source,
          parameters,
          heldOutError,
          heldOutErrorOfSize,
          problems,
        };
      }),
    })),
  };
}
