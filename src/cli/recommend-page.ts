// An advice as data: what `kbit recommend --json` prints; recommend-text.ts prints it for people.

import { formatCommand } from "../report/command.ts";
import type { Candidate } from "../scaling/candidates.ts";
import { formulaOf } from "../scaling/laws/law.ts";
import type { Option, Recommendation } from "../scaling/recommend.ts";

/**
 * The command that measures a candidate; one that was measured on a part of the data is measured on all of it. None for a
 * model that is known from another tool's results only: where it is, they do not say.
 */
export function commandOf({ row, spec, source }: Candidate): string | null {
  if (row.imported !== undefined) return null;
  const { profile, dataHash } = row.key;
  const task = row.paths?.task ?? row.key.task;
  const limit = source === "measured" ? null : row.key.limit;
  const { model: modelPath = null, data: dataPath = null } = row.paths ?? {};
  return formatCommand({ model: row.model.name, spec, task, profile, limit, dataHash, modelPath, dataPath });
}

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
    cacheBytes,
    workspaceBytes,
    tokensPerSecond,
    speedSource,
  };
}

/** The advice as data. */
export function summarizeAdvice({
  metric,
  task,
  budget,
  best,
  alternatives,
  frontier,
  nextExperiment,
  precision,
  optimism,
  answer,
  assumptions,
  laws,
}: Recommendation) {
  const name = metric.logarithm ? `ln ${metric.name}` : metric.name;
  const of = (one: Option) => summarizeOption(one, name);
  return {
    budget,
    task,
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
      command: commandOf(nextExperiment.candidate),
    },
    precision,
    assumptions,
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
