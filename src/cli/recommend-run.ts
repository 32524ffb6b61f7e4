// Measures what an advice would have measured next, into the store that it came from.

import { parseConvention } from "../evaluate/conventions.ts";
import { defaultProfile } from "../evaluate/profiles.ts";
import { InputError } from "../input-error.ts";
import type { ResultRow } from "../result.ts";
import type { Candidate } from "../scaling/candidates.ts";
import { listMembers } from "../scaling/mean-row.ts";
import type { NextExperiment } from "../scaling/next-experiment.ts";
import { openStore } from "../study/store/store.ts";
import type { Study } from "../study/study.ts";
import { createStudy } from "../study/study-file.ts";
import { formatRuns } from "./recommend-command.ts";
import { runInTerminal } from "./study-run.ts";

/**
 * Runs an experiment into the store: a text, a task, or all tasks of a mean, of one model and spec, or two.
 *
 * @throws InputError where rows do not say where model and data were, or were measured by another profile than studies have
 */
export async function measureNext(next: NextExperiment, db: string, isQuiet: boolean): Promise<void> {
  const studies = [next.candidate, next.beside].flatMap((one) => (one === null ? [] : [planAll(one, next, db)]));
  const store = await openStore(db);
  try {
    for (const study of studies) {
      const { failures } = await runInTerminal(study, store, { isQuiet });
      if (failures.length > 0) throw new InputError(failures[0].reason);
    }
  } finally {
    await store.close();
  }
}

function planAll(candidate: Candidate, next: NextExperiment, db: string): Study {
  const { row, spec, name, family, source } = candidate;
  const isWhole = source === "measured";
  const parts = listMembers(row).map((one) => planOne(one, spec, isWhole));
  if (parts.includes(null))
    throw new InputError(
      `--run cannot measure ${name} at ${spec}: its results do not say where model and data are, or are not of a study; ${formatRuns(next, db)?.join(" && ").replace(/^/, "run ") ?? "measure it"} by hand.`,
    );
  const [first] = parts as Study[];
  const { trainingTokens, seed } = row.model;
  const said = { name, family, ...(trainingTokens && { trainingTokens }), ...(seed !== undefined && { seed }) };
  return {
    ...first,
    models: first.models.map((model) => ({ ...model, ...said })),
    tasks: (parts as Study[]).flatMap((one) => one.tasks),
  };
}

/** The experiment as a study; null where the row does not say enough. */
function planOne({ paths, key }: ResultRow, spec: string, isWhole: boolean): Study | null {
  if (paths === undefined) return null;
  const limit = isWhole ? undefined : (key.limit ?? undefined);
  const flags = { models: [paths.model], specs: [spec], limit };
  if (key.task === "perplexity") {
    const { convention, window, stride, profile = defaultProfile } = parseConvention(key.profile) ?? {};
    if (convention === undefined || profile !== defaultProfile) return null;
    const study = createStudy({ ...flags, text: paths.data, window, stride });
    return { ...study, tasks: study.tasks.map((task) => ({ ...task, convention })) };
  }
  if (key.profile !== defaultProfile) return null;
  return createStudy({ ...flags, tasks: [paths.task ?? key.task], data: paths.data });
}
