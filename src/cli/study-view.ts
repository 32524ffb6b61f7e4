// What stands at the bottom of the terminal while a study runs: how far it is, who is at what, what failed, and which
// precision is best so far.

import { writeHeadline } from "../report/headline.ts";
import { formatPlural } from "../report/units.ts";
import type { FailureRow, ResultRow } from "../result.ts";
import { answerRows } from "../scaling/answer.ts";
import type { WorkingCrew } from "../study/account.ts";
import type { StudyProgress } from "../study/progress.ts";
import { type Block, createBlock } from "./block.ts";
import { formatSeconds } from "./terminal.ts";

/** The live lines of a study. */
export interface StudyView {
  progress(progress: StudyProgress): void;
  result(row: ResultRow): void;
  failure(failure: FailureRow): void;
  workers(workers: readonly WorkingCrew[]): void;
  /** Writes with the lines out of the way. */
  around(write: () => void): void;
  /** Whether anything stands there. */
  readonly isLive: boolean;
  end(): void;
}

const redrawMs = 120;
/** The answer is a computation over all rows: about this share of the time, within limits. */
const answerShare = 0.05;
const [shortestWaitMs, longestWaitMs] = [1000, 5000];
const shownExperiments = 8;
const minuteMs = 60_000;

/** The view of one run; silent where the stream is no terminal. */
export function createView(stream: NodeJS.WriteStream = process.stderr): StudyView {
  const block: Block = createBlock(stream);
  const rows: ResultRow[] = []; // of this run
  const ends: number[] = []; // of the last minute
  let at: StudyProgress | undefined;
  let crews: readonly WorkingCrew[] = [];
  let failed = { count: 0, last: "" };
  let best = { sentence: "", of: -1, nextAt: 0 };
  let drawnAt = 0;
  let isOver = false;

  const draw = (isDue = performance.now() - drawnAt > redrawMs) => {
    if (isOver || at === undefined || !isDue || stream.isTTY !== true) return;
    drawnAt = performance.now();
    if (rows.length > best.of && drawnAt > best.nextAt) {
      const sentence = findBest([...rows]); // a new array: answers are remembered by it
      const took = performance.now() - drawnAt;
      const waitMs = Math.min(longestWaitMs, Math.max(shortestWaitMs, took / answerShare));
      best = { sentence, of: rows.length, nextAt: performance.now() + waitMs };
    }
    const barWidth = (stream.columns ?? 80) < 100 ? 12 : 24;
    block.show(formatLines(at, barWidth, crews, countLast(ends), failed, best.sentence));
  };
  return {
    progress(progress) {
      at = progress;
      draw();
    },
    result(row) {
      rows.push({ ...row, documents: undefined }); // errors in pairs would take too long here
      ends.push(performance.now());
    },
    failure({ model, spec, task, reason }) {
      failed = { count: failed.count + 1, last: `${model} ${spec} ${task}: ${reason}` };
    },
    workers(working) {
      crews = working;
      draw();
    },
    around(write) {
      block.end();
      write();
      draw(true);
    },
    isLive: stream.isTTY === true,
    end() {
      isOver = true;
      block.end();
    },
  };
}

/** How many times lie within the last minute; older ones are dropped. */
function countLast(times: number[]): number {
  while (times.length > 0 && times[0] < performance.now() - minuteMs) times.shift();
  return times.length;
}

function formatLines(
  { done, total, share, secondsLeft }: StudyProgress,
  barWidth: number,
  crews: readonly WorkingCrew[],
  lastMinute: number,
  failed: { readonly count: number; readonly last: string },
  best: string,
): string[] {
  const bar = "█".repeat(Math.round(share * barWidth)).padEnd(barWidth, "░");
  const left = done < total ? `  ${formatSeconds(secondsLeft)} left` : "";
  const lines = [
    `running ${bar} ${Math.round(share * 100)} %  ${done} of ${total}${left}  ${lastMinute} in the last minute`,
  ];
  const running = crews.flatMap(({ id, report }) => report.running.map((one) => ({ id, ...one })));
  for (const { id, model, spec, task, share: part, seconds } of running.slice(0, shownExperiments)) {
    const who = crews.length > 1 ? `${id}  ` : "";
    lines.push(`  ${who}${model} ${spec} ${task}  ${Math.round(100 * part)} %  ${formatSeconds(seconds)}`);
  }
  if (running.length > shownExperiments) lines.push(`  .. and ${running.length - shownExperiments} more`);
  if (crews.length > 1) lines.push(`  ${formatPlural(crews.length, "worker")}`);
  if (failed.count > 0) lines.push(`  ${failed.count} failed, the last: ${failed.last}`);
  if (best !== "") lines.push(`  So far: ${best}`);
  return lines;
}

/** The first sentence of the answer so far; nothing while there is nothing to compare. */
function findBest(rows: readonly ResultRow[]): string {
  const answer = answerRows(rows)[0];
  return answer === undefined || answer.range.contested === null ? "" : writeHeadline(answer)[0];
}
