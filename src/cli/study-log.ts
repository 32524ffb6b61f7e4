// What happens in a run of a study as objects of a log, one a line: `kbit study run --log json`.

import type { StudyEvent } from "../study/run.ts";
import type { Log } from "./log.ts";
import { pickMetric, type StudyDisplay } from "./study-run.ts";

/** A log of the events of one study, each with its name. */
export function createStudyLog(study: string, log: Log): StudyDisplay {
  const write = (entry: Record<string, unknown>) => log({ ...entry, study }, undefined);
  return {
    show(event) {
      switch (event.kind) {
        case "planned": {
          const { kind, ...counts } = event;
          return write({ event: kind, ...counts });
        }
        case "result": {
          const { id, key, model, seconds } = event.row;
          const [metric, { value }] = pickMetric(event.row);
          const experiment = { id, model: model.name, spec: key.spec, task: key.task };
          return write({ event: "result", ...experiment, seconds, metric, value, ...count(event) });
        }
        case "failure":
          return write({ event: "failure", ...event.failure, final: true, ...count(event) });
        case "retry":
          return write({ event: "failure", ...event.failure, final: false });
        case "disagreement":
          return write({ event: "disagreement", ...event.disagreement });
        case "waiting":
          return write({ event: "waiting", reason: event.reason });
      }
    },
    end(summary) {
      if (summary === undefined) return;
      const { stored, computed, failures, cancelled, interrupted, seconds } = summary;
      write({ event: "end", stored, computed, failed: failures.length, cancelled, interrupted, seconds });
    },
  };
}

/** How far the run is with an event. */
function count({ progress: { done, total, secondsLeft } }: Extract<StudyEvent, { kind: "result" | "failure" }>) {
  return { done, total, secondsLeft: Math.round(secondsLeft) };
}
