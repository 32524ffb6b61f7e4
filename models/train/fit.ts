// Loss against size, from the logs of training: the power law of each family, its residuals, the noise of seeds, and the
// effect of more training. Prints the tables, writes them into docs/families.md and draws docs/images/families.svg.
//
//     node models/train/fit.ts
//
// The fit is that of src/scaling, with nothing quantized in it; run again when further sizes are collected.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Fit, fitLaw } from "../../src/scaling/fit.ts";
import type { Law, Place } from "../../src/scaling/laws/law.ts";
import type { Observation } from "../../src/scaling/observations.ts";
import { drawFits, type FamilyFit, type TrainedModel } from "./fit-figure.ts";

/** Four deviations between seeds, of ln loss: what lies below is noise to be averaged, not to be cut (Huber). */
const squared = 0.01;

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Size alone: what the laws of src/scaling have as their base. */
const sizeLaw: Law = {
  name: "size",
  label: "size alone",
  formula: "E + A / N^alpha",
  source: "Kaplan et al. 2020, arXiv 2001.08361; Hoffmann et al. 2022, arXiv 2203.15556",
  parameters: () => [],
  loss: (base, _own, { x, y }) => base(x, y),
};

const logs = readdirSync(here("logs/")).filter((file) => !/\.\d+\.jsonl$/.test(file)); // without runs that were begun anew
const models = logs.flatMap(readLog);
const families = ["neox", "llama"].filter((name) => models.some(({ family }) => family === name));
const sizes = models.filter(({ kind }) => kind === "size");
const fits = families.map((family) => fitFamily(family, sizes));
const text = [...fits.flatMap(describeFit), ...describeSeeds(), ...describeAmounts()].join("\n");
console.log(text);
writeFileSync(here("../../docs/images/families.svg"), drawFits(fits));
const page = here("../../docs/families.md");
writeFileSync(
  page,
  readFileSync(page, "utf8").replace(/(?<=<!-- fit -->\n).*?(?=<!-- end of fit -->)/s, () => `${text}\n`),
);

/** The model of a log, if its run ended. */
function readLog(file: string): TrainedModel[] {
  const lines = readFileSync(here(`logs/${file}`), "utf8")
    .trim()
    .split("\n");
  const records = lines.map((line) => JSON.parse(line));
  const { run, size, nonEmbedding } = records.find(({ event }) => event === "started" || event === "resumed");
  const finished = records.find(({ event }) => event === "finished");
  if (finished === undefined) return [];
  return [
    {
      name: file.replace(".jsonl", ""),
      family: size.family,
      kind: run.seed !== undefined ? "seed" : run.steps !== undefined ? "amount" : "size",
      size: nonEmbedding,
      tokens: finished.tokens,
      loss: finished.heldoutLoss,
    },
  ];
}

/** A family's sizes, and the law if there are enough of them for its three parameters. */
function fitFamily(family: string, all: readonly TrainedModel[]): FamilyFit {
  const own = all.filter((model) => model.family === family).sort((a, b) => a.size - b.size);
  if (own.length < 4) return { family, models: own, law: null };
  const fit = fitLaw(own.map(observe), sizeLaw, { smallestThreshold: squared });
  const value = (name: string) => parameterOf(fit, name);
  const alpha = value("alpha");
  const without = own.length < 5 ? [] : own.map((left) => fitOthers(own, left));
  const spread = (name: string) => jackknife(without.map((one) => parameterOf(one, name)));
  return {
    family,
    models: own,
    law: {
      E: value("E"),
      A: Math.exp(value("ln A0") + alpha * Math.log(fit.design.size)),
      alpha,
      errors: without.length === 0 ? null : { E: spread("E"), alpha: spread("alpha") },
      predictions: without.map((one, i) => one.predict(placeOf(own[i].size))),
      atBound: fit.parameters.filter((one) => one.atBound).map((one) => one.name),
      predict: (size) => fit.predict(placeOf(size)),
      residuals: fit.residuals,
    },
  };
}

