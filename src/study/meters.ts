// What a study tells OpenTelemetry: experiments that ended in this process, their seconds, the queue, the workers. All of it
// is nothing unless an SDK was loaded before kbit (`node --import`); which one, and where it sends what, is the user's.

import type { Attributes, ObservableResult } from "@opentelemetry/api";
import type { FailureRow, ResultRow } from "../result.ts";
import type { CrewEvent } from "./crew.ts";
import type { StudyStore } from "./store/store.ts";

/** Instruments of one process. */
export interface Meters {
  /** Counts what happens in a crew of this process. */
  ofCrew(event: CrewEvent): void;
  result(row: ResultRow, study: string): void;
  failure(failure: FailureRow, study: string): void;
  /** Asks the store no more, and waits a moment until the SDK has sent what was counted. */
  close(): Promise<void>;
}

/** How long sending may take at the end, in milliseconds. */
const flushMs = 3000;

/** Instruments on the SDK of the process; queue and workers are read from the store as often as the SDK collects. */
export async function createMeters({ queue }: StudyStore): Promise<Meters> {
  const { metrics } = await import("@opentelemetry/api"); // no other command waits for it to load
  const provider = metrics.getMeterProvider();
  const meter = provider.getMeter("kbit");
  const ended = meter.createCounter("kbit.experiments", {
    description: "Attempts at experiments that ended in this process, by outcome: done, failed, retried, handed_back.",
    unit: "{experiment}",
  });
  const duration = meter.createHistogram("kbit.experiment.duration", {
    description: "What an experiment with a result took.",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000] },
  });
  const waiting = meter.createObservableGauge("kbit.queue.experiments", {
    description: "Experiments in the queue of the store, by study and state: queued, paused, running, failed.",
    unit: "{experiment}",
  });
  const workers = meter.createObservableGauge("kbit.workers", {
    description: "Workers of the store that have not left.",
    unit: "{worker}",
  });

  const end = (outcome: string, of: Attributes) => ended.add(1, { ...of, outcome });
  const result = ({ key, seconds, kernels }: ResultRow, study: string) => {
    const of = { study, task: key.task };
    end("done", of);
    duration.record(seconds, { ...of, kernels });
  };
  // A store that is away is told elsewhere; here there is nothing to observe then.
  const observeQueue = async (observed: ObservableResult) => {
    for (const { study, state, jobs } of await queue.counts().catch(() => [])) observed.observe(jobs, { study, state });
  };
  const observeWorkers = async (observed: ObservableResult) => {
    const found = await queue.workers().catch(() => undefined);
    if (found) observed.observe(found.length);
  };
  waiting.addCallback(observeQueue);
  workers.addCallback(observeWorkers);

  return {
    result,
    failure: ({ task }, study) => end("failed", { study, task }),
    ofCrew(event) {
      if (event.kind === "result") return result(event.row, event.job.study);
      if (event.kind !== "failure" && event.kind !== "handback") return;
      const { study, experiment } = event.job;
      const outcome = event.kind === "handback" ? "handed_back" : event.isFinal ? "failed" : "retried";
      end(outcome, { study, task: experiment.task.task });
    },
    async close() {
      const { forceFlush } = provider as { forceFlush?: () => Promise<void> };
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, flushMs);
      });
      const flushed = forceFlush?.call(provider).catch(() => {}); // what cannot be sent is the SDK's to tell
      if (flushed) await Promise.race([flushed, patience]);
      clearTimeout(timer);
      waiting.removeCallback(observeQueue);
      workers.removeCallback(observeWorkers);
    },
  };
}
