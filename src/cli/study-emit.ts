// kbit study emit: the workers of a study as a job of a cluster, Slurm or Kubernetes.

import { writeFileSync } from "node:fs";
import { Argument, type Command } from "commander";
import { InputError } from "../input-error.ts";
import type { Study } from "../study/study.ts";
import { type ClusterOptions, emitKubernetes, emitSlurm, stripPassword } from "./cluster-job.ts";
import { parseWhole } from "./open-model.ts";
import { parseBytes } from "./size.ts";
import { printJson, printLine, printNote } from "./terminal.ts";

interface EmitOptions {
  readonly db: string;
  readonly workers: number;
  readonly cores: number;
  readonly memory: string;
  readonly roots?: readonly string[];
  readonly time: string;
  readonly image?: string;
  readonly secret: string;
  readonly claim: string;
  readonly mount: string;
  readonly out?: string;
  readonly json?: boolean;
}

/**
 * Adds `kbit study emit`.
 *
 * @param readStudy - reads a study file
 */
export function addEmitCommand(study: Command, readStudy: (path: string) => Study): void {
  study
    .command("emit")
    .description("Write the workers of a study as a job of a cluster; passwords stand in no file.")
    .addArgument(new Argument("<cluster>", "of which kind").choices(["slurm", "kubernetes"]))
    .argument("<study>", "a study file")
    .requiredOption("--db <address>", "the database that the workers share: postgres://USER@HOST:PORT/DATABASE")
    .option("--workers <n>", "workers", parseWhole("--workers"), 16)
    .option("--cores <n>", "cores of each, and experiments that it runs at a time", parseWhole("--cores"), 4)
    .option("--memory <size>", "memory of each", "16GiB")
    .option("--roots <folders...>", "where models and data are on the workers (default: where they are here)")
    .option("--time <limit>", "Slurm: how long each may run", "12:00:00")
    .option("--image <name>", "Kubernetes: an image in which kbit is a command")
    .option("--secret <name>", "Kubernetes: the secret whose key password is the database's", "kbit-database")
    .option("--claim <name>", "Kubernetes: the volume claim with models and data", "kbit-study")
    .option("--mount <folder>", "Kubernetes: where it is mounted", "/study")
    .option("--out <file>", "write it there (default: print it)")
    .option("--json", "print one JSON document: the job's text, or where it is, and what starts it")
    .addHelpText(
      "after",
      `
Examples:
  kbit study emit slurm study.yaml --db postgres://me@db/kbit --workers 100 --out study.slurm
  kbit study emit kubernetes study.yaml --db postgres://me@db/kbit --image registry.example/kbit:1 --out study-job.yaml`,
    )
    .action((cluster: "slurm" | "kubernetes", file: string, options: EmitOptions) =>
      runEmit(cluster, readStudy(file), options),
    );
}

function runEmit(cluster: "slurm" | "kubernetes", study: Study, options: EmitOptions): void {
  const { db, workers, cores, roots, image, secret, claim, mount, time, out } = options;
  const asked: ClusterOptions = { db, workers, cores, memory: parseBytes(options.memory, "--memory"), roots };
  if (cluster === "kubernetes" && image === undefined)
    throw new InputError("--image is missing: an image in which kbit is a command, with its tag.");
  const text =
    cluster === "slurm"
      ? emitSlurm(study, { ...asked, time })
      : emitKubernetes(study, { ...asked, image: image!, secret, claim, mount });
  if (new URL(db).href !== stripPassword(db))
    printNote("The password of --db is not written; the workers take it from PGPASSWORD.");
  if (out !== undefined) writeFileSync(out, text);
  const next = cluster === "slurm" ? `sbatch ${out}` : `kubectl apply -f ${out}`;
  if (options.json) printJson(out === undefined ? { cluster, text } : { cluster, out, next });
  else if (out === undefined) printLine(text.trimEnd());
  else printLine(`${out} is written: enqueue the study with kbit study run, then ${next}.`);
}
