// Jobs for clusters: scripts that a shell takes, manifests of the right shape, and no password anywhere.

import { execFileSync } from "node:child_process";
import { Command } from "commander";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { emitKubernetes, emitSlurm, listRoots, stripPassword } from "../../src/cli/cluster-job.ts";
import { addWorkerCommand } from "../../src/cli/worker.ts";
import { estimateMemory } from "../../src/study/jobs.ts";
import type { Study } from "../../src/study/study.ts";

const study: Study = {
  name: "My study: k-bit's, grand",
  models: ["/m/opt/opt-125m", "/m/opt/opt-350m", "/m/it's here/b", "facebook/opt-1.3b"].map((path) => ({
    path,
    name: path,
    family: "f",
  })),
  specs: [],
  tasks: [
    { task: "perplexity", data: "/data/texts/wiki.txt", limit: null },
    { task: "piqa", data: "/data/piqa.jsonl", limit: null },
  ],
  notes: [],
};
const db = "postgres://me:s3cret%21@db.example:5433/kbit?sslmode=require&password=0ther";
const options = { db, workers: 12, cores: 8, memory: 16 * 2 ** 30 };

/** What a script would run: its shell, with a kbit that prints its arguments. */
function runScript(script: string): string[] {
  const program = `kbit() { printf '%s\\n' "$@"; }; exec() { "$@"; }; ${script}`;
  return execFileSync("bash", ["-c", program], { encoding: "utf8" }).trimEnd().split("\n");
}

test("a Slurm script is one that bash takes, and runs a worker with whole paths", () => {
  const script = emitSlurm(study, { ...options, time: "2-00:00:00" });
  execFileSync("bash", ["-n"], { input: script });
  expect(script.split("\n")[0]).toBe("#!/usr/bin/env bash");
  const directives = Object.fromEntries(
    [...script.matchAll(/^#SBATCH --([\w-]+)(?:=(.*))?$/gm)].map(([, key, value]) => [key, value]),
  );
  expect(directives).toMatchObject({
    array: "1-12",
    "cpus-per-task": "8",
    mem: "16384M",
    time: "2-00:00:00",
    "job-name": "kbit-my-study-k-bit-s-grand",
    signal: "B:TERM@120",
  });
  expect(runScript(script)).toEqual([
    "worker",
    "--db",
    "postgres://me@db.example:5433/kbit?sslmode=require",
    "--until-done",
    "--workers",
    "8",
    "--memory",
    "14745MiB",
    "--models",
    "/m/it's here",
    "/m/opt",
    "--data",
    "/data",
  ]);
});

test("kbit worker takes every argument that is written", () => {
  const program = new Command();
  addWorkerCommand(program);
  const [worker] = program.commands;
  const [, ...args] = runScript(emitSlurm(study, { ...options, time: "1:00" }));
  expect(worker.parseOptions(args)).toEqual({ operands: [], unknown: [] });
  expect(worker.opts()).toMatchObject({
    untilDone: true,
    workers: 8,
    models: ["/m/it's here", "/m/opt"],
    data: ["/data"],
  });
});

test("a Kubernetes manifest is an indexed Job that takes its password from a secret", () => {
  const manifest = emitKubernetes(study, {
    ...options,
    image: "registry/kbit:1",
    secret: "database",
    claim: "models",
    mount: "/study",
  });
  const job = parse(manifest);
  expect([job.apiVersion, job.kind, job.metadata.name]).toEqual(["batch/v1", "Job", "kbit-my-study-k-bit-s-grand"]);
  expect(job.spec).toMatchObject({ completionMode: "Indexed", completions: 12, parallelism: 12 });
  const { containers, volumes, restartPolicy } = job.spec.template.spec;
  expect(restartPolicy).toBe("Never"); // as backoffLimitPerIndex and podFailurePolicy want it
  expect(containers).toHaveLength(1);
  const [{ command, args, env, resources, volumeMounts }] = containers;
  expect([...command, ...args].slice(0, 5)).toEqual([
    "kbit",
    "worker",
    "--db",
    "postgres://me@db.example:5433/kbit?sslmode=require",
    "--until-done",
  ]);
  expect(args.slice(-4)).toEqual(["--models", "/study", "--data", "/study"]);
  expect(args.every((argument: unknown) => typeof argument === "string")).toBe(true);
  expect(env).toEqual([{ name: "PGPASSWORD", valueFrom: { secretKeyRef: { name: "database", key: "password" } } }]);
  expect(resources).toEqual({ requests: { cpu: 8, memory: "16384Mi" }, limits: { memory: "16384Mi" } });
  expect(volumeMounts).toEqual([{ name: "study", mountPath: "/study", readOnly: true }]);
  expect(volumes).toEqual([{ name: "study", persistentVolumeClaim: { claimName: "models", readOnly: true } }]);
});

test("no password is written, wherever in the address it stood", () => {
  const kubernetes = { image: "i", secret: "s", claim: "c", mount: "/m" };
  for (const text of [
    emitSlurm(study, { ...options, time: "1:00" }),
    emitKubernetes(study, { ...options, ...kubernetes }),
  ])
    expect(text).not.toMatch(/s3cret|0ther/);
  // A file would bring its line break into the password.
  expect(emitKubernetes(study, { ...options, ...kubernetes })).toContain(
    'printf %s "$PGPASSWORD" | kubectl create secret generic s --from-file=password=/dev/stdin',
  );
  expect(stripPassword("postgres://db/kbit")).toBe("postgres://db/kbit");
});

test("folders are those of models and data, none below another", () => {
  expect(listRoots(study)).toEqual({ models: ["/m/it's here", "/m/opt"], data: ["/data"] });
});

test("what cannot be is refused", () => {
  const kubernetes = { ...options, image: "i", secret: "s", claim: "c", mount: "/m" };
  expect(() => stripPassword("results.db")).toThrow(/--db is no address/);
  expect(() => stripPassword("mysql://me:pw@db/x")).toThrow(/^Workers on many machines share a PostgreSQL/);
  const least = Math.ceil(estimateMemory(0) / 0.9 / 2 ** 20);
  const refused = new RegExp(`is too little: .* say at least ${least}MiB\\.$`);
  expect(() => emitSlurm(study, { ...options, memory: 1, time: "1:00" })).toThrow(refused);
  expect(() => emitKubernetes(study, { ...kubernetes, memory: least * 2 ** 20 - 1 })).toThrow(refused);
  expect(emitSlurm(study, { ...options, memory: least * 2 ** 20, time: "1:00" })).toContain(`--mem=${least}M`);
  expect(() => emitSlurm(study, { ...options, time: "noon; rm -rf /" })).toThrow(/is not a time of Slurm/);
  expect(() => emitKubernetes(study, { ...kubernetes, secret: "Bad Name" })).toThrow(/^--secret Bad Name/);
  expect(() => emitKubernetes(study, { ...kubernetes, mount: "m" })).toThrow(/not an absolute path/);
  expect(() => emitKubernetes(study, { ...kubernetes, mount: "/a:b" })).toThrow(/path without colons/);
  for (const time of ["1440", "90:00", "2-00", "2-00:00:00"])
    expect(emitSlurm(study, { ...options, time })).toContain(`--time=${time}\n`);
});
