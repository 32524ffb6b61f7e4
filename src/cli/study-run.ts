// A study running in a terminal: a line for each result as it comes, how far it is, how it ended, and a clean stop.

import { formatPlural, formatSize, formatValue } from "../report/units.ts";
import type { Metric, ResultRow } from "../result.ts";
import type { StudyProgress } from "../study/progress.ts";
import { type RunOptions, runStudy, type StudyEvent, type StudySummary } from "../study/run.ts";
import type { StudyStore } from "../study/store/store.ts";
import type { Study } from "../study/study.ts";
import { describeFew, fewTokens } from "./describe-model.ts";
import { createView, type StudyView } from "./study-view.ts";
import { createProgress, formatSeconds, type Progress, paint, printLine, printNote } from "./terminal.ts";

/** How a study is run and shown. */
export interface TerminalRunOptions extends Pick<RunOptions, "workers" | "threads" | "priority" | "isDetached"> {
  /** Nothing on standard output. */
  readonly isQuiet?: boolean;
  /** In place of lines and a live view. */
  readonly display?: StudyDisplay;
}

/** Shows a run: what happens in it, and how it ended, which is unknown where it failed. */
export interface StudyDisplay {
  show(event: StudyEvent): void;
  end(summary?: StudySummary): void;
}

/** Reasons of failures that a summary prints; the store has all. */
const shownFailures = 10;

/**
 * Runs a study, shows it, and stops it cleanly at SIGINT or SIGTERM (at the second one at once).
 * The kernel set is that of KBIT_KERNELS, if it is set.
 */
export async function runInTerminal(
  study: Study,
  store: StudyStore,
  options: TerminalRunOptions = {},
): Promise<StudySummary> {
  const { isQuiet = false, display = createDisplay(study, store, options), ...wanted } = options;
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  for (const note of study.notes) printNote(note);
  let summary: StudySummary | undefined;
  try {
    const kernels = process.env["KBIT_KERNELS"] || undefined;
    const { signal } = controller;
    summary = await runStudy(study, store, { ...wanted, kernels, signal, onEvent: display.show });
    return summary;
  } finally {
    display.end(summary);
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** The metric that stands for a row in a line. */
export function pickMetric(row: ResultRow): [name: string, metric: Metric] {
  const names = row.key.task === "perplexity" ? ["perplexity"] : ["acc", "word_perplexity"];
  const name = names.find((candidate) => candidate in row.metrics) ?? Object.keys(row.metrics)[0];
  return [name, row.metrics[name]];
}

function createDisplay(
  study: Study,
  store: StudyStore,
  { isDetached = false, isQuiet = false }: TerminalRunOptions,
): StudyDisplay {
  const print = isQuiet ? () => {} : printLine;
  const modelWidth = Math.max(...study.models.map(({ name }) => name.length));
  const specWidth = Math.max(...study.specs.map(({ text }) => text.length));
  const label = (model: string, spec: string) => `${model.padEnd(modelWidth)}  ${spec.padEnd(specWidth)}`;
  const reading: Progress = createProgress("reading ");
  const view: StudyView = createView();
  let fewest = Number.POSITIVE_INFINITY; // tokens that the perplexity of a text was taken over
  const count = ({ done, total }: StudyProgress) => `[${String(done).padStart(String(total).length)}/${total}]`;
  const printAbove = (line: string, progress: StudyProgress) => {
    view.progress(progress);
    view.around(() => print(line));
  };
  return {
    show(event: StudyEvent) {
      switch (event.kind) {
        case "hashing":
          reading.update(event.index, event.total, event.model.name);
          break;
        case "planned": {
          reading.finish();
          const { planned, stored, unplanned } = event;
          if (planned > 0 && planned === unplanned) {
            print("Nothing can be run: no model can be measured.");
            break;
          }
          if (planned === stored) {
            print(`Everything is measured already: ${formatPlural(stored, "result")}.`);
            break;
          }
          const rest = [
            ...(stored > 0 ? [`, ${stored} of them stored already`] : []),
            ...(unplanned > 0 ? [`, ${unplanned} of models that cannot be opened`] : []),
            ...(planned > stored + unplanned ? [`; ${describeWorkers(event.workers, isDetached, store.path)}`] : []),
          ];
          print(`${formatPlural(planned, "experiment")}${rest.join("")}.`);
          break;
        }
        case "progress":
          view.progress(event.progress);
          break;
        case "workers":
          view.workers(event.workers);
          break;
        case "result": {
          const { row, progress } = event;
          view.result(row);
          const [name, { value }] = pickMetric(row);
          if (row.key.task === "perplexity") fewest = Math.min(fewest, row.metrics["perplexity"]?.n ?? fewest);
          const size = formatSize(row.bits.total).padStart(8);
          const left =
            !view.isLive && progress.done < progress.total ? `, ${formatSeconds(progress.secondsLeft)} left` : "";
          const times = paint("dim", `${row.seconds.toFixed(1)} s${left}`);
          const { task } = row.key;
          const metric = task === name ? name : `${task} ${name}`;
          printAbove(
            `${count(progress)} ${label(row.model.name, row.key.spec)} ${size}  ${metric} ${formatValue(value)}  ${times}`,
            progress,
          );
          break;
        }
        case "failure": {
          const { failure, progress } = event;
          view.failure(failure);
          printAbove(`${count(progress)} ${label(failure.model, failure.spec)}  ${paint("red", "failed")}`, progress);
          break;
        }
        case "retry": {
          const { model, spec, task, reason } = event.failure;
          view.around(() => printNote(`${model} ${spec} ${task} will be tried again: ${reason}`));
          break;
        }
        case "disagreement":
          view.around(() =>
            printNote(`${event.disagreement.model} ${event.disagreement.spec}: ${event.disagreement.reason}`),
          );
          break;
        case "waiting":
          view.around(() => printNote(`Waiting: ${event.reason}`));
      }
    },
    end(summary) {
      reading.finish();
      view.end();
      if (isQuiet || summary === undefined) return;
      printSummary(summary);
      if (fewest < fewTokens) printNote(`Note: ${describeFew(fewest)}`);
    },
  };
}

function describeWorkers(workers: number, isDetached: boolean, store: string): string {
  if (isDetached) return `they wait in the queue for kbit worker --db ${store}`;
  return workers > 0 ? formatPlural(workers, "worker") : `those who run kbit worker --db ${store} do them`;
}

function printSummary({ stored, computed, failures, cancelled, interrupted, seconds }: StudySummary): void {
  if (computed === 0 && failures.length === 0 && cancelled === 0 && !interrupted) return;
  const parts = [`${formatPlural(computed, "result")} in ${formatSeconds(seconds)}`];
  if (stored > 0) parts.push(`${stored} stored before`);
  if (failures.length > 0) parts.push(paint("red", `${failures.length} failed`));
  if (cancelled > 0) parts.push(`${cancelled} cancelled`);
  printLine(`\n${interrupted ? "Stopped: " : ""}${parts.join(", ")}.`);
  if (interrupted || cancelled > 0) printLine("What is done is stored; the same command goes on with the rest.");
  const groups = [...Map.groupBy(failures, ({ model, reason }) => `${model}: ${reason}`).values()];
  for (const group of groups.slice(0, shownFailures)) {
    const [{ model, spec, task, reason }] = group;
    const more = group.length === 1 ? "" : ` and ${group.length - 1} more`;
    printLine(`  ${model} ${spec} ${task}${more}: ${reason}`);
  }
  if (groups.length > shownFailures)
    printLine(`  .. and ${groups.length - shownFailures} other reasons; kbit study show lists them.`);
}
