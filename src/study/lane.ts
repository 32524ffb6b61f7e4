// One lane of a worker: a process of its own that runs experiments one after the other, replaced if it dies.
// A process, not a thread: what takes all memory or crashes in native code ends itself alone.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ResultRow } from "../result.ts";
import type { PlannedExperiment } from "./plan.ts";
import type { Roots } from "./roots.ts";

/** What a lane is told at its start. */
export interface LaneOptions {
  /** Kernel set by name; absent: the fastest. */
  readonly kernels?: string;
  /** Threads of the kernels in each lane. */
  readonly threads: number;
  /** Folders that alone are read; absent: every path and the Hub. */
  readonly roots?: Roots;
}

/** Why an experiment failed: by its own input, by something that is not here, by a fault or with its process. */
export type FailureCause = "input" | "absent" | "fault";

/** What a lane says. */
export type LaneAnswer =
  | { readonly kind: "progress"; readonly share: number }
  | { readonly kind: "row"; readonly row: ResultRow }
  | { readonly kind: "failure"; readonly cause: FailureCause; readonly reason: string };

/** How an experiment ended. */
export type Outcome = Exclude<LaneAnswer, { kind: "progress" }> | { readonly kind: "stopped" };

/** Runs experiments one at a time. */
export interface Lane {
  /** Never rejects: a process that dies is an outcome, and the next experiment gets a new one. */
  run(experiment: PlannedExperiment, onProgress: (share: number) => void): Promise<Outcome>;
  /** Ends the process at once; an experiment that it is in the middle of is `stopped`, and so is every later one. */
  close(): Promise<void>;
}

// Beside this file, as TypeScript in the sources and as JavaScript in the package.
const defaultProgram = new URL(
  import.meta.url.endsWith(".ts") ? "./lane-program.ts" : "./lane-program.js",
  import.meta.url,
);

/** What of its surroundings a lane need not know. */
const secrets = ["PGPASSWORD", "PGPASSFILE", "HF_TOKEN"];

/** A lane; its process starts with the first experiment. */
export function createLane(options: LaneOptions, program: URL = defaultProgram): Lane {
  let child: ChildProcess | undefined;
  let finish: ((outcome: Outcome) => void) | undefined; // of the experiment that is running
  let report: (share: number) => void = () => {};
  let isClosed = false;

  function start(): ChildProcess {
    // The Hub's token is of use only where the Hub may be used.
    const hidden = options.roots ? secrets : secrets.filter((name) => name !== "HF_TOKEN");
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !hidden.includes(name)));
    const started = fork(fileURLToPath(program), [JSON.stringify(options)], {
      env,
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let words = ""; // the end of what it wrote before it died
    started.stderr!.on("data", (text) => {
      words = (words + text).slice(-4000);
    });
    const die = (reason: string) => {
      if (child !== started) return;
      child = undefined;
      finish?.({ kind: "failure", cause: "fault", reason });
    };
    started.on("message", (answer: LaneAnswer) => {
      if (answer.kind === "progress") report(answer.share);
      else finish?.(answer);
    });
    started.on("error", (error) => die(`The experiment's process does not start: ${error.message}.`));
    started.on("close", (code, signal) => die(explainDeath(code, signal, words)));
    return started;
  }

  return {
    run(experiment, onProgress) {
      if (isClosed) return Promise.resolve({ kind: "stopped" });
      child ??= start();
      const running = new Promise<Outcome>((resolve) => {
        finish = (outcome) => {
          finish = undefined;
          resolve(outcome);
        };
      });
      report = onProgress;
      child.send(experiment, () => {}); // where it cannot be sent, the process has ended, and that is told
      return running;
    },
    async close() {
      isClosed = true;
      finish?.({ kind: "stopped" });
      const last = child;
      child = undefined;
      if (!last || last.exitCode !== null || last.signalCode !== null) return;
      const ended = new Promise((resolve) => last.once("exit", resolve));
      last.kill("SIGKILL");
      await ended;
    },
  };
}

/** What the end of a process means, in a sentence. */
function explainDeath(code: number | null, signal: NodeJS.Signals | null, words: string): string {
  if (/heap out of memory|Allocation failed|bad_alloc/.test(words))
    return "The experiment ran out of memory; try fewer workers.";
  if (signal === "SIGKILL")
    return "The experiment's process was killed (SIGKILL), as the system does when memory is short; try fewer workers.";
  if (signal !== null) return `The experiment's process crashed (${signal}).`;
  const thrown = /^(?:Uncaught )?(\w*Error): (.*)$/m.exec(words);
  if (thrown) return `The experiment's process died: ${thrown[2]}`;
  return `The experiment's process ended with code ${code}; it may need more memory.`;
}
