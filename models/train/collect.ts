// Takes finished runs from a working folder into the bundle: model folders, a family.json for each family, training logs.
// Run again when further runs finish; what has not changed stays as it is.
//
//     node models/train/collect.ts WORK models
//
// neox, llama: the sizes. neox-seeds, ..: one size with other seeds. neox-amounts, ..: one size at other amounts of training.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A run as recipe.json has it: a size, with another seed or other steps where it says so. */
interface Run {
  readonly size: string;
  readonly seed?: number;
  readonly steps?: number;
}

/** A model of the bundle. */
interface Bundled {
  /** The folder of its own family, such as `neox-seeds`. */
  readonly home: string;
  readonly name: string;
  readonly run: Run;
  readonly trainingTokens: number;
  readonly seed: number;
}

const [work, bundle] = process.argv.slice(2);
if (bundle === undefined) throw new Error("Usage: node models/train/collect.ts WORK models");
const recipe = JSON.parse(readFileSync(new URL("recipe.json", import.meta.url), "utf8"));
const logs = join(bundle, "train/logs");
mkdirSync(logs, { recursive: true });

const models = (recipe.queue as Run[]).map(describe).filter(collect);
for (const family of ["neox", "llama"]) {
  const main = models.filter(({ home }) => home === family);
  if (main.length > 0) writeFamily(family, main);
  for (const kind of ["seeds", "amounts"]) {
    const others = models.filter(({ home }) => home === `${family}-${kind}`);
    if (others.length === 0) continue;
    const same = main.filter(({ run }) => others.some((other) => other.run.size === run.size));
    writeFamily(
      `${family}-${kind}`,
      [...same, ...others].sort((a, b) => a.trainingTokens - b.trainingTokens || a.seed - b.seed),
    );
  }
}

/** Where a run goes and what is said of it. */
function describe(run: Run): Bundled {
  const { training, sizes } = recipe;
  const { family } = sizes[run.size];
  const { seed = training.seed, steps = training.steps } = run;
  const kind = run.seed !== undefined ? "-seeds" : run.steps !== undefined ? "-amounts" : "";
  return {
    home: `${family}${kind}`,
    name: nameRun(run),
    run,
    trainingTokens: steps * training.batch * training.context,
    seed,
  };
}

/** The name that train.py gives it. */
function nameRun({ size, seed, steps }: Run): string {
  return [size, seed !== undefined && `seed${seed}`, steps !== undefined && `steps${steps}`].filter(Boolean).join("-");
}

/** Copies a model and its log, if the run is finished; whether the bundle has it now. */
function collect({ home, name }: Bundled): boolean {
  const from = join(work, "models", name);
  const to = join(bundle, home, name);
  if (!existsSync(join(from, "model.safetensors"))) return existsSync(join(to, "model.safetensors"));
  mkdirSync(to, { recursive: true });
  for (const file of readdirSync(from)) copy(join(from, file), join(to, file));
  // log.jsonl, and log.1.jsonl, .. of runs that were begun anew
  for (const log of readdirSync(join(work, "runs", name)).filter((file) => /^log(\.\d+)?\.jsonl$/.test(file)))
    copy(join(work, "runs", name, log), join(logs, log.replace("log", name)));
  return true;
}

function copy(from: string, to: string): void {
  const bytes = readFileSync(from);
  if (existsSync(to) && readFileSync(to).equals(bytes)) return;
  writeFileSync(to, bytes);
  console.log(to);
}

/** A family.json, in the order of its models. */
function writeFamily(name: string, members: readonly Bundled[]): void {
  const entries = members.map((member) => ({
    folder: member.home === name ? member.name : `../${member.home}/${member.name}`,
    trainingTokens: member.trainingTokens,
    seed: member.seed,
  }));
  const lines = entries.map((entry) => `    ${JSON.stringify(entry).replaceAll(/[:,](?=")|:(?=\d)/g, "$& ")}`);
  const text = `{\n  "name": "${name}",\n  "models": [\n${lines.join(",\n")}\n  ],\n  "heldout": "../families/heldout.txt"\n}\n`;
  const path = join(bundle, name, "family.json");
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  writeFileSync(path, text);
  console.log(path);
}
