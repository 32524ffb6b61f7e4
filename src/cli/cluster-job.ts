// Workers of a study for a cluster: a Slurm array job or a Kubernetes Job of many indices, each of which runs `kbit worker`.
// What is written holds no password: it comes from the environment of the worker, or from a secret of the cluster.

import { dirname, isAbsolute, sep } from "node:path";
import { stringify } from "yaml";
import { InputError } from "../input-error.ts";
import { estimateMemory } from "../study/jobs.ts";
import type { Study } from "../study/study.ts";

/** What is to be run, and how much of it. */
export interface ClusterOptions {
  /** Address of the database; a password in it is left out. */
  readonly db: string;
  readonly workers: number;
  /** Cores of each worker. */
  readonly cores: number;
  /** Bytes of memory of each worker. */
  readonly memory: number;
  /** Folders that hold models and data where the workers run; default: those of the study. */
  readonly roots?: readonly string[];
}

/** The share of a worker's memory that experiments may take. */
const memoryShare = 0.9;

/** Seconds between the signal that a worker must end and its end: it finishes or hands back what it has. */
const graceSeconds = 120;

/** The address without what is secret in it. @throws InputError if it is no address of a PostgreSQL */
export function stripPassword(address: string): string {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new InputError("--db is no address that can be read; expected postgres://USER@HOST:PORT/DATABASE.");
  }
  if (!/^postgres(ql)?:$/.test(url.protocol))
    throw new InputError("Workers on many machines share a PostgreSQL; say --db postgres://USER@HOST:PORT/DATABASE.");
  url.password = "";
  url.searchParams.delete("password");
  return url.href;
}

/** The folders that hold a study's models and data, none below another. */
export function listRoots({ models, tasks }: Study): { readonly models: string[]; readonly data: string[] } {
  const data = tasks.flatMap((task) => ("data" in task && task.data ? [task.data] : []));
  return { models: outermost(models.map(({ path }) => path)), data: outermost(data) };
}

function outermost(paths: readonly string[]): string[] {
  const folders = [...new Set(paths.filter((path) => isAbsolute(path)).map((path) => dirname(path)))].sort();
  return folders.filter((folder) => !folders.some((other) => other !== folder && folder.startsWith(other + sep)));
}

/** The arguments of a worker. */
function listArguments(study: Study, { db, cores, memory, roots }: ClusterOptions): string[] {
  const least = Math.ceil(estimateMemory(0) / memoryShare / 2 ** 20);
  if (memory < least * 2 ** 20)
    throw new InputError(
      `--memory of ${memory} bytes is too little: no experiment of any model would fit; say at least ${least}MiB.`,
    );
  const own = listRoots(study);
  const { models, data } = roots ? { models: roots, data: roots } : own;
  if (models.length === 0)
    throw new InputError("The study names no model by its path; say where models lie on the workers: --roots FOLDER.");
  const list = (name: string, folders: readonly string[]) => (folders.length > 0 ? [name, ...folders] : []);
  return [
    ...["worker", "--db", stripPassword(db), "--until-done"],
    ...["--workers", String(cores), "--memory", `${Math.floor((memory * memoryShare) / 2 ** 20)}MiB`],
    ...list("--models", models),
    ...list("--data", data),
  ];
}

/** A script for `sbatch`. */
export function emitSlurm(study: Study, options: ClusterOptions & { readonly time: string }): string {
  const { workers, cores, memory, time } = options;
  if (!/^(\d+-)?\d+(:\d{2}){0,2}$/.test(time))
    throw new InputError(`--time ${time} is not a time of Slurm; expected such as 12:00:00 or 2-00:00:00.`);
  const name = nameJob(study);
  const lines = ["kbit", ...listArguments(study, options)].map(quote).join(" ");
  return `#!/usr/bin/env bash
# Workers of a study of kbit. Its experiments are put in the queue once, by "kbit study run STUDY.yaml --db .. --detach";
# then "sbatch" of this file. More may join and any may end at any moment: what one was at goes back into the queue.
# The password of the database comes from PGPASSWORD or ~/.pgpass of whoever submits; it stands nowhere here.
#SBATCH --job-name=${name}
#SBATCH --array=1-${workers}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=${cores}
#SBATCH --mem=${Math.ceil(memory / 2 ** 20)}M
#SBATCH --time=${time}
#SBATCH --signal=B:TERM@${graceSeconds}
#SBATCH --requeue
#SBATCH --output=${name}-%A_%a.log
set -euo pipefail
exec ${lines}
`;
}

/** A text as one word of a shell. */
function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** How the workers run in a Kubernetes cluster. */
export interface KubernetesOptions extends ClusterOptions {
  readonly image: string;
  /** Secret with the key `password`. */
  readonly secret: string;
  /** PersistentVolumeClaim with models and data, and where it is mounted. */
  readonly claim: string;
  readonly mount: string;
}

/** A manifest for `kubectl apply`. */
export function emitKubernetes(study: Study, options: KubernetesOptions): string {
  const { workers, cores, memory, image, secret, claim, mount } = options;
  for (const [option, name] of Object.entries({ secret, claim }))
    if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))
      throw new InputError(
        `--${option} ${name} is not a name of Kubernetes; expected small letters, digits, - and dots.`,
      );
  if (!isAbsolute(mount) || mount.includes(":"))
    throw new InputError(`--mount ${mount} is not an absolute path without colons.`);
  const name = nameJob(study);
  const labels = { "app.kubernetes.io/name": "kbit", "app.kubernetes.io/instance": name };
  const size = `${Math.ceil(memory / 2 ** 20)}Mi`;
  const job = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, labels },
    spec: {
      completionMode: "Indexed",
      completions: workers,
      parallelism: workers,
      backoffLimitPerIndex: 6,
      // A node that is drained is no failure of the worker.
      podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions: [{ type: "DisruptionTarget" }] }] },
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: graceSeconds,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name: "worker",
              image,
              command: ["kbit"],
              args: listArguments(study, { ...options, roots: options.roots ?? [mount] }),
              env: [{ name: "PGPASSWORD", valueFrom: { secretKeyRef: { name: secret, key: "password" } } }],
              resources: { requests: { cpu: cores, memory: size }, limits: { memory: size } },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
              volumeMounts: [{ name: "study", mountPath: mount, readOnly: true }],
            },
          ],
          volumes: [{ name: "study", persistentVolumeClaim: { claimName: claim, readOnly: true } }],
        },
      },
    },
  };
  return `# Workers of a study of kbit. Its experiments are put in the queue once, by "kbit study run STUDY.yaml --db .. --detach".
# The password of the database is the key "password" of the secret ${secret}; it stands nowhere here:
#   printf %s "$PGPASSWORD" | kubectl create secret generic ${secret} --from-file=password=/dev/stdin
${stringify(job, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** A name that clusters take: small letters, digits and hyphens. */
function nameJob({ name }: Study): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, "");
  return plain === "" ? "kbit" : `kbit-${plain}`;
}