function fitOthers(all: readonly TrainedModel[], left: TrainedModel): Fit {
  const others = all.filter((model) => model !== left).map(observe);
  return fitLaw(others, sizeLaw, { smallestThreshold: squared });
}

function parameterOf(fit: Fit, name: string): number {
  return fit.parameters.find((one) => one.name === name)!.value;
}

/** The standard error of a parameter, from its values without one model each. */
function jackknife(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt((squares * (values.length - 1)) / values.length);
}

function placeOf(size: number): Place {
  return { size, bits: 16, variant: "", block: 64 };
}

// A law asks for nothing of the row behind an observation.
function observe({ name, size, tokens, loss }: TrainedModel): Observation {
  return { ...placeOf(size), tokens, model: name, loss, standardError: null } as Observation;
}

function describeFit({ family, models: own, law }: FamilyFit): string[] {
  const title = law
    ? `**${family}**: loss = ${law.E.toFixed(2)} + ${law.A.toFixed(2)} / N^${law.alpha.toFixed(3)}, N the parameters outside the embedding.`
    : `**${family}**: ${own.length} of seven sizes are trained; a fit of three parameters needs four.`;
  const errors = law?.errors
    ? [`Standard errors: E ${law.errors.E.toFixed(2)}, exponent ${law.errors.alpha.toFixed(3)}.`]
    : [];
  const bound = law && law.atBound.length > 0 ? [`${law.atBound.join(", ")} stands at the end of its range.`] : [];
  const rows = own.map(({ name, size, loss }, i) => {
    const fitted = law ? law.predict(size).toFixed(4) : "";
    const left = law?.predictions[i];
    const misses = [law?.residuals[i], left && Math.log(loss / left)].map((one) =>
      one === undefined ? "" : percent(one),
    );
    return `| ${name} | ${size.toLocaleString("en")} | ${loss.toFixed(4)} | ${fitted} | ${misses.join(" | ")} |`;
  });
  const head = [
    "| model | N | held-out loss | fitted | residual | of the fit to the others |",
    "|---|---|---|---|---|---|",
  ];
  return [[title, ...errors, ...bound].join(" "), "", ...head, ...rows, ""];
}

/** A residual of ln loss. */
function percent(residual: number): string {
  return `${residual < 0 ? "−" : "+"}${Math.abs(100 * residual).toFixed(2)} %`;
}

function describeSeeds(): string[] {
  const rows = families.flatMap((family) => {
    const seeded = models.filter((model) => model.family === family && model.kind === "seed");
    if (seeded.length === 0) return [];
    const group = [...sizes.filter((one) => one.family === family && one.size === seeded[0].size), ...seeded];
    const losses = group.map(({ loss }) => loss);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const deviation = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / (losses.length - 1));
    const shown = losses.map((loss) => loss.toFixed(4)).join(", ");
    return [
      `| ${group[0].name} | ${losses.length} | ${shown} | ${deviation.toFixed(4)} (${((100 * deviation) / mean).toFixed(2)} %) |`,
    ];
  });
  if (rows.length === 0) return ["Seeds: not trained yet.", ""];
  return ["| seeds of | runs | held-out loss | standard deviation |", "|---|---|---|---|", ...rows, ""];
}

function describeAmounts(): string[] {
  const rows = families.flatMap((family) => {
    const others = models.filter((model) => model.family === family && model.kind === "amount");
    const base = sizes.filter((one) => one.family === family && one.size === others[0]?.size);
    const group = [...base, ...others].sort((a, b) => a.tokens - b.tokens);
    return others.length === 0
      ? []
      : group.map(({ name, tokens, loss }) => `| ${name} | ${(tokens / 1e6).toFixed(1)} M | ${loss.toFixed(4)} |`);
  });
  if (rows.length === 0) return ["Amounts of training: not trained yet."];
  return ["| amounts of training | tokens | held-out loss |", "|---|---|---|", ...rows];
}
