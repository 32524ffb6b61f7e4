// Measures what an advice would have measured next, into the store that it came from.

import { defaultProfile } from "../evaluate/profiles.ts";
import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import type { MeanRow } from "../scaling/mean-accuracy.ts";
import type { NextExperiment } from "../scaling/next-experiment.ts";
import { openStore } from "../study/store/store.ts";
import type { Study } from "../study/study.ts";
import { createStudy } from "../study/study-file.ts";
import { commandOf } from "./recommend-page.ts";
import { runInTerminal } from "./study-run.ts";

/**
 * Runs one experiment into the store: a text, a task, or all tasks of a mean.
 *
 * @throws InputError where rows do not say where model and data were, or were measured by another profile than studies have
 */
export async function measureNext({ candidate }: NextExperiment, db: string, isQuiet: boolean): Promise<void> {
  const { row, spec, name, family, source } = candidate;
  const rows = "members" in row ? (row as MeanRow).members : [row];
  const isWhole = source === "measured";
  const parts = rows.map((one) => planOne(one, spec, isWhole));
  if (parts.includes(null))
    throw new InputError(
      `--run cannot measure ${name} at ${spec}: its results do not say where model and data are, or are not of a study; ${commandOf(candidate)?.replace(/^/, "run ") ?? "measure it"} by hand.`,
    );
  const [first] = parts as Study[];
  const { trainingTokens, seed } = row.model;
  const said = { name, family, ...(trainingTokens && { trainingTokens }), ...(seed !== undefined && { seed }) };
  const study: Study = {
    ...first,
    models: first.models.map((model) => ({ ...model, ...said })),
    tasks: (parts as Study[]).flatMap((one) => one.tasks),
  };
  const store = await openStore(db);
  try {
    const { failures } = await runInTerminal(study, store, { isQuiet });
    if (failures.length > 0) throw new InputError(failures[0].reason);
  } finally {
    await store.close();
  }
}

/** The experiment as a study; null where the row does not say enough. */
function planOne({ paths, key }: ResultRow, spec: string, isWhole: boolean): Study | null {
  if (paths === undefined) return null;
  const limit = isWhole ? undefined : (key.limit ?? undefined);
  const flags = { models: [paths.model], specs: [spec], limit };
  const [, window, stride] = /^windows-(\d+)-stride-(\d+)$/.exec(key.profile) ?? [];
  if (key.task === "perplexity")
    return createStudy({ ...flags, text: paths.data, window: Number(window), stride: Number(stride) });
  if (key.profile !== defaultProfile) return null;
  return createStudy({ ...flags, tasks: [paths.task ?? key.task], data: paths.data });
}
