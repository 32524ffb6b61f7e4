// The commands that measure what an advice asks for, into the store that it came from.

import { extname } from "node:path";
import { parseConvention } from "../evaluate/conventions.ts";
import { defaultProfile } from "../evaluate/profiles.ts";
import { quoteShell } from "../report/command.ts";
import type { ResultRow } from "../result.ts";
import type { Candidate } from "../scaling/candidates.ts";
import { listMembers } from "../scaling/mean-row.ts";
import type { NextExperiment } from "../scaling/next-experiment.ts";
import { findRowsFormat } from "../study/exchange/rows-file.ts";

/**
 * The commands of an experiment; what was measured on a part of the data is measured on all of it. Null for a model that is
 * known from another tool's results only (where it is, they do not say), and for a profile or convention that no flag names.
 * A file of exported rows takes no results: its rows go into a store first.
 */
export function formatRuns({ candidate, beside }: NextExperiment, db: string): string[] | null {
  const isFile = findRowsFormat(db) !== undefined;
  const store = isFile ? `${db.slice(0, -extname(db).length)}.db` : db;
  const commands = [candidate, beside].flatMap((one) => (one === null ? [] : formatCandidate(one, store)));
  if (commands.includes(null)) return null;
  const first = isFile ? [`kbit study import ${quotePath(db)} --db ${quotePath(store)}`] : [];
  return [...first, ...new Set(commands as string[])];
}

function formatCandidate({ row, spec, source }: Candidate, db: string): (string | null)[] {
  return listMembers(row).map((one) => formatRun(one, spec, source === "measured", db));
}

function formatRun({ key, model, paths, imported }: ResultRow, spec: string, isWhole: boolean, db: string) {
  if (imported !== undefined) return null;
  const data = quotePath(paths?.data || `FILE-${key.dataHash.slice(0, 12)}`);
  const words = ["kbit study run", quotePath(paths?.model || model.name), "--specs", quoteShell(spec)];
  if (key.task === "perplexity") {
    const cut = parseConvention(key.profile);
    if (cut?.convention !== "windows") return null;
    words.push("--text", data, "--window", String(cut.window), "--stride", String(cut.stride));
  } else {
    if (key.profile !== defaultProfile) return null;
    words.push("--tasks", quoteShell(paths?.task ?? key.task), "--data", data);
  }
  if (key.limit !== null && !isWhole) words.push("--limit", String(key.limit));
  return [...words, "--db", quotePath(db)].join(" ");
}

function quotePath(path: string): string {
  return quoteShell(path.startsWith("-") ? `./${path}` : path); // no option
}
