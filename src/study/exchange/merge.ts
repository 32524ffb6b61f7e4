// Takes rows of a file or of another store into a store. What is there stays; a row that was measured twice must say the
// same twice, and one that does not is named.

import type { FailureRow, Metric, ResultRow } from "../../result.ts";
import type { Store } from "../store/store.ts";

/** Two rows of one key that do not agree. */
export interface RowDisagreement {
  readonly id: string;
  readonly model: string;
  readonly spec: string;
  readonly task: string;
  /** What differs: a metric's name, or `total bits`. */
  readonly what: string;
  readonly kept: number;
  readonly other: number;
  /** Kernels of both; on the same ones every bit should be the same. */
  readonly kernels: readonly [kept: string, other: string];
}

/** What came of an import. */
export interface ImportSummary {
  readonly added: number;
  /** Results that were there already, or came twice. */
  readonly known: number;
  readonly disagreements: readonly RowDisagreement[];
}

/** Results by another kernel set may differ by this share: sums are taken in another order. */
const tolerance = 1e-3;

/** Adds the rows that a store does not have; it keeps account of those that the same kernels measured otherwise. */
export async function mergeRows(rows: readonly ResultRow[], store: Store): Promise<ImportSummary> {
  const kept = new Map((await store.rows()).map((row) => [row.id, row]));
  const added: ResultRow[] = [];
  const differing: ResultRow[] = [];
  const disagreements: RowDisagreement[] = [];
  for (const row of rows) {
    const known = kept.get(row.id);
    if (known) {
      const found = findDisagreement(known, row);
      if (found) disagreements.push(found);
      if (found) differing.push(row);
      continue;
    }
    kept.set(row.id, row);
    added.push(row);
  }
  if (added.length > 0) await store.add(added);
  if (differing.length > 0) await store.add(differing); // it keeps account of them beside the first
  return { added: added.length, known: rows.length - added.length, disagreements };
}

/** Adds the failures that a store does not have. */
export async function mergeFailures(failures: readonly FailureRow[], store: Store): Promise<number> {
  const keyOf = ({ model, spec, task, reason, date }: FailureRow) => JSON.stringify([model, spec, task, reason, date]);
  const known = new Set((await store.failures()).map(keyOf));
  const added = failures.filter((failure) => !known.has(keyOf(failure)));
  for (const failure of added) await store.addFailure(failure);
  return added.length;
}

/** The first thing in which two rows of one key differ by more than their kernels explain; times do by nature. */
export function findDisagreement(kept: ResultRow, other: ResultRow): RowDisagreement | undefined {
  if (kept.key.task === "latency") return undefined;
  const isExact = kept.kernels === other.kernels;
  const { id, key, model } = kept;
  const base = {
    id,
    model: model.name,
    spec: key.spec,
    task: key.task,
    kernels: [kept.kernels, other.kernels] as const,
  };
  if (!Object.is(kept.bits.total, other.bits.total))
    return { ...base, what: "total bits", kept: kept.bits.total, other: other.bits.total };
  for (const [name, metric] of Object.entries(kept.metrics)) {
    const twin = other.metrics[name];
    if (twin && !agree(metric, twin, isExact)) return { ...base, what: name, kept: metric.value, other: twin.value };
  }
  return undefined;
}

function agree(a: Metric, b: Metric, isExact: boolean): boolean {
  if (a.n !== b.n) return false;
  if (a.value === b.value) return true;
  if (isExact) return false;
  const scale = Math.max(Math.abs(a.value), Math.abs(b.value));
  return Math.abs(a.value - b.value) <= Math.max(tolerance * scale, (a.standardError ?? 0) / 10);
}
