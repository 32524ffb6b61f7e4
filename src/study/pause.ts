// Whether a run stands still because its study is paused, for those who wait: a crew that ends with the queue, and a watcher.

import type { JobCount } from "./store/overview.ts";

/** Paused experiments, where nothing else is left to wait for. */
export function countPaused(counts: readonly JobCount[]): number {
  const count = (...states: string[]) =>
    counts.reduce((sum, { state, jobs }) => (states.includes(state) ? sum + jobs : sum), 0);
  return count("queued", "running") > 0 ? 0 : count("paused");
}

/** Why a run stands still. */
export function explainPause(experiments: number): string {
  return `${experiments === 1 ? "1 experiment is" : `${experiments} experiments are`} paused; kbit study resume goes on.`;
}
